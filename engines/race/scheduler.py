"""When the lanes of a race go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from engines.config import race_config as config
from engines.ipc.messages import StartRun
from engines.ipc.schedule import Schedule
from engines.model.controls import Release
from engines.model.heats import Heat, heat_order
from engines.race.lane_runner import LaneRunner, ns_from_now

START_DELAY_S = 0.05
"""From the word go to the first operation: every engine has read its schedule by then."""


class LaneScheduler:
    """Lets the lanes go: all at once; with `hold`, warm, each when it is released; or one after the other, in heats.

    `note` takes what happens to a lane, for the event log.
    """

    def __init__(
        self,
        settings: config.RaceConfig,
        lanes: Mapping[str, LaneRunner],
        note: Callable[[str, str], None],
        *,
        hold: bool,
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._note = note
        self._held = hold or settings.heats
        self._heats_wait = hold
        """Whether the first heat waits for a release too."""
        self._early: list[Release] = []
        """What was released before it was warm."""
        self._order = heat_order(settings.lanes, settings.rounds if settings.heats else 0)
        self._heats = deque(self._order)
        self._heat: Heat | None = None
        self._open_from_ns = 0
        """When a lane that is held may go first: it is warm then."""
        self._stopped = False
        self._measured_from_ns: int | None = None
        """From when the race clock runs, once that is known."""

    def go(self, interval_s: float) -> Schedule:
        """Tell every engine when the race begins, and with it the warm-up. Heats have one each: before the first
        nobody does anything, or the lanes would slow each other and find a cache that is cold no more."""
        start_ns = ns_from_now(START_DELAY_S)
        warmup_s = 0.0 if self._settings.heats else self._settings.warmup_s
        measure_from_ns = self._open_from_ns = start_ns + int(warmup_s * 1e9)
        duration_s = self._settings.duration_s
        open_end = duration_s is None or self._held
        schedule = Schedule(
            start_ns=start_ns,
            measure_from_ns=measure_from_ns,
            stop_ns=None if open_end else measure_from_ns + int((duration_s or 0.0) * 1e9),
            interval_ns=int(interval_s * 1e9),
        )
        for lane in self._lanes.values():
            lane.held = self._held
            lane.measure_from_ns = measure_from_ns
            lane.stop_ns = schedule.stop_ns
            lane.tell(StartRun(schedule, self._held))
        if not self._held:
            self._measured_from_ns = measure_from_ns
        return schedule

    def release(self, control: Release) -> None:
        """Let lanes that are held go, all at the same moment, each for the whole duration, though none before it is
        warm; in heats, begin those."""
        self._heats_wait = False
        if self._settings.heats:
            return
        if ns_from_now(0) < self._open_from_ns:
            self._early.append(control)
            return
        at_ns = ns_from_now(START_DELAY_S)
        for name, lane in self._lanes.items():
            if lane.held and not self._stopped and control.lane in (None, name):
                lane.release(at_ns, at_ns)
                if self._measured_from_ns is None:
                    self._measured_from_ns = at_ns

    def advance(self, now_ns: int) -> None:
        """Let those go that were released while they warmed up; begin the next heat, once the one before is over and
        what it did is told."""
        if now_ns < self._open_from_ns:
            return
        early, self._early = self._early, []
        for control in early:
            self.release(control)
        if self._stopped or self._heats_wait:
            return
        if self._heat is not None:
            lane = self._lanes[self._heat.lane]
            if not lane.heat_finished:
                return
            lane.held = not self._heat.final
            self._heat = None
        if self._heats:
            self._heat = heat = self._heats.popleft()
            lane = self._lanes[heat.lane]
            lane.heat = heat.round
            at_ns = ns_from_now(START_DELAY_S)
            self._measured_from_ns = at_ns + int(self._settings.warmup_s * 1e9)
            number = len(self._order) - len(self._heats)
            self._note(heat.lane, f"heat {number} of {len(self._order)}: on its own")
            lane.release(at_ns, self._measured_from_ns, final=heat.final)

    def stop(self) -> None:
        """End every lane, wherever it is, and let none go any more."""
        self._stopped = True
        for lane in self._lanes.values():
            lane.stop()

    def elapsed_s(self, now_ns: int) -> float:
        """The measured time of the race, or of the heat that is on, at `now_ns`."""
        from_ns = self._measured_from_ns
        return 0.0 if from_ns is None else max(0.0, (now_ns - from_ns) / 1e9)
