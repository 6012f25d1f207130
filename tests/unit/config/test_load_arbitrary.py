"""Whatever comes in, a race or one line comes out."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.config.errors import ConfigError
from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.config.settings import BY_KEY, SETTINGS
from tui.cli.parser import parse

KEYS = [*BY_KEY, "sandbox", "directory", "port", "mode", "config"]

near_values = st.sampled_from(
    ["fair", "deck", "mysql", "mysql,durable", "0", "1", "4", "30s", "500ms", "2h", "-1", "nan", ""]
)
texts = near_values | st.text() | st.from_regex(r"[0-9]{1,30}(\.[0-9]+)?(ms|s|m|h)?")
# As the operating system hands them over: bytes that are not UTF-8 arrive as lone surrogates.
os_texts = texts | st.binary().map(lambda raw: raw.decode(errors="surrogateescape"))


def toml_of(value: object) -> str:
    """A TOML writer of the test's own, so that any value may stand in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08X}" for char in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml_of, value))}]"
    assert isinstance(value, dict)
    return f"{{{', '.join(f'{toml_of(key)} = {toml_of(item)}' for key, item in value.items())}}}"


scalars = (
    st.booleans()
    | st.integers()
    | st.integers(0, 5)
    | st.floats()
    | near_values
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: not has_surrogate(value))
documents = st.dictionaries(
    st.sampled_from([*KEYS[:10], "sandbox"]) | st.text(st.characters(exclude_categories=["Cs"])),
    values,
    max_size=4,
)


def has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, list):
        return any(map(has_surrogate, value))
    if isinstance(value, dict):
        return any(has_surrogate(key) or has_surrogate(item) for key, item in value.items())
    return False


def check_race(race: RaceConfig) -> None:
    """Every value within what its setting takes, said by hand."""
    assert race.preset in ("fair", "deck")
    order = ["mysql", "cached", "durable"]
    assert race.lanes
    assert list(race.lanes) == [lane for lane in order if lane in race.lanes]
    for connections in (race.writers, race.readers):
        assert type(connections) is int
        assert 0 <= connections <= 1024
        assert connections == 0 or 1 <= race.processes <= connections
    assert race.writers + race.readers > 0
    assert race.processes <= 64
    assert type(race.batch) is int
    assert 1 <= race.batch <= 10_000
    assert 0.001 <= race.ttl_s <= 30 * 86_400
    assert round(race.ttl_s, 3) == race.ttl_s
    assert 0 <= race.warmup_s <= 86_400
    assert race.duration_s is None or 0.001 <= race.duration_s <= 30 * 86_400
    assert 0 <= race.seed < 2**63
    assert race.sandbox.port is None or 1024 <= race.sandbox.port <= 50_000
    assert race.sandbox.directory is None or isinstance(race.sandbox.directory, Path)


def check_refusal(error: ConfigError) -> None:
    message = str(error)
    assert message
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 1000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arbitrary") / "race.toml"


def loaded(flags: dict[str, str], environ: dict[str, str], file: Path | None) -> None:
    try:
        race = load_config(flags, environ, None if file is None else str(file))
    except ConfigError as error:
        check_refusal(error)
    else:
        check_race(race)


quick = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quick
@given(document=documents)
def test_any_document(file: Path, document: dict[str, object]) -> None:
    lines = [f"{toml_of(key)} = {toml_of(value)}" for key, value in document.items()]
    file.write_text("\n".join(lines))
    loaded({}, {}, file)


@quick
@given(content=st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    loaded({}, {}, file)


names = st.sampled_from([setting.env for setting in SETTINGS]) | st.sampled_from(
    ["TELEMON_CONFIG", "TELEMON_WRITER", "TELEMON_MODE", "XDG_CONFIG_HOME", "HOME"]
)


@quick
@given(
    environ=st.dictionaries(names, os_texts, max_size=4),
    flags=st.dictionaries(st.sampled_from(list(BY_KEY)), os_texts, max_size=4),
)
def test_any_environment_and_flags(environ: dict[str, str], flags: dict[str, str]) -> None:
    loaded(flags, environ, None)


words = st.sampled_from(
    [
        "run",
        "config",
        "--format",
        "json",
        "--config",
        "--",
        "-h",
        "--version",
        *[setting.flag for setting in SETTINGS if setting.flag],
    ]
)


@quick
@given(argv=st.lists(words | os_texts, max_size=6))
def test_any_arguments(argv: list[str]) -> None:
    output = io.StringIO()
    asked, code = None, None
    try:
        with contextlib.redirect_stdout(output):
            asked = parse(argv, {})
    except ConfigError as error:
        check_refusal(error)
    except SystemExit as end:
        code = end.code
        # --help and --version, and nothing else, end here.
        assert any(word.startswith(("-h", "--help", "--version")) for word in argv)
        assert output.getvalue()
    assert code in (None, 0)
    if asked is not None:
        check_race(asked.settings)
        assert asked.command in (None, "run", "config")
        assert asked.format in ("text", "json", "jsonl")
