"""The options of each command, as users and their scripts know them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tui.cli.parser import parser

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
