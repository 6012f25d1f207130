"""The blocks of docs/bastion.md, for the tests that try them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "bastion.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[list[str]]:
    """The shell commands that begin with `program`, each as its words."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line)) and words[0] == program]


def acl_rules() -> list[str]:
    """The rules of the Redis user that is just enough, without its password."""
    (line,) = [
        line for block in blocks("redis") for line in block.splitlines() if line.startswith("ACL")
    ]
    acl, setuser, _, *rules = line.split()
    assert (acl, setuser) == ("ACL", "SETUSER")
    return [rule for rule in rules if not rule.startswith(">")]


def grants() -> list[str]:
    """What the MySQL user that is just enough is granted: "SELECT, ... ON telemon.*"."""
    (sql,) = blocks("sql")
    return re.findall(r"^GRANT (.*) TO 'telemon'@'%';$", sql, re.MULTILINE)
