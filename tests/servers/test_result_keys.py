"""The keys of `telemon run --format json` and `jsonl`, which programs of other people read.

`tests/golden/result_keys.json` was written from results of the version before the modules moved to rooms. A key may be
added there with the figure that it belongs to; a key that is renamed or removed breaks schema 1.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.servers.test_headless import ran
from tests.support.key_paths import key_paths

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "result_keys.json").read_text())

SHORT = ("run", "--warmup", "0.3", "--readers", "2", "--writers", "2", "--batch", "10")


def test_a_race_side_by_side_has_the_keys_of_schema_1_in_frames_and_result() -> None:
    code, out, err = ran(*SHORT, "--duration", "2s", "--format", "jsonl")
    assert code == 0, err
    *frames, result = [json.loads(line) for line in out.splitlines()]
    assert result.pop("type") == "result"
    assert result["schema"] == 1
    assert key_paths(result) == GOLDEN["result"]
    assert {frame["type"] for frame in frames} == {"frame"}
    assert sorted({path for frame in frames for path in key_paths(frame)}) == GOLDEN["frame"]


def test_heats_at_a_rate_have_the_keys_of_schema_1() -> None:
    code, out, err = ran(
        *SHORT,
        *("--duration", "1s", "--heats", "--rounds", "1"),
        *("--mode", "pace", "--rate", "100", "--format", "json"),
    )
    assert code == 0, err
    result = json.loads(out)
    assert result["schema"] == 1
    assert key_paths(result) == GOLDEN["result_of_heats_at_a_rate"]
