"""Frames with a few operations of known length, and what a view makes of them."""

from __future__ import annotations

from engines.metrics.frame import Frame, LaneFrame
from engines.metrics.histogram import Histogram, LatencyDistribution
from engines.metrics.stats import RoleStats
from tui.view.history import ViewBuilder
from tui.view.view import LaneView, View

INTERVAL_S = 0.25


def times(us: float, count: int = 10) -> LatencyDistribution:
    histogram = Histogram()
    for _ in range(count):
        histogram.record(int(us * 1000))
    return histogram.take()


def work(us: float, *, response_us: float | None = None, rows: int = 10) -> RoleStats:
    """Ten operations, all alike."""
    response = None if response_us is None else times(response_us)
    return RoleStats(10, rows, times(us), response, interval_s=INTERVAL_S)


def frame(seq: int, *lanes: LaneFrame) -> Frame:
    at_s = 100 + (seq + 1) * INTERVAL_S
    return Frame(seq, at_s, at_s, INTERVAL_S, 1.0, lanes)


def shown(history: ViewBuilder) -> View:
    view = history.view()
    assert view is not None
    return view


def only(history: ViewBuilder) -> LaneView:
    (lane,) = shown(history).lanes
    return lane
