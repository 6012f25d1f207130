"""telemon's side of a pair: one engine process, driven as a race drives it."""

from __future__ import annotations

import select
import time

from benchmarks.measured import Measured
from engines.endpoint import LaneEndpoints
from engines.engine import Engine
from engines.frame import Work
from engines.interval import Schedule
from engines.message import Go, Role, Spec

WARMUP_S = 0.5
BATCH_ROWS = 100


def measure(
    endpoints: LaneEndpoints, role: Role, connections: int, seconds: float, preset: str = "fair"
) -> Measured:
    """Race one engine process for `seconds` after a warm-up; rows per second and p50 of an operation."""
    engine = Engine(endpoints.lane, role, 0)
    try:
        engine.assign(
            Spec(
                lane=endpoints.lane,
                role=role,
                process=0,
                processes=1,
                connections=connections,
                preset=preset,
                seed=1,
                batch=BATCH_ROWS,
                ttl_s=3600.0,
                endpoints=endpoints,
            )
        )
        _wait(engine, lambda: engine.ready, 10)
        start_ns = time.perf_counter_ns() + 50_000_000
        measure_from_ns = start_ns + int(WARMUP_S * 1e9)
        stop_ns = measure_from_ns + int(seconds * 1e9)
        engine.channel.send(Go(Schedule(start_ns, measure_from_ns, stop_ns, 250_000_000)))
        _wait(engine, lambda: engine.over, WARMUP_S + seconds + 10)
        works = [delta.measured.work for delta in engine.deltas]
        total = Work.merged(works, seconds)
        if not total.rows or total.errors:
            raise SystemExit(
                f"{engine.name} did not race: {dict(total.errors)} {engine.died or ''}"
            )
        return Measured(total.rows / seconds, total.service.percentile_us(50))
    finally:
        engine.close()


def _wait(engine: Engine, done: object, timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    assert callable(done)
    while not done():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or engine.over:
            raise SystemExit(f"{engine.name} does not answer ({engine.died or engine.not_ready})")
        select.select([engine.channel.fileno()], [], [], left_s)
        engine.receive()
