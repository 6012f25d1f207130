"""telemon's side of a pair: one engine process, driven as a race drives it."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass

import psutil

from benchmarks.measured import Measured
from engines.config.settings import LoadConfig
from engines.endpoints.endpoint import LaneEndpoints
from engines.ipc.messages import EngineSpec, StartRun
from engines.ipc.schedule import Schedule
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.merge import merge
from engines.metrics.stats import RoleStats
from engines.model.roles import Role
from engines.race.engine_process import EngineProcess

WARMUP_S = 0.5
BATCH_ROWS = 100


@dataclass(frozen=True, slots=True)
class Load:
    """One lane and role under `connections` connections, shared by `processes` engine processes."""

    endpoints: LaneEndpoints
    role: Role
    connections: int
    processes: int = 1
    preset: str = "fair"


@dataclass(frozen=True, slots=True)
class Reached:
    """What a load came to: rows written, or reads answered, with a row or without one, as a peer counts them. Memory is
    the largest engine process's."""

    per_s: float
    service: LatencyDistribution
    memory_bytes: int


def measure(
    endpoints: LaneEndpoints, role: Role, connections: int, seconds: float, preset: str = "fair"
) -> Measured:
    """Race one engine process for `seconds` after a warm-up; what it did per second and p50 of an operation."""
    reached = race(Load(endpoints, role, connections, preset=preset), seconds)
    return Measured(reached.per_s, reached.service.percentile_us(50))


def race(load: Load, seconds: float) -> Reached:
    """Drive a load for `seconds` after a warm-up, by engine processes as a race starts them."""
    lane = load.endpoints.lane
    engines = [EngineProcess(lane, load.role, process) for process in range(load.processes)]
    try:
        for process, engine in enumerate(engines):
            engine.assign(
                EngineSpec(
                    lane=lane,
                    role=load.role,
                    process=process,
                    processes=load.processes,
                    connections=load.connections // load.processes,
                    load=LoadConfig(preset=load.preset, seed=1, batch=BATCH_ROWS, ttl_s=3600.0),
                    endpoints=load.endpoints,
                )
            )
        for engine in engines:
            _wait(engine, lambda engine=engine: engine.ready, 30)
        start_ns = time.perf_counter_ns() + 50_000_000
        measure_from_ns = start_ns + int(WARMUP_S * 1e9)
        stop_ns = measure_from_ns + int(seconds * 1e9)
        for engine in engines:
            engine.channel.send(StartRun(Schedule(start_ns, measure_from_ns, stop_ns, 250_000_000)))
        time.sleep(WARMUP_S + seconds * 0.8)
        memory_bytes = max(psutil.Process(engine.pid).memory_info().rss for engine in engines)
        for engine in engines:
            _wait(engine, lambda engine=engine: engine.over, seconds + 10)
        total = merge(
            RoleStats,
            [report.measured.work for engine in engines for report in engine.reports],
            interval_s=seconds,
        )
        if not total.rows or total.errors:
            raise SystemExit(f"{lane}/{load.role} did not race: {dict(total.errors)}")
        done = total.operations if load.role == "read" else total.rows
        return Reached(done / seconds, total.service, memory_bytes)
    finally:
        for engine in engines:
            engine.close()


def _wait(engine: EngineProcess, done: object, timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    assert callable(done)
    while not done():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or engine.over:
            raise SystemExit(f"{engine.name} does not answer ({engine.death or engine.not_ready})")
        select.select([engine.channel.fileno()], [], [], left_s)
        engine.receive()
