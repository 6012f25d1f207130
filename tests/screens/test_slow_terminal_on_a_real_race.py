"""A terminal that takes in next to nothing, and a race on real servers that must not notice."""

from __future__ import annotations

import json

from engines.model.lanes import LANES
from tests.support.pty import OnPty

RATE_PER_S, DURATION_S = 100, 3


def test_what_is_due_is_done_behind_a_slow_terminal() -> None:
    """Due times come from a clock: were the engines, or their count, to wait for the screen, some would be missing."""
    with OnPty(
        "--races", "screen", "--duration", str(DURATION_S), "--rate", str(RATE_PER_S), "--batch", "10",
        size=(160, 48), rate_bytes_per_s=20_000, module="tests.support.pty_race",
    ) as screen:  # fmt: skip
        code, told = screen.result(60)
    assert code == 0, screen.received[-2000:].decode(errors="replace")
    result = json.loads(told)
    # The terminal was too slow for all of its frames.
    assert result["shown"] < result["frames"]
    due = {
        (lane, role): result["lanes"][lane][role]["due"]
        for lane in LANES
        for role in ("write", "read")
    }
    expected = RATE_PER_S * DURATION_S
    assert {
        key: value for key, value in due.items() if abs(value - expected) > expected / 100
    } == {}
