"""Build views from a stream of frames: windows, totals, chart series and ranks."""

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
"""Lengths of the sliding window in seconds that the user can choose from."""

DEFAULT_WINDOW_S = 5.0
"""Length of the sliding window in seconds at the start."""

EVENTS = 200
"""Maximum number of events kept; the oldest are dropped."""

AXIS_POINTS = 96
"""Number of points that axes fit until the screen says how many are visible: the points of a chart of 48 cells."""


class ViewBuilder:
    """Everything measured so far, as far as the screen needs it. Not thread-safe.

    With `heats`, each lane shows the numbers of its own last heat, and lanes are ranked by their last heats.
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
        """Return the length of the sliding window in seconds."""
        return self._window_s

    def add(self, frame: Frame) -> None:
        """Add the next frame."""
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
        """Append an event that the screen itself made to the event log."""
        self._events.append(event)

    def resize(self, window_s: float) -> None:
        """Use a sliding window of `window_s` seconds for percentiles and ranks from now on."""
        self._window_s = window_s
        for lane in self._lanes.values():
            for window in lane.windows.values():
                window.resize(window_s)

    def set_visible_points(self, points: int) -> None:
        """Fit the axes to the last `points` points from now on. Give the number of points on show."""
        self._points = points

    def reset(self) -> None:
        """Set all totals to zero. The charts keep their history, which is still true."""
        for lane in self._lanes.values():
            lane.forget()
        if self._frame is not None and not self._heats:
            # With heats, every heat counts from zero already.
            self._reset_s = self._frame.elapsed_s or None

    def view(self, host: HostLoad | None = None) -> View | None:
        """Return the view after the last frame; None before the first frame."""
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
    """Return the rank of each lane by metric ("write", "read", "p99") and lane id."""
    writes = {v.lane: v.write.window_rows_per_s if v.comparable else None for v in lanes}
    reads = {v.lane: v.read.window_rows_per_s if v.comparable else None for v in lanes}
    p99s_us = {v.lane: v.read.ranking_p99_us if v.comparable else None for v in lanes}
    return {
        "write": rank_lanes(writes, higher_wins=True),
        "read": rank_lanes(reads, higher_wins=True),
        "p99": rank_lanes(p99s_us, higher_wins=False),
    }


def _with_ranks(lane: LaneView, ranked: Mapping[str, Mapping[str, Rank]]) -> LaneView:
    """Return a copy of the lane's view with its ranks."""
    return replace(lane, ranks={metric: by[lane.lane] for metric, by in ranked.items()})
