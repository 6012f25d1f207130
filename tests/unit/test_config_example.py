"""config.example.toml against the table of settings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engines.config import Race, load
from engines.setting import SETTINGS, Setting

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def commented() -> set[str]:
    """The keys without a default, which the example shows behind a #."""
    return set(re.findall(r"^#(\w+) = ", EXAMPLE.read_text(), re.MULTILINE))


def uncommented() -> str:
    return re.sub(r"^#(\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def flat(document: dict[str, object]) -> dict[str, object]:
    sandbox = document.pop("sandbox")
    assert isinstance(sandbox, dict)
    return {**document, **{f"sandbox.{key}": value for key, value in sandbox.items()}}


def test_it_loads_and_changes_nothing() -> None:
    assert load({}, {}, str(EXAMPLE)) == Race()


def test_every_key_is_in_it_once_and_those_with_a_default_hold_it() -> None:
    active = flat(tomllib.loads(EXAMPLE.read_text()))
    assert active.keys() == {s.key for s in SETTINGS if s.default is not None}
    for setting in SETTINGS:
        if setting.default is not None:
            assert setting.kind.read(active[setting.key]) == setting.default
    assert commented() == {s.key.rpartition(".")[2] for s in SETTINGS if s.default is None}
    assert flat(tomllib.loads(uncommented())).keys() == {s.key for s in SETTINGS}


def test_its_examples_of_values_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(uncommented())
    race = load({}, {}, str(file))
    assert {source for _, _, source in race.items()} == {str(file)}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_the_words_above_a_key_say_what_is_allowed(setting: Setting) -> None:
    name = setting.key.rpartition(".")[2]
    above = re.search(rf"((?:^# .*\n)+)#?{name} = ", EXAMPLE.read_text(), re.MULTILINE)
    assert above is not None
    words = " ".join(above[1].replace("\n#", " ").split())
    assert setting.kind.allowed in words
