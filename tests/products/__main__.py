"""`make test-products`: run the tests of servers on products that this machine does not have, from suites of Debian.

A product that cannot be had is said, and the others are run. Exit status 1 if a test failed on one of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.products.product import PRODUCTS, Product, provide, version
from tests.products.report import DOCUMENT, Run, documented, read_run, table
from tests.products.suites import UnavailableError

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / ".products"
TESTS = "tests/servers"


def main() -> int:
    """Return the exit status."""
    arguments = _arguments()
    wanted = [product for product in PRODUCTS if product.id in arguments.only]
    runs = []
    for product in wanted:
        try:
            program = provide(product, DIRECTORY)
            found = version(program)
        except UnavailableError as error:
            print(f"{product.title} of {product.suite} cannot be had: {error}", file=sys.stderr)
            continue
        print(f"{product.title}: {found}, {product.variable}={program}", file=sys.stderr)
        if not arguments.unpack:
            runs.append(_run(product, program, found, arguments.tests))
    if not runs:
        return 0 if arguments.unpack else 1
    print(table(run.cells for run in runs), end="")
    if arguments.write:
        titles = [product.title for product in PRODUCTS]
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(documented(text, runs, titles), encoding="utf-8")
    return 1 if any(run.failed for run in runs) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.products")
    known = [product.id for product in PRODUCTS]
    parser.add_argument("tests", nargs="*", default=[TESTS], help="what pytest runs")
    parser.add_argument("--only", action="append", choices=known, help="a product; several times")
    parser.add_argument("--unpack", action="store_true", help="run no tests")
    parser.add_argument("--write", action="store_true", help="write the table in docs/products.md")
    arguments = parser.parse_args()
    arguments.only = arguments.only or known
    return arguments


def _run(product: Product, program: Path, found: str, tests: list[str]) -> Run:
    report = DIRECTORY / product.id / "report.xml"
    report.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *tests],
        cwd=ROOT,
        env={**os.environ, product.variable: str(program)},
        check=False,
    )
    what = " ".join(f"`{test}`" for test in tests)
    if not report.exists():
        return Run(product.title, found, what, 0, 0, ("pytest ended without a report",))
    return read_run(product.title, found, what, report)


if __name__ == "__main__":
    sys.exit(main())
