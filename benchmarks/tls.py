"""`python -m benchmarks.tls`: what encryption costs telemon, beside itself on the same servers without it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from redis import RedisError

from benchmarks import telemon_side
from benchmarks.__main__ import HEAD, LINE, alternate, row
from benchmarks.pairings import Pairing
from engines.backends.redis import client as redis
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.model.roles import Role
from engines.provisioning.seed import seed_lanes
from engines.sandbox import binaries, ports
from tests.support.certificates import Authority
from tests.support.tls_servers import Certificates, sealed_mysql

KEPT = 0.55
"""The least share of the open connections' throughput that encrypted ones are to keep."""

START_WAIT_S = 10.0
PASSWORD = "benchmark"


@contextmanager
def redis_both_ways(directory: Path) -> Iterator[tuple[RedisEndpoint, RedisEndpoint]]:
    """One Redis, by TLS and without."""
    binary = binaries.find_redis()
    assert binary is not None
    authority = Authority(directory, "authority")
    pair = authority.pair("redis", of=(ports.HOST,))
    program = directory / binary.run_as
    program.symlink_to(binary.server)
    numbers = ports.choose(["mysql", "cache"], None)
    plain = RedisEndpoint(ports.HOST, numbers["cache"], PASSWORD, cluster=False)
    sealed = replace(plain, port=numbers["mysql"], tls=TlsOptions(authority.file))
    configuration = directory / "redis.conf"
    configuration.write_text(
        f"bind {ports.HOST}\nport {plain.port}\ntls-port {sealed.port}\ndir {directory}\nsave ''\n"
        f"tls-cert-file {pair.certificate}\ntls-key-file {pair.key}\n"
        f"tls-ca-cert-file {authority.file}\ntls-auth-clients no\nrequirepass {PASSWORD}\n"
    )
    process = subprocess.Popen([str(program), str(configuration)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_WAIT_S
        while True:
            try:
                redis.read_facts(sealed)
                break
            except (RedisError, OSError):
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("the Redis does not start") from None
                time.sleep(0.02)
        yield sealed, plain
    finally:
        process.kill()
        process.wait(10)


def pairings(
    mysql: tuple[MySQLEndpoint, MySQLEndpoint],
    durable: tuple[RedisEndpoint, RedisEndpoint],
    seconds: float,
) -> list[Pairing]:
    """Each load, encrypted beside open. The bar is for many connections; one of them shows the round trip."""
    found = []
    for lane, role, connections in (
        ("durable", "read", 16),
        ("durable", "read", 1),
        ("durable", "write", 4),
        ("mysql", "read", 16),
        ("mysql", "write", 4),
    ):
        sides = [
            LaneEndpoints(lane, mysql=mysql[at])
            if lane == "mysql"
            else LaneEndpoints(lane, redis=durable[at])
            for at in (0, 1)
        ]
        kind: Role = "read" if role == "read" else "write"
        sealed, plain = (
            lambda e=e, k=kind, c=connections: telemon_side.measure(e, k, c, seconds) for e in sides
        )
        bar = KEPT if connections == 16 else None
        found.append(
            Pairing(f"{lane} {role}s, TLS", "the same without", connections, sealed, plain, bar)
        )
    return found


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tls", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of measurements (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one (3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telemon-bench-", dir="/var/tmp") as folder:
        places = [Path(folder, name) for name in ("certificates", "mysql", "redis")]
        for place in places:
            place.mkdir()
        with (
            sealed_mysql(Certificates(places[0]), places[1]) as server,
            redis_both_ways(places[2]) as durable,
        ):
            mysql = (server.endpoint, replace(server.endpoint, tls=None))
            lanes = {
                "mysql": LaneEndpoints("mysql", mysql=mysql[0]),
                "durable": LaneEndpoints("durable", redis=durable[0]),
            }
            seed_lanes(lanes, seed=1)
            head = ("telemon", "peer", "conn", "per s", "peer", "ratio", "p50 us", "peer", "ratio")
            print(HEAD.format(*head, "bars"))
            missed = False
            for pairing in pairings(mysql, durable, options.seconds):
                figures = row(pairing, alternate(pairing, options.pairs))
                missed = missed or "MISSED" in str(figures["bars"])
                print(LINE.format(**figures), flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
