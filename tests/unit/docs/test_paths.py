"""The documents for contributors name files that exist, and link to documents that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

DOCUMENTS = (
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)

BASES = (ROOT, ROOT / "engines", ROOT / "tui", ROOT / "tui" / "widgets" / "lane")
"""Where a short path may begin: `driver/reactor.py` is below `engines`."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|tcss|toml|json|md))`", document.read_text())
    missing = [path for path in named if not any((base / path).exists() for base in BASES)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", document.read_text())
    assert [path for path in linked if not (document.parent / path).exists()] == []
