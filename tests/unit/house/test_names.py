"""Names: one meaning per class name, and no words that only this project would understand."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

HALVES = ("engines", "tui")

PRIVATE_WORDS = (
    *("anew", "bury", "buried", "crowded", "curtain", "deed", "deeds", "demoted", "doubt", "doubts", "entrant"),
    *("entrants", "epitaph", "felt", "flowing", "heed", "hush", "ink", "inked", "inks", "inhabitants", "keeper"),
    *("ledger", "lineup", "narrate", "narration", "obey", "onward", "outlet", "proved", "rung", "rungs", "scenery"),
    *("scene", "sealed", "sides", "spared", "spell", "squeezed", "stranger", "tally", "tether", "trail", "venue"),
    *("wiring", "let_go", "stand_still", "look_back", "take_away", "make_up", "own_lag", "own_share"),
)  # fmt: skip
"""Words with a standard term in docs/glossary.md, none of which is English for something else that telemon has.

Left out are words of the same origin that also have an ordinary meaning here: order (of rounds), place, field (of a
dataclass), account (of a server), finish, floor, late and due (of an open loop), share, step, link (of a file), child
(process), done, lost, reading (of a counter), told and said.
"""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module of both halves with its syntax tree."""
    for half in HALVES:
        for path in sorted((ROOT / half).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.alias):
            yield node.lineno, node.asname or node.name


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring, those of constants and attributes included."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield node.lineno, text


def words_of(name: str) -> str:
    """Return the words of an identifier in lower case, with an underscore around each."""
    return f"_{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()}_"


@pytest.mark.parametrize("half", HALVES)
def test_a_class_name_has_one_meaning(half: str) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path, tree in modules():
        if path.parts[0] == half:
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    found[node.name].add(str(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_engines_and_presentation_share_no_class_name() -> None:
    found: dict[str, set[str]] = {half: set() for half in HALVES}
    for path, tree in modules():
        found[path.parts[0]] |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert found["engines"] & found["tui"] == set()


def test_no_identifier_has_a_private_word() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path, tree in modules()
        for line, name in identifiers(tree)
        if any(f"_{word}_" in words_of(name) for word in PRIVATE_WORDS)
    ]
    assert wrong == []


def test_no_docstring_has_a_private_word() -> None:
    pattern = re.compile(rf"\b({'|'.join(word.replace('_', ' ') for word in PRIVATE_WORDS)})\b")
    wrong = [
        f"{path}:{line}: {found[0]}"
        for path, tree in modules()
        for line, text in docstrings(tree)
        for found in pattern.finditer(text.lower())
    ]
    assert wrong == []


def test_the_search_finds_a_private_word_wherever_it_stands() -> None:
    planted = ast.parse(
        'class OldVenue:\n    """A curtain."""\n    def let_go(self, ink: str) -> None: ...\n'
    )
    names = [words_of(name) for _, name in identifiers(planted)]
    found = {word for word in PRIVATE_WORDS if any(f"_{word}_" in name for name in names)}
    assert found == {"venue", "let_go", "ink"}
    assert [text for _, text in docstrings(planted)] == ["A curtain."]
