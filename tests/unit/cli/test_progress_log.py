"""What is told on stderr of a race's events."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from engines.metrics.frame import Event, Frame
from engines.model.connecting import LaneConnecting
from tests.support.frames import frame
from tui.cli.progress_log import CONNECTING_EVERY_S, MAX_EVENTS, EventThrottle, StartLog, event_line


def eventful(seq: int, *texts: str, lane: str | None = "mysql") -> Frame:
    """A frame that ends `seq` + 1 seconds after the race began."""
    return replace(frame(seq, seq + 1.0), events=tuple(Event(0.0, lane, text) for text in texts))


def test_what_servers_say_cannot_break_a_line_or_steer_a_terminal() -> None:
    event = Event(0.0, "mysql", "lost: \x1b[2Jgone\nmysql: racing")
    assert event_line(event) == "mysql: lost: \\x1b[2Jgone\\nmysql: racing"
    assert event_line(Event(0.0, None, "paused")) == "paused"


def test_states_are_told_only_where_no_line_shows_them() -> None:
    events = eventful(0, "warming", "reconnecting: refused", "racing", "done")
    assert list(EventThrottle(states=False).lines(events)) == ["mysql: reconnecting: refused"]
    assert len(list(EventThrottle(states=True).lines(events))) == 4


def test_a_lane_in_trouble_does_not_drown_the_others_and_what_was_not_told_is_counted() -> None:
    narration = EventThrottle(states=False)
    told = [
        line
        for second in range(9)
        for line in narration.lines(eventful(second, "racing again", f"reconnecting: {second}"))
    ]
    assert len(told) == MAX_EVENTS
    assert told[:2] == ["mysql: racing again", "mysql: reconnecting: 0"]
    other = list(narration.lines(eventful(9, "engine cached/read/0 died", lane="cached")))
    assert other == ["cached: engine cached/read/0 died"]
    # 18 events came, and the tenth second is the last of the window.
    later = list(narration.lines(eventful(10, "racing again")))
    assert later == ["mysql: 13 more events of this kind or another", "mysql: racing again"]
    assert list(narration.rest()) == []


def test_connections_are_told_now_and_then_and_their_end_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    lines: list[str] = []
    log = StartLog(lines.append)
    log("connecting the lanes")
    for opened in range(0, 1024, 64):
        log(LaneConnecting("mysql", opened, 1024, "db:3306"))
        log(LaneConnecting("durable", opened, 3072, "cache:6379"))
        now_s += CONNECTING_EVERY_S / 4
    log(LaneConnecting("mysql", 1024, 1024))
    log("measuring telemon's own share")
    of_mysql = [line for line in lines if line.startswith("lane mysql")]
    assert of_mysql == [
        *(
            f"lane mysql: {opened} of 1,024 connected, waiting for db:3306"
            for opened in (0, 256, 512, 768)
        ),
        "lane mysql: 1,024 of 1,024 connected",
    ]
    assert len([line for line in lines if line.startswith("lane durable")]) == 4
    assert (lines[0], lines[-1]) == ("connecting the lanes", "measuring telemon's own share")
