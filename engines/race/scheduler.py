"""The times at which the lanes of a race start."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from engines.config import race_config as config
from engines.ipc.schedule import Schedule
from engines.model.controls import Release
from engines.model.heats import Heat, heat_order
from engines.race.lane_runner import LaneRunner, ns_from_now

START_DELAY_S = 0.05
"""Time from sending a schedule to the first operation. With less, an engine process may read its schedule too late."""


class LaneScheduler:
    """The scheduler that starts all lanes at once, each lane when it is released (`hold`), or one by one in heats.

    It decides when a lane starts. Where a lane is, only its `LaneRunner` knows. `note` receives events of a lane.
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
        """True while the first heat waits for a release."""
        self._early: list[Release] = []
        """Releases that came before the lanes were warm."""
        self._order = heat_order(settings.lanes, settings.rounds if settings.heats else 0)
        self._heats = deque(self._order)
        self._heat: Heat | None = None
        self._open_from_ns = 0
        """End of the warm-up, before which no held lane starts."""
        self._stopped = False
        self._measured_from_ns: int | None = None
        """Start of the measured time, None until it is known."""

    def go(self, interval_s: float) -> Schedule:
        """Send every engine process the schedule of the race, and return it.

        In heats each heat has its own warm-up, and no lane does anything before its first heat: the lanes would slow
        each other down and warm the cache.
        """
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
            lane.start_run(schedule, held=self._held)
        if not self._held:
            self._measured_from_ns = measure_from_ns
        return schedule

    def release(self, control: Release) -> None:
        """Start the held lanes that `control` names (all if it names none) `START_DELAY_S` from now.

        They start at the same time, each for the whole duration. During the warm-up the release is only recorded, and
        `advance` starts the lanes after it. In heats the first release, whatever lane it names, lets `advance` start
        the first heat. Does not block.
        """
        self._heats_wait = False
        if self._settings.heats:
            return
        if ns_from_now(0) < self._open_from_ns:
            self._early.append(control)
            return
        at_ns = ns_from_now(START_DELAY_S)
        for name, lane in self._lanes.items():
            if lane.held and not self._stopped and control.lane in (None, name):
                lane.release(at_ns)
                if self._measured_from_ns is None:
                    self._measured_from_ns = at_ns

    def advance(self, now_ns: int) -> None:
        """Start what is due: lanes that were released while they warmed up, and the next heat.

        A heat starts after the one before is finished and frames show all of it.
        """
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
            lane.end_heat()
            self._heat = None
        if self._heats:
            self._heat = heat = self._heats.popleft()
            at_ns = ns_from_now(START_DELAY_S)
            self._measured_from_ns = at_ns + int(self._settings.warmup_s * 1e9)
            number = len(self._order) - len(self._heats)
            self._note(heat.lane, f"heat {number} of {len(self._order)}: on its own")
            self._lanes[heat.lane].start_heat(
                heat.round, at_ns, self._measured_from_ns, final=heat.final
            )

    def stop(self) -> None:
        """End every lane, and start none after that."""
        self._stopped = True
        for lane in self._lanes.values():
            lane.stop()

    def elapsed_s(self, now_ns: int) -> float:
        """Return the measured time of the race, or of the current heat, at `now_ns`, in seconds."""
        from_ns = self._measured_from_ns
        return 0.0 if from_ns is None else max(0.0, (now_ns - from_ns) / 1e9)
