"""Turns a stream of frames into views: windows, totals, trails and standings."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from engines.metrics.frame import Event, Frame
from tui.view.axis import Axes
from tui.view.host_load import HostLoad
from tui.view.lane_history import LaneHistory
from tui.view.ranking import Rank, rank_lanes
from tui.view.view import CurrentHeat, LaneView, View

WINDOWS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The windows to choose from."""

DEFAULT_WINDOW_S = 5.0

EVENTS = 200
"""How many events are kept."""

AXIS_POINTS = 96
"""How many points the axes take in until somebody says how many are on show: those of a chart of 48 cells."""


class ViewBuilder:
    """Everything that was measured so far, as far as the screen needs it. Not for several threads at once.

    In `heats` each lane is known by its own last heat, and its standing is that among the others' last ones.
    """

    def __init__(self, window_s: float = DEFAULT_WINDOW_S, *, heats: bool = False) -> None:
        self._lanes: dict[str, LaneHistory] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._frame: Frame | None = None
        self._axes = Axes()
        self._points = AXIS_POINTS
        self._window_s = window_s
        self._heats = heats
        self._current_heat: CurrentHeat | None = None
        self._reset_s: float | None = None

    @property
    def window_s(self) -> float:
        return self._window_s

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        self._frame = frame
        bound: list[Event] = []
        for lane in frame.lanes:
            if lane.lane not in self._lanes:
                self._lanes[lane.lane] = LaneHistory(lane.lane, self._window_s, heats=self._heats)
            if self._lanes[lane.lane].add(frame.at_monotonic_s, lane):
                text = f"client-bound: {lane.client.bound_by}"
                bound.append(Event(frame.at_utc_s, lane.lane, text))
            if lane.heat and (lane.write.interval_s > 0 or lane.read.interval_s > 0):
                self._current_heat = CurrentHeat(lane.heat, lane.lane)
        self._events.extend((*frame.events, *bound))

    def note(self, event: Event) -> None:
        """Put an event of the screen itself into the log."""
        self._events.append(event)

    def resize(self, window_s: float) -> None:
        """Use another window for percentiles and standings from now on."""
        self._window_s = window_s
        for lane in self._lanes.values():
            for window in lane.windows.values():
                window.resize(window_s)

    def set_visible_points(self, points: int) -> None:
        """Fit the axes to so many points from now on: what is on show, no more and no less."""
        self._points = points

    def reset(self) -> None:
        """Count from zero. The charts keep their past: it is still true."""
        for lane in self._lanes.values():
            lane.forget()
        if self._frame is not None and not self._heats:
            # In heats every heat counts from zero anyway.
            self._reset_s = self._frame.elapsed_s or None

    def view(self, host: HostLoad | None = None) -> View | None:
        """The picture after the last frame; None before the first."""
        if self._frame is None:
            return None
        lanes = [lane.view(self._points) for lane in self._lanes.values()]
        ranked = _ranks(lanes)
        return View(
            seq=self._frame.seq,
            elapsed_s=self._frame.elapsed_s,
            window_s=self._window_s,
            lanes=tuple(_with_ranks(lane, ranked) for lane in lanes),
            axis=self._axes.fit([lane.points for lane in lanes], self._points),
            current_heat=self._current_heat,
            reset_s=self._reset_s,
            events=tuple(self._events),
            host=host,
        )


def _ranks(lanes: list[LaneView]) -> Mapping[str, Mapping[str, Rank]]:
    writes = {v.lane: v.write.window_rows_per_s if v.comparable else None for v in lanes}
    reads = {v.lane: v.read.window_rows_per_s if v.comparable else None for v in lanes}
    p99s_us = {v.lane: v.read.ranking_p99_us if v.comparable else None for v in lanes}
    return {
        "write": rank_lanes(writes, higher_wins=True),
        "read": rank_lanes(reads, higher_wins=True),
        "p99": rank_lanes(p99s_us, higher_wins=False),
    }


def _with_ranks(lane: LaneView, ranked: Mapping[str, Mapping[str, Rank]]) -> LaneView:
    return replace(lane, ranks={metric: by[lane.lane] for metric, by in ranked.items()})
