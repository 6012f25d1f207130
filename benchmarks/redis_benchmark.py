"""The peer of the Redis lanes: redis-benchmark, as its package ships it."""

from __future__ import annotations

import csv
import subprocess

from benchmarks.measured import Measured
from engines.endpoints.endpoint import RedisEndpoint

PAYLOAD_BYTES = 30
"""About what a telemetry payload has."""

KEYS = 1001
"""As many as there are hot cars."""


def measure(
    endpoint: RedisEndpoint,
    test: str,
    connections: int,
    requests: int,
    *,
    pipeline: int = 1,
    threads: int | None = None,
) -> Measured:
    """`requests` requests of kind `test` ("get", "set"); requests per second and p50.

    With `threads` None it has the threads that it chooses: one, and with a cluster as many as that has primaries
    (redis-benchmark.c, `config.num_threads = config.cluster_node_count`). With several it looks only every
    250 ms whether it is done, and counts that time too: what it says it did per second is a little less than it did.
    """
    command = [
        "redis-benchmark",
        *("-h", endpoint.host, "-p", str(endpoint.port), "-a", endpoint.password),
        *("-c", str(connections), "-n", str(requests), "-P", str(pipeline)),
        *("-t", test, "-r", str(KEYS), "-d", str(PAYLOAD_BYTES), "--csv"),
        *(["--cluster"] if endpoint.cluster else []),
        *(["--threads", str(threads)] if threads is not None else []),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    lines = [line for line in ran.stdout.splitlines() if line.startswith('"')]
    row = list(csv.DictReader(lines))[-1]
    return Measured(float(row["rps"]), float(row["p50_latency_ms"]) * 1000)
