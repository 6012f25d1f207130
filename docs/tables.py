"""`python docs/tables.py`: write the tables of the documentation anew from the tables in the code.

The options in README.md come from `engines.config.settings`, docs/errors.md from `engines.wire.error_kinds`. A test
fails while a file differs from what this makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from engines.config.settings import SETTINGS
from engines.wire.error_kinds import ERROR_KINDS, MYSQL_ERRORS, mysql_kind
from engines.wire.mysql_error_names import ERROR_NAMES
from engines.workload.namespace import DEFAULT

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ERRORS = ROOT / "docs" / "errors.md"

OPTIONS = re.compile(
    r"(?<=<!-- options: made by docs/tables.py -->\n).*?(?=<!-- end -->)", re.DOTALL
)
"""The part of README.md that is made."""

ERRORS_INTRODUCTION = """\
# Errors by kind

A result counts failed operations by kind (`errors` of a lane's `write` and `read`). An error of MySQL is counted as
`mysql_`, its number and its name; the second table has the names of those without advice, and a number that is in
neither table is named `unknown`. Any other error of Redis is counted as `redis_` and its first word. Made by
`python docs/tables.py`.

"""

NAMES_INTRODUCTION = """
## Errors of MySQL and MariaDB with a name only

"""

KEYS = "telemon:*, or telemon:NAME:* in the namespace NAME"
"""Names of telemon's keys, for a reader whose namespace is not known."""


def markdown_table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown, with `|` in cells escaped."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def options_table() -> str:
    """Return the table of the command line options that are settings."""
    return markdown_table(
        ("option", "meaning", "default", "by key"),
        (
            (
                f"`{setting.flag} {setting.value_type.metavar}`",
                setting.about,
                setting.default_text,
                "yes" if setting.live else "",
            )
            for setting in SETTINGS
            if setting.flag is not None
        ),
    )


def readme(text: str) -> str:
    """Return the README `text` with its options table made anew."""
    return OPTIONS.sub(lambda _: options_table(), text)


def errors_page() -> str:
    """Return docs/errors.md."""
    rows = (
        (f"`{name}`", *known.advice(KEYS, DEFAULT.advice))
        for name, known in sorted(ERROR_KINDS.items())
    )
    names = ((f"`{mysql_kind(code)}`",) for code in sorted(ERROR_NAMES) if code not in MYSQL_ERRORS)
    return (
        ERRORS_INTRODUCTION
        + markdown_table(("kind", "meaning", "next step"), rows)
        + NAMES_INTRODUCTION
        + markdown_table(("kind",), names)
    )


def main() -> None:
    """Write README.md and docs/errors.md."""
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    ERRORS.write_text(errors_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
