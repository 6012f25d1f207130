"""The documents against the code: every path and every function in them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

DOCUMENTS = (
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/claims.md",
    "docs/glossary.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "decisions").glob("*.md")),
)

PATH = re.compile(
    r"`((?:engines|tui|tests|docs|benchmarks)/[\w./-]*|[A-Z]+\.md|[\w.-]+\.toml|vulture_allow\.py)(?::(\w+))?`"
)
"""A path in backticks, with the name of a function or class after a colon or without one."""

LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
"""The target of a link within the repository."""


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def names_in(path: Path) -> set[str]:
    """Return the names of all functions, methods and classes of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_function_in_a_document_exists(document: str) -> None:
    wrong = []
    for name, function in PATH.findall(text_of(document)):
        path = ROOT / name
        placeholder = bool(re.search(r"ROOM|MODULE|NNN", name))
        if not placeholder and not path.exists():
            wrong.append(name)
        elif function and function not in names_in(path):
            wrong.append(f"{name}:{function}")
    assert wrong == []


@pytest.mark.parametrize("document", [*DOCUMENTS, "docs/bastion.md", "docs/benchmarks.md"])
def test_every_link_within_the_repository_leads_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    assert [link for link in LINK.findall(text_of(document)) if not (folder / link).exists()] == []


def test_the_glossary_is_sorted_and_says_each_term_once() -> None:
    table = text_of("docs/glossary.md").partition("## Keys")[0]
    terms = re.findall(r"^\| ([^|]+) \| [^|]+ \| `[^|]+` \|$", table, re.MULTILINE)
    keys = [re.sub(r"[^a-z0-9]", " ", term.lower()) for term in terms]
    assert len(terms) > 50
    assert keys == sorted(keys)
    assert len(set(terms)) == len(terms)


def test_every_room_is_in_the_architecture() -> None:
    text = text_of("docs/architecture.md")
    for half in ("engines", "tui"):
        for package in (ROOT / half).glob("*/__init__.py"):
            assert f"| `{half}/{package.parent.name}/` |" in text
