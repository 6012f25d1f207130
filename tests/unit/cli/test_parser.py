"""The options of each command, as users and their scripts know them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from engines.config.errors import ConfigError
from tui.cli.parser import parse, parser

GOLDEN = Path(__file__).parents[2] / "golden" / "options.json"


def options_of(command: argparse.ArgumentParser) -> set[str]:
    return {
        option
        for action in command._actions
        for option in action.option_strings
        if option.startswith("--") and action.help is not argparse.SUPPRESS
    }


def test_no_option_of_a_command_is_lost_and_none_comes_unnoticed() -> None:
    top = parser()
    (commands,) = (
        action for action in top._actions if isinstance(action, argparse._SubParsersAction)
    )
    found = {"telemon": options_of(top)}
    found |= {name: options_of(command) for name, command in commands.choices.items()}
    expected = {name: set(options) for name, options in json.loads(GOLDEN.read_text()).items()}
    expected["config"] |= {"--figures"}
    assert found == expected


@pytest.mark.parametrize(
    "argv",
    [
        ("--duration=--",),
        ("run", "--lanes=--"),
        ("run", "--format=--"),
        ("--config=--",),
        ("--fps=--",),
        ("--version=--",),
        ("doctor", "--json=--"),
        ("--heats=--",),
    ],
    ids=" ".join,
)
def test_two_dashes_are_no_value(argv: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(argv, {})
    assert str(raised.value) == f"{argv[-1]}: -- is no value; see telemon --help"


@pytest.mark.parametrize(
    "argv",
    [
        ("--password=hunter2",),
        ("--password", "hunter2"),
        ("run", "-phunter2"),
        ("run", "-p", "hunter2"),
        ("run", "--mysql-password=hunter2", "--durable-password", "hunter2"),
        ("mysql://telemon:hunter2@db.example.com:3306/telemon",),
        ("hunter2",),
        ("doctor", "hunter2"),
        (
            "run",
            "--hunter2",
        ),
        ("prepare", "rediss://:hunter2@cache:6379"),
        ("run", "-\x1bhunter2"),
        ("run", "--mysql-password=hunter2=--"),
        ("run", "--lanes=hunter2=--", "--mysql-password=hunter2"),
        ("run", "--hunter2=--"),
    ],
    ids=str,
)
def test_what_may_be_a_password_is_not_repeated(argv: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(argv, {})
    assert "hunter2" not in str(raised.value)
    assert str(raised.value).isprintable()
