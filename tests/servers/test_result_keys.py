"""The keys of schema 1, as they were when it was first published: programs read them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.servers.test_headless import ran
from tests.support.key_paths import key_paths

GOLDEN = Path(__file__).parents[1] / "golden" / "result_keys.json"

LOAD = (
    "--mode",
    "pace",
    "--rate",
    "100",
    "--heats",
    "--rounds",
    "1",
    "--warmup",
    "0.2",
    "--duration",
    "500ms",
)
"""Heats of an open loop: the load whose result has every key that there is."""


def test_a_result_and_its_frames_have_the_keys_of_schema_1() -> None:
    expected = json.loads(GOLDEN.read_text())
    code, out, err = ran("run", *LOAD, "--format", "jsonl")
    assert code == 0, err
    *frames, result = [json.loads(line) for line in out.splitlines()]
    assert result.pop("type") == "result"
    assert result["schema"] == 1
    assert sorted(set(key_paths(result))) == expected["result"]
    assert sorted({path for frame in frames for path in key_paths(frame)}) == expected["frame"]
