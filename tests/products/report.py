"""What the tests found on each product: as a table, and in docs/products.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from docs.tables import markdown_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "products.md"

RUNS = re.compile(r"(?<=<!-- runs: made by make test-products -->\n).*?(?=<!-- end -->)", re.DOTALL)
"""The part of the document that is made."""

TITLES = ("product", "version", "day", "what was run", "passed", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Run:
    """Tests on one product. `failed` are the names of tests."""

    title: str
    version: str
    what: str
    passed: int
    skipped: int
    failed: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the run as a row of the table."""
        names = ": " + ", ".join(f"`{name}`" for name in self.failed) if self.failed else ""
        day = datetime.now(UTC).date().isoformat()
        return (
            *(self.title, self.version, day, self.what),
            *(str(self.passed), str(self.skipped), f"{len(self.failed)}{names}"),
        )


def read_run(title: str, version: str, what: str, report: Path) -> Run:
    """Return a run from the report that pytest wrote as JUnit XML."""
    passed = skipped = 0
    failed = []
    for case in ElementTree.parse(report).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            file = case.get("classname", "").rpartition(".")[2]
            failed.append(f"{file}::{case.get('name')}")
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return Run(title, version, what, passed, skipped, tuple(dict.fromkeys(failed)))


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return the table of runs."""
    return markdown_table(TITLES, rows)


def documented(text: str, runs: Iterable[Run], order: Iterable[str]) -> str:
    """Return the document `text` with these runs in the place of the former runs of the same products."""
    known = RUNS.search(text)
    rows: Mapping[str, tuple[str, ...]] = {}
    if known is not None:
        cells = [_cells(line) for line in known[0].splitlines()[2:]]
        rows = {row[0]: row for row in cells if len(row) == len(TITLES)}
    rows = {**rows, **{run.title: run.cells for run in runs}}
    return RUNS.sub(lambda _: table(rows[title] for title in order if title in rows), text)


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner))
