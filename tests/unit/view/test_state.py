"""The steps of a start."""

from __future__ import annotations

from engines.model.connecting import LaneConnecting
from tui.view.state import StartStep, with_step


def test_a_lane_has_one_line_for_its_connections_and_other_steps_stay() -> None:
    steps: tuple[StartStep, ...] = ()
    said: tuple[str | LaneConnecting, ...] = (
        "connecting the lanes",
        LaneConnecting("mysql", 1, 8),
        LaneConnecting("cached", 2, 8),
        LaneConnecting("mysql", 5, 8),
        "measuring",
    )
    for at_s, what in enumerate(said):
        steps = with_step(steps, StartStep(what, at_s))
    assert steps == (
        StartStep("connecting the lanes", 0),
        StartStep(LaneConnecting("mysql", 5, 8), 3),
        StartStep(LaneConnecting("cached", 2, 8), 2),
        StartStep("measuring", 4),
    )
