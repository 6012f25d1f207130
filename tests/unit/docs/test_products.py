"""`make test-products`: its table in docs/products.md, and what it does where a product cannot be had."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.products import __main__ as command
from tests.products.product import PRODUCTS, version
from tests.products.report import DOCUMENT, RUNS, TITLES, Run, documented, read_run, table
from tests.products.suites import UnavailableError

REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.servers.test_lanes" name="test_a"/>
<testcase classname="tests.servers.test_lanes" name="test_b"><skipped message="no"/></testcase>
<testcase classname="tests.servers.test_lanes" name="test_c[1|2]"><failure message="x"/></testcase>
<testcase classname="tests.servers.test_lanes" name="test_c[1|2]"><error message="x"/></testcase>
</testsuite></testsuites>
"""

EMPTY = "# P\n<!-- runs: made by make test-products -->\n<!-- end -->\n"


def run_of(title: str, version: str, passed: int) -> Run:
    return Run(title, version, "`tests/servers`", passed, 0, ())


def test_the_document_has_a_row_of_each_product_that_was_run() -> None:
    known = RUNS.search(DOCUMENT.read_text(encoding="utf-8"))
    assert known is not None
    head, _, *rows = (line.strip("|").split("|") for line in known[0].splitlines())
    assert tuple(cell.strip() for cell in head) == TITLES
    titles = [row[0].strip() for row in rows]
    assert titles == [product.title for product in PRODUCTS if product.title in titles]
    assert titles
    for row in rows:
        assert re.fullmatch(r" \d+(\.\d+)+ ", row[1])
        assert re.fullmatch(r" \d{4}-\d\d-\d\d ", row[2])


def test_a_report_of_pytest_is_read(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    found = read_run("Valkey 9", "9.1.2", "`tests/servers`", tmp_path / "report.xml")
    assert (found.passed, found.skipped) == (1, 1)
    assert found.failed == ("test_lanes::test_c[1|2]",)
    assert "1: `test_lanes::test_c[1\\|2]` |" in table([found.cells])


def test_a_run_takes_the_place_of_the_former_one_of_its_product() -> None:
    order = ["Valkey 8", "Valkey 9"]
    first = documented(EMPTY, [run_of("Valkey 9", "9.1.1", 5)], order)
    both = documented(first, [run_of("Valkey 8", "8.1.1", 6)], order)
    assert both.index("Valkey 8") < both.index("Valkey 9")
    newer = documented(both, [run_of("Valkey 9", "9.1.2", 7)], order)
    assert "9.1.1" not in newer
    assert newer.count("Valkey 9") == newer.count("Valkey 8") == 1
    assert newer.startswith("# P\n")
    assert newer.endswith("<!-- end -->\n")


def test_a_product_that_cannot_be_had_is_said_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def provide(product: object, _: Path) -> Path:
        if product is PRODUCTS[0]:
            raise UnavailableError("apt-get: no such suite")
        return tmp_path / "server"

    monkeypatch.setattr(command, "provide", provide)
    monkeypatch.setattr(command, "version", lambda _: "9.9.9")
    monkeypatch.setattr(
        command, "_run", lambda product, _, found, what: run_of(product.title, found, len(what))
    )
    monkeypatch.setattr(
        sys, "argv", ["products", "--only", PRODUCTS[0].id, "--only", PRODUCTS[1].id]
    )
    assert command.main() == 0
    said = capsys.readouterr()
    assert "cannot be had: apt-get: no such suite" in said.err
    assert f"| {PRODUCTS[1].title} | 9.9.9 |" in said.out
    assert PRODUCTS[0].title not in said.out


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("Valkey server v=9.1.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "9.1.2"),
        ("mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", "9.7.4"),
        ("mariadbd  Ver 11.8.9-MariaDB-0+deb13u1 from Debian for debian-linux-gnu", "11.8.9"),
    ],
)
def test_a_program_says_its_version(tmp_path: Path, said: str, known: str) -> None:
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    assert version(program) == known


def test_a_program_that_does_not_run_cannot_be_had(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho 'libc.so.6: version not found' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="version not found"):
        version(program)
