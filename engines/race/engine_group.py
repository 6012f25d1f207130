"""The engine processes of all lanes of a race: their start, their messages, their end."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import ceil

from engines.config import race_config as config
from engines.driver.blocking_jobs import JOBS_AT_ONCE
from engines.errors import RaceError, doctor_hint
from engines.ipc.messages import MeasureOverhead, OpenProgress, ServerSharing
from engines.model.caveats import SharedServer
from engines.model.connecting import LaneConnecting
from engines.model.lanes import Product
from engines.model.roles import Role
from engines.provisioning.seed import SEED_VERSION
from engines.race.control_queue import ControlQueue
from engines.race.engine_process import EngineProcess
from engines.race.lane_runner import LaneRunner
from engines.race.null_server import NullServer
from engines.race.servers import RaceServers
from engines.results.death_text import announce_death, death_step

READY_TIMEOUT_S = 15.0
"""Time in which an engine process must open at least one more of its connections. Less ends a race whose servers are
slow to accept."""

READY_ROUND_S = 4.0
"""Time by which as many connections of an engine process as are opened at once extend the total for all of them. TLS
and sign-in take it where a round trip takes 0.4 s. With more, servers that drip their answers are given up later."""

QUIET_S = 1.0
"""Seconds before anything is told. A start on servers that are near is over by then."""

TELL_EVERY_S = 0.5
"""Minimum time in seconds between two reports on a lane."""

OVERHEAD_TIMEOUT_S = 2.0
"""Time in which an engine process must measure its client overhead. It needs 0.1 s; less leaves the figure out."""

AWAY_NS = 1_000_000_000
"""If `listen` was not called for this long, the consumer of frames or this process was suspended. The hang timeout of
engine processes restarts then."""


class OpeningWatch:
    """Watches how an engine process opens its connections, from its creation on."""

    def __init__(self) -> None:
        self._began_s = self._progressed_s = time.monotonic()
        self._opened = 0

    def late(self, progress: OpenProgress | None) -> str | None:
        """Return in words that the process takes too long, None if it does not."""
        now_s = time.monotonic()
        opened, wanted = (progress.opened, progress.wanted) if progress is not None else (0, 0)
        if opened > self._opened:
            self._opened, self._progressed_s = opened, now_s
        limit_s = READY_TIMEOUT_S + ceil(wanted / JOBS_AT_ONCE) * READY_ROUND_S
        if now_s - self._began_s <= limit_s and now_s - self._progressed_s <= READY_TIMEOUT_S:
            return None
        count = f"{opened:,} of {wanted:,} connections" if wanted else "no connection"
        return f"{count} opened in {now_s - self._began_s:.0f} s"


class ConnectProgress:
    """Passes how far each lane is to `tell`, as often as a reader can follow."""

    def __init__(self, tell: Callable[[LaneConnecting], None]) -> None:
        self._tell = tell
        self._began_s = time.monotonic()
        self._told: dict[str, tuple[LaneConnecting, float]] = {}
        """By lane, what was told last, and when (monotonic clock)."""

    def note(self, lane: str, engines: Iterable[OpenProgress | None]) -> None:
        """Tell how far the engine processes of `lane` are, if that has changed and each of them has said it."""
        known = []
        for each in engines:
            if each is None:
                return
            known.append(each)
        step = LaneConnecting(
            lane,
            sum(each.opened for each in known),
            sum(each.wanted for each in known),
            next((each.waiting_for for each in known if each.waiting_for), ""),
        )
        now_s = time.monotonic()
        last, told_s = self._told.get(lane, (None, float("-inf")))
        if step == last or (last is None and (step.complete or now_s - self._began_s < QUIET_S)):
            return
        if step.complete or now_s - told_s >= TELL_EVERY_S:
            self._told[lane] = (step, now_s)
            self._tell(step)


class EngineGroup:
    """All engine processes of a race, by lane.

    `note` receives the events of a lane for the event log. `inbox` interrupts `listen`.
    """

    def __init__(
        self, settings: config.RaceConfig, note: Callable[[str, str], None], inbox: ControlQueue
    ) -> None:
        self._inbox = inbox
        self.lanes = {
            lane: LaneRunner(lane, settings, partial(note, lane)) for lane in settings.lanes
        }
        self._listened_ns = 0
        """Time of the last `listen`."""
        self.listening_since_ns = 0
        """Time since which `listen` has been called without a break."""

    @property
    def engines(self) -> list[EngineProcess]:
        """Return the engine processes of all lanes."""
        return [engine for lane in self.lanes.values() for engine in lane.engines]

    def processes(self, role: Role) -> int:
        """Return the number of processes that each lane has for a role."""
        return max(len(lane.of(role)) for lane in self.lanes.values())

    def start(self) -> None:
        """Start the processes; `close` ends those that were started, also when this raises OSError."""
        for lane in self.lanes.values():
            lane.start()

    def close(self) -> None:
        """End the processes."""
        for lane in self.lanes.values():
            lane.close()

    def assign(
        self, servers: RaceServers, rate_per_s: float | None, *, keep_versions: bool
    ) -> None:
        """Send every engine process its share of the work."""
        first_version = SEED_VERSION + 1
        if len(servers.private) < len(self.lanes):
            # Rows of former races are still there, with versions that this race's must be above: microseconds since
            # the epoch grow faster than any race numbers rows. All lanes alike, so that they write the same.
            first_version = int(time.time() * 1e6)
        shared = [each for each in servers.environment.caveats if isinstance(each, SharedServer)]
        for name, lane in self.lanes.items():
            lane.assign(
                servers.endpoints[name],
                rate_per_s,
                first_version,
                keep_versions=keep_versions,
                private=name in servers.private,
                sharing=ServerSharing(
                    self._sharing(name, "mysql", shared), self._sharing(name, "redis", shared)
                ),
            )

    def _sharing(self, lane: str, product: Product, shared: Sequence[SharedServer]) -> int:
        """Return how many engine processes of all lanes connect to a lane's server of `product`, at least 1."""
        lanes = {lane}
        for found in shared:
            if lane in found.lanes and found.product.lower() == product:
                lanes.update(found.lanes)
        return max(1, sum(self.lanes[each].connecting(product) for each in lanes))

    def await_ready(
        self, check: Callable[[], None], tell: Callable[[LaneConnecting], None] = lambda _: None
    ) -> None:
        """Block until every connection is open or the race is to stop. Raises RaceError if one cannot be opened.

        An engine process that opens connections has a total time that grows with their number; one that opens none for
        `READY_TIMEOUT_S` is not waited for any longer. `check` is called several times a second, and raises RaceError
        if waiting is of no use. `tell` hears how far the lanes are, if that takes more than a moment.
        """
        opening = {engine.name: OpeningWatch() for engine in self.engines}
        progress = ConnectProgress(tell)
        while not self._inbox.stop_requested:
            self.listen(0.2)
            check()
            dead = next((engine.death for engine in self.engines if engine.death), None)
            if dead is not None:
                raise RaceError(
                    f"before the race began, {announce_death(dead)}; {death_step(dead)}"
                )
            for name, lane in self.lanes.items():
                progress.note(name, (engine.open_progress for engine in lane.engines))
            waiting = [engine for engine in self.engines if not engine.ready]
            if not waiting:
                return
            for engine in waiting:
                late = opening[engine.name].late(engine.open_progress)
                if late is None:
                    continue
                why = f"its connections do not stand ({late})"
                if engine.not_ready is not None:
                    why = f"{engine.not_ready.address}: {engine.not_ready.reason} ({late})"
                step = doctor_hint(self.lanes[engine.lane].private)
                raise RaceError(f"lane {engine.lane} cannot connect: {why}{step}")

    def overheads_us(self) -> dict[str, dict[str, float]]:
        """Return the client overhead per operation by lane and role, in microseconds.

        The engine processes measure one after the other, because they would disturb each other. Blocks for about 0.1 s
        each. Raises OSError if the null server cannot start.
        """
        overheads_us: dict[str, dict[str, float]] = {lane: {} for lane in self.lanes}
        with NullServer() as server:
            for engine in self.engines:
                if engine.role in overheads_us[engine.lane]:
                    continue  # Another process of this role has measured it.
                engine.channel.send(MeasureOverhead(server.mysql_port, server.redis_port))
                deadline_s = time.monotonic() + OVERHEAD_TIMEOUT_S
                while (
                    engine.overhead_us is None and not engine.over and time.monotonic() < deadline_s
                ):
                    self.listen(0.1)
                if engine.overhead_us:
                    overheads_us[engine.lane][engine.role] = engine.overhead_us
        return overheads_us

    def tell(self, message: object) -> None:
        """Send a message to every engine process that is not over."""
        for lane in self.lanes.values():
            lane.tell(message)

    def listen(self, timeout_s: float) -> None:
        """Receive messages of engine processes. Blocks until one comes or `inbox` wakes, at most `timeout_s`."""
        channels = {
            engine.channel.fileno(): engine for engine in self.engines if not engine.channel.closed
        }
        wakeup = self._inbox.fileno()
        readable, _, _ = select.select([wakeup, *channels], [], [], max(0.0, timeout_s))
        if wakeup in readable:
            self._inbox.clear_wakeup()
        for descriptor, engine in channels.items():
            if descriptor in readable:
                engine.receive()
            engine.channel.flush()
        now_ns = time.perf_counter_ns()
        if now_ns > self._listened_ns + int(timeout_s * 1e9) + AWAY_NS:
            self.listening_since_ns = now_ns
        self._listened_ns = now_ns
