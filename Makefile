# make race   set everything up, then race the three lanes on private servers
# make test   set everything up, then lint and run every test
# make soak   the tests that take long, one after the other; docs/soak.md says what the last run found
# make test-products   the tests of servers on other products than this machine has: Valkey, Redis 8, MySQL 9, MariaDB 11.8,
#             unpacked from suites of Debian; ARGS='--only valkey-9 tests/servers/test_lanes.py', docs/products.md has the table
# make setup  their shared first half; quick the second time

# Looked up where it is first used, and once.
PYTHON ?= $(eval PYTHON := $(shell sh interpreter.sh))$(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: race test test-servers test-others test-products soak setup lint format bench mutants servers constraints clean

race: setup
	$(BIN)/telemon $(ARGS)

# The tests of servers mostly wait for servers: the others run beside them, and the last of them after the others, so that
# both runs take about as long.
test: setup lint
	@echo "telemon: two runs of tests, side by side; each prints what it found when it is over"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-servers test-others

test-servers:
	$(BIN)/python -m pytest tests/servers/test_[a-p]*.py $(ARGS)

test-others:
	$(BIN)/python -m pytest tests/screens tests/unit tests/servers/test_[q-z]*.py $(ARGS)

soak: setup
	$(BIN)/python -m pytest -m soak --durations=0 $(ARGS)

test-products: setup
	$(BIN)/python -m tests.products $(ARGS)

setup: servers $(STAMP)

# Only the packages that hold the server binaries: no service comes with them.
servers:
	@PYTHON="$(PYTHON)" sh servers.sh

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "telemon needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@PYTHON="$(PYTHON)" sh servers.sh bench
	$(BIN)/python -m benchmarks $(ARGS)

# Hours for all rooms; ONLY='engines.wire.resp*' takes minutes. In a .venv of its own, so that nobody else needs mutmut.
MUTANTS := .venv-mutants
mutants:
	@test -d $(MUTANTS) || $(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' 'mutmut>=3.8,<4'
	$(MUTANTS)/bin/mutmut run $(ONLY)
	$(MUTANTS)/bin/mutmut results

# Pin what is installed now, by name and version only; of what only other versions of Python need, the pin stays.
ELSEWHERE := async-timeout
constraints: setup
	{ $(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check | grep '=='; \
		for name in $(ELSEWHERE); do grep "^$$name==" constraints.txt; done; } | \
		sort --ignore-case --field-separator== --key=1,1 --unique > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) $(MUTANTS) build dist mutants
