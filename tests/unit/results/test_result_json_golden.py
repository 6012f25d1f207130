"""JSON of fixed races, to the letter: keys, their order and every value of schema 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.results.result_json import frame_json, result_document
from tests.support.frozen_races import races, summary_of

GOLDEN = Path(__file__).parent / "golden"


def written(name: str) -> str:
    """Return the heats and lanes of a result, and every seventh frame, as indented JSON."""
    settings, frames = races()[name]
    result = result_document(summary_of(settings, frames))
    shown = {
        "heats": result["heats"],
        "lanes": result["lanes"],
        "frames": [frame_json(frame) for frame in frames[::7]],
    }
    return json.dumps(shown, indent=1) + "\n"


@pytest.mark.parametrize("name", races())
def test_the_json_of_a_fixed_race_stays_what_it_was(name: str) -> None:
    assert written(name) == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
