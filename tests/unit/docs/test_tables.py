"""The tables in the documentation against those in the code."""

from __future__ import annotations

import re

from docs.tables import ERRORS, OPTIONS, README, errors_page, options_table, readme
from engines.config.settings import SETTINGS
from engines.wire.error_kinds import ERROR_KINDS
from tui.actions.catalog import ACTIONS

TEXT = README.read_text(encoding="utf-8")


def test_the_options_of_the_readme_are_those_of_the_settings() -> None:
    (found,) = OPTIONS.findall(TEXT)
    assert found == options_table()
    assert readme(TEXT) == TEXT
    assert set(re.findall(r"^\| `(--[a-z-]+) ", found, re.MULTILINE)) == {
        setting.flag for setting in SETTINGS if setting.flag
    }


def test_every_kind_of_error_is_explained() -> None:
    assert ERRORS.read_text(encoding="utf-8") == errors_page()
    for known in ERROR_KINDS.values():
        assert known.meaning
        assert known.next_step


def test_the_readme_shows_the_first_key_of_every_action() -> None:
    (keys,) = re.findall(
        r"^\| keys \| do \|\n\|---\|---\|\n(.*?)\n\n", TEXT, re.MULTILINE | re.DOTALL
    )
    shown = [
        key
        for line in keys.splitlines()
        for key in re.findall(r"`([^`]+)`", line.split(" | ")[0].replace("\\|", "|"))
    ]
    assert len(shown) == len(set(shown))
    # Enter is explained with --hold; the palette is Textual's own.
    assert {*shown, "enter"} == {action.shown_key for action in ACTIONS} | {"^p"}


def test_a_setting_is_live_if_a_key_changes_it() -> None:
    changed = {action.id.rpartition("_")[2] for action in ACTIONS if action.group == "load"}
    assert changed == {setting.key for setting in SETTINGS if setting.live}
