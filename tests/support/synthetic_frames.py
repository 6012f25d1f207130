"""Frames as a race on one machine would give them, from a seed and without a server or a clock."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneFrame, LaneState
from engines.metrics.histogram import Histogram, LatencyDistribution
from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.model.controls import Control
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.source import ProgressCallback

STARTED_UTC_S = 1_767_225_600.0

ENTRANTS = (
    LaneInfo(
        "mysql", "MySQL", "write to MySQL, read from MySQL", "MariaDB", "10.11.14",
        "flushed to disk at each commit",
    ),
    LaneInfo(
        "cached", "MySQL + cache", "write to MySQL, read through a lazy Redis cache",
        "MariaDB + Redis as a cache",
        "10.11.14 + 7.0.15", "flushed to disk at each commit",
    ),
    LaneInfo(
        "durable", "Durable Redis", "a durable Redis Cluster is the system of record",
        "Redis Cluster of 3, stand-in for MemoryDB", "7.0.15",
        "append-only file, fsync always",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A lane's mean pace: batches and reads per second, and the median latencies of both in us."""

    batches_per_s: float
    reads_per_s: float
    write_us: float
    read_us: float
    hits: float | None


PROFILES = {
    "mysql": Profile(92, 18_400, 10_300, 210, None),
    "cached": Profile(88, 41_000, 10_900, 96, 0.993),
    "durable": Profile(740, 58_000, 1_310, 66, 0.9996),
}


def latencies(
    random: random.Random, count: int, median_us: float, sample: int = 400
) -> LatencyDistribution:
    """`count` lognormal latencies around `median_us`, drawn as at most `sample` different ones."""
    histogram = Histogram()
    drawn = min(count, sample)
    for _ in range(drawn):
        histogram.record(int(median_us * 1000 * math.exp(random.gauss(0, 0.35))))
    taken = histogram.take()
    if not drawn or drawn == count:
        return taken
    factor = count // drawn
    return LatencyDistribution(
        buckets=tuple((index, n * factor) for index, n in taken.buckets),
        count=taken.count * factor,
        sum_ns=taken.sum_ns * factor,
        min_ns=taken.min_ns,
        max_ns=taken.max_ns,
    )


def lane_frame(
    random: random.Random, lane: str, at_s: float, interval_s: float, state: LaneState
) -> LaneFrame:
    """One lane in one interval, its pace swinging slowly around its profile."""
    profile = PROFILES[lane]
    swing = 1 + 0.12 * math.sin(at_s / 3 + len(lane)) + random.gauss(0, 0.04)
    batches = max(0, round(profile.batches_per_s * swing * interval_s))
    reads = max(0, round(profile.reads_per_s * swing * interval_s))
    cache = CacheStats()
    if profile.hits is not None:
        misses = sum(random.random() > profile.hits for _ in range(min(reads, 2_000)))
        misses = misses * reads // max(1, min(reads, 2_000))
        filled = misses if lane == "cached" else 0
        cache = CacheStats(reads - misses, misses, filled, filled // 9)
    return LaneFrame(
        lane=lane,
        state=state,
        write=RoleStats(
            operations=batches,
            rows=batches * 100,
            service=latencies(random, batches, profile.write_us / swing),
            interval_s=interval_s,
        ),
        read=RoleStats(
            operations=reads,
            rows=reads,
            service=latencies(random, reads, profile.read_us / swing),
            interval_s=interval_s,
        ),
        cache=cache,
        client=ClientStats(
            cpu_share={"mysql": 0.31, "cached": 0.52, "durable": 0.88}[lane],
            loop_lag=latencies(random, 50, 90),
        ),
    )


@cache
def usual() -> tuple[Frame, ...]:
    """Sixty frames, made once."""
    return tuple(frames(60))


def frames(
    count: int = 60,
    *,
    seed: int = 7,
    interval_s: float = 0.25,
    warmup: int = 4,
    lanes: tuple[str, ...] = ("mysql", "cached", "durable"),
) -> Iterator[Frame]:
    """`count` frames of `interval_s`, the first `warmup` of them warm-up; the same for the same arguments."""
    source = random.Random(seed)
    for seq in range(count):
        at_s = (seq + 1) * interval_s
        racing = seq >= warmup
        events: tuple[Event, ...] = ()
        if seq == warmup:
            events = (Event(STARTED_UTC_S + at_s, None, "the race is on"),)
        yield Frame(
            seq=seq,
            at_utc_s=STARTED_UTC_S + at_s,
            at_monotonic_s=1000 + at_s,
            interval_s=interval_s,
            elapsed_s=(seq + 1 - warmup) * interval_s if racing else 0.0,
            lanes=tuple(
                lane_frame(
                    source, lane, at_s, interval_s,
                    LaneState.RACING if racing else LaneState.WARMING,
                )
                for lane in lanes
            ),
            events=events,
        )  # fmt: skip


class SyntheticSource:
    """A source of given frames, one each `interval_s` of real time (0: as fast as they are taken)."""

    def __init__(
        self,
        given: Iterator[Frame] | list[Frame],
        *,
        interval_s: float = 0.0,
        steps: tuple[str, ...] = (),
        step_s: float = 0.0,
        linger: bool = True,
        ahead: int = 0,
        lane_infos: tuple[LaneInfo, ...] = ENTRANTS,
    ) -> None:
        self._given = given
        self._interval_s = interval_s
        self._narrate: ProgressCallback = lambda _: None
        self._steps = steps
        self._step_s = step_s
        self._linger = linger
        self._ahead = ahead
        self._stopped = threading.Event()
        self._entrants = lane_infos
        self.sent: list[Control] = []
        self.entered = False
        self.exited = False

    def told(self, on_progress: ProgressCallback) -> Self:
        """The same source, telling `narrate` how its start goes."""
        self._narrate = on_progress
        return self

    @property
    def lane_infos(self) -> tuple[LaneInfo, ...]:
        return self._entrants

    @property
    def environment(self) -> RaceEnvironment:
        return RaceEnvironment()

    @property
    def closing_counts(self) -> ClosingCounts:
        return ClosingCounts()

    def __enter__(self) -> Self:
        self.entered = True
        for step in self._steps:
            self._narrate(step)
            time.sleep(self._step_s)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.exited = True

    def frames(self) -> Iterator[Frame]:
        """The given frames; with `linger` the last one is followed by a wait for `stop`."""
        for position, frame in enumerate(self._given):
            # The first `ahead` frames come all at once, as a past.
            if self._stopped.wait(0 if position < self._ahead else self._interval_s):
                return
            yield frame
        if self._linger:
            self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()

    def send(self, control: Control) -> None:
        self.sent.append(control)
