"""telemon's percentiles beside those of redis-benchmark, over the same traffic."""

from __future__ import annotations

import csv
import shutil
import subprocess
from contextlib import ExitStack

import pytest

from engines.backends.redis.client import address_of, client
from engines.endpoints.endpoint import RedisEndpoint
from engines.metrics.frame import Frame
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import run_race, store_in_memory, with_settings
from tests.support.tunnel import tunnel

AWAY_S = 0.001
"""redis-benchmark counts latencies in steps of 8 us (hdr_init from 10 us on), a quarter of what a GET takes on this
machine: a way of a millisecond makes them small."""

KEYS = 1001
"""As many as there are hot cars."""

REQUESTS = 700
"""More than half a second's, less than a second's."""


def started(at: RedisEndpoint, port: int) -> subprocess.Popen[str]:
    """redis-benchmark, asking for `KEYS` keys over one connection."""
    command = [
        *("redis-benchmark", "-h", at.host, "-p", str(port), "-a", at.password, "-c", "1"),
        *("-t", "get", "-n", str(REQUESTS), "-r", str(KEYS), "--csv"),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def median_us(peer: subprocess.Popen[str]) -> float:
    said, _ = peer.communicate(timeout=30)
    lines = [line for line in said.splitlines() if line.startswith('"')]
    (row,) = csv.DictReader(lines)
    return float(row["p50_latency_ms"]) * 1000


@pytest.mark.skipif(not shutil.which("redis-benchmark"), reason="there is no redis-benchmark here")
def test_the_median_of_a_get_is_that_of_redis_benchmark(sandbox: Sandbox) -> None:
    """Both ask the same server the same way in the same second, each over one connection."""
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    peers: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        port = stack.enter_context(tunnel(at.port, AWAY_S))
        store = store_in_memory(sandbox, port)
        with client(address_of(at), at) as node:
            for number in range(KEYS):
                node.set(f"key:{number:012d}", "x" * 30)

        def begin(_: Race, frame: Frame) -> None:
            if not peers and frame.elapsed_s > 0:
                peers.append(stack.enter_context(started(at, port)))

        settings = with_settings(
            lanes=("durable",), durable=store, writers=0, readers=1, warmup_s=0.2, duration_s=1.2
        )
        total = run_race(sandbox, settings, on_frame=begin).lanes["durable"].read
        (peer,) = peers
        theirs_us = median_us(peer)
    assert total.operations > REQUESTS / 2
    assert theirs_us > AWAY_S * 1e6
    assert total.service.percentile_us(50) == pytest.approx(theirs_us, rel=0.15)
