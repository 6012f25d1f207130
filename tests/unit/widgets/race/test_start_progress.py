"""The steps of a start on the screen."""

from __future__ import annotations

from textual.geometry import Size

from engines.model.connecting import LaneConnecting
from tui.view.state import ScreenState, StartState, StartStep
from tui.widgets.race.start_progress import StartProgress


def drawn(*steps: StartStep) -> list[str]:
    state = ScreenState(start=StartState(progress=steps, starting_s=9.0))
    lines = StartProgress().draw(state, Size(90, 20))
    return ["".join(text for text, _ in line).rstrip() for line in lines][3:]


def test_connections_stand_below_the_step_that_opens_them_until_all_are_open() -> None:
    lines = drawn(
        StartStep("looking at the servers", 0.5),
        StartStep("connecting the lanes", 1.0),
        StartStep(LaneConnecting("mysql", 1024, 1024), 4.0),
        StartStep(LaneConnecting("cached", 412, 1024, "db:3306"), 8.5),
    )
    assert [line.split()[0] for line in lines] == ["✓", "▸", "✓", "▸"]
    assert "lane cached: 412 of 1,024 connected, waiting for db:3306" in lines[3]
    assert [line.split()[-2] for line in lines] == ["0.5", "9.0", "4.0", "9.0"]


def test_the_next_step_ends_them() -> None:
    lines = drawn(
        StartStep("connecting the lanes", 1.0),
        StartStep(LaneConnecting("cached", 1023, 1024, "db:3306"), 8.5),
        StartStep("measuring telemon's own share", 8.7),
    )
    assert [line.split()[0] for line in lines] == ["✓", "✓", "▸"]


def test_a_server_s_name_cannot_steer_the_terminal() -> None:
    (line,) = drawn(StartStep(LaneConnecting("mysql", 0, 8, "db\x1b[2J:3306"), 1.0))
    assert "\x1b" not in line
