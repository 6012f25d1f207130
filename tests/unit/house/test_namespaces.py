"""No module names a table or a key beside the namespace that was asked for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]

STATEMENT = re.compile(r"\b(FROM|INTO|TABLE|UPDATE)\s+cars\b")


def nodes() -> list[tuple[str, ast.AST]]:
    """Return every node of the engines' syntax trees, with the file that it is in."""
    return [
        (str(path.relative_to(ROOT)), node)
        for path in sorted((ROOT / "engines").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_a_key_is_named_with_the_prefix_of_its_namespace() -> None:
    calls = [
        (path, node)
        for path, node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "redis_key"
    ]
    assert len(calls) > 5
    assert [f"{path}:{node.lineno}" for path, node in calls if len(node.args) < 2] == []


def test_no_statement_names_the_table_of_the_default_namespace() -> None:
    found = []
    for path in sorted((ROOT / "engines").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and id(node) not in documented
            and isinstance(node.value, str | bytes)
            and STATEMENT.search(
                node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            )
        ]
    assert found == []
