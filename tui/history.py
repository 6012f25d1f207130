"""Turns a stream of frames into views: windows, totals, trails and standings."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from engines.frame import Cache, Event, Frame, LaneFrame, LaneState, Work
from tui.host import HostLoad
from tui.scale import Scale
from tui.sliding import SlidingWork
from tui.standings import Place, places
from tui.trail import Trail
from tui.view import Axis, LaneView, Point, RoleView, View

WINDOWS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The windows to choose from."""

DEFAULT_WINDOW_S = 5.0

EVENTS = 200
"""How many events are kept."""

AXIS_POINTS = 96
"""How many points the axes take in: what a chart of 48 cells shows."""

NO_RACE = (LaneState.STARTING, LaneState.WARMING)


@dataclass
class _RoleTotals:
    rows: int = 0
    operations: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, work: Work) -> None:
        self.rows += work.rows
        self.operations += work.operations
        for kind, count in work.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count


class _LaneHistory:
    def __init__(self, lane: str, window_s: float) -> None:
        self.frame = LaneFrame(lane, LaneState.STARTING)
        self.windows = {"write": SlidingWork(window_s), "read": SlidingWork(window_s)}
        self.totals = {"write": _RoleTotals(), "read": _RoleTotals()}
        self.trail = Trail()
        self.scales = (Scale(), Scale())
        self.cache = Cache()
        self.recent: deque[tuple[float, Cache]] = deque()
        self.redirects = 0
        self.reconnects = 0

    def add(self, at_s: float, frame: LaneFrame) -> None:
        if self.frame.state in NO_RACE and frame.state not in NO_RACE:
            # What came before was warm-up: shown while it lasted, counted nowhere.
            self.forget()
        self.frame = frame
        self.windows["write"].add(at_s, frame.write)
        self.windows["read"].add(at_s, frame.read)
        self.trail.add(at_s, frame)
        self.recent.append((at_s, frame.cache))
        while self.recent and self.recent[0][0] <= at_s - 1.0:
            self.recent.popleft()
        if frame.state in NO_RACE:
            return
        self.totals["write"].add(frame.write)
        self.totals["read"].add(frame.read)
        self.cache = Cache.merged((self.cache, frame.cache))
        self.redirects += frame.redirects
        self.reconnects += frame.reconnects

    def forget(self) -> None:
        for window in self.windows.values():
            window.clear()
        self.totals = {"write": _RoleTotals(), "read": _RoleTotals()}
        self.cache = Cache()
        self.recent.clear()
        self.redirects = self.reconnects = 0

    def role(self, role: str) -> RoleView:
        window, totals = self.windows[role], self.totals[role]
        p50_us, p99_us = window.percentiles_us(50, 99)
        return RoleView(
            rows_per_s=window.rate_over(1.0),
            window_rows_per_s=window.rows_per_s,
            operations_per_s=window.operations_per_s,
            p50_us=p50_us,
            p99_us=p99_us,
            rows=totals.rows,
            operations=totals.operations,
            failed=sum(totals.errors.values()),
            failing=window.failed,
            errors=dict(totals.errors),
        )

    def view(self) -> LaneView:
        client = self.frame.client
        points = self.trail.points
        return LaneView(
            lane=self.frame.lane,
            state=self.frame.state,
            write=self.role("write"),
            read=self.role("read"),
            cache=self.cache,
            hit_ratio=Cache.merged(cache for _, cache in self.recent).hit_ratio,
            redirects=self.redirects,
            reconnects=self.reconnects,
            cpu_share=client.cpu_share,
            loop_lag_p99_us=client.loop_lag.percentile_us(99),
            client_bound=client.client_bound,
            points=points,
            axis=_axis(self.scales, [points]),
        )


class History:
    """Everything that was measured so far, as far as the screen needs it. Not for several threads at once."""

    def __init__(self, window_s: float = DEFAULT_WINDOW_S) -> None:
        self._lanes: dict[str, _LaneHistory] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._frame: Frame | None = None
        self._scales = (Scale(), Scale())
        self._window_s = window_s

    @property
    def window_s(self) -> float:
        return self._window_s

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        self._frame = frame
        for lane in frame.lanes:
            if lane.lane not in self._lanes:
                self._lanes[lane.lane] = _LaneHistory(lane.lane, self._window_s)
            self._lanes[lane.lane].add(frame.at_monotonic_s, lane)
        self._events.extend(frame.events)

    def note(self, event: Event) -> None:
        """Put an event of the screen itself into the log."""
        self._events.append(event)

    def resize(self, window_s: float) -> None:
        """Use another window for percentiles and standings from now on."""
        self._window_s = window_s
        for lane in self._lanes.values():
            for window in lane.windows.values():
                window.resize(window_s)

    def reset(self) -> None:
        """Count from zero. The charts keep their past: it is still true."""
        for lane in self._lanes.values():
            lane.forget()

    def view(self, host: HostLoad | None = None) -> View | None:
        """The picture after the last frame; None before the first."""
        if self._frame is None:
            return None
        lanes = [lane.view() for lane in self._lanes.values()]
        ranked = _places(lanes)
        return View(
            seq=self._frame.seq,
            at_utc_s=self._frame.at_utc_s,
            elapsed_s=self._frame.elapsed_s,
            window_s=self._window_s,
            lanes=tuple(_placed(lane, ranked) for lane in lanes),
            axis=_axis(self._scales, [lane.points for lane in lanes]),
            events=tuple(self._events),
            host=host,
        )


def _axis(scales: tuple[Scale, Scale], trails: list[tuple[Point, ...]]) -> Axis:
    shown = [point for trail in trails for point in trail[-AXIS_POINTS:]]
    rate = max((max(p.write_rows_per_s, p.read_rows_per_s) for p in shown), default=0.0)
    p99 = max((max(p.write_p99_us or 0.0, p.read_p99_us or 0.0) for p in shown), default=0.0)
    return Axis(scales[0].fit(rate), scales[1].fit(p99))


def _places(lanes: list[LaneView]) -> Mapping[str, Mapping[str, Place]]:
    return {
        "write": places({v.lane: v.write.window_rows_per_s for v in lanes}, higher_wins=True),
        "read": places({v.lane: v.read.window_rows_per_s for v in lanes}, higher_wins=True),
        "p99": places({v.lane: v.read.p99_us for v in lanes}, higher_wins=False),
    }


def _placed(lane: LaneView, ranked: Mapping[str, Mapping[str, Place]]) -> LaneView:
    return replace(lane, places={metric: by[lane.lane] for metric, by in ranked.items()})
