"""Servers that hang up, again and again or once: how often telemon connects to them."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread

import pytest

from engines.backends.mysql import client as mysql
from engines.backends.redis.client import seed
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.metrics.frame import Frame
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.namespace import DEFAULT
from tests.support.hostile_servers import HOST, Answer, hostile_server
from tests.support.race_run import SHORT, run_race

LASTS_S = 4.0

RECONNECTS_PER_S, MOST_PER_S = 20, 200
"""What SECURITY.md promises of one server, however many engine processes race on it: connections that are opened anew
in the long run, and in any one second."""

OTHERS_PER_S = {"mysql": 3, "durable": 13}
"""Connections that are no racing ones: ten a second at most ask a cluster for its slots, and the counters' are one."""


def relay(port: int, hang_up: Event) -> Answer:
    """Pass everything on to the server at `port` and back. Once `hang_up` is set, end each connection after its next
    answer to a request of a race."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:

            def back() -> None:
                with suppress(OSError):
                    while data := far.recv(65_536):
                        sock.sendall(data)
                        if hang_up.is_set() and asked.is_set():
                            break
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

            asked = Event()
            Thread(target=back, daemon=True).start()
            while data := sock.recv(65_536):
                if any(word in data for word in (b"GET", b"SET\r", b"SELECT avg", b"INSERT")):
                    asked.set()
                far.sendall(data)

    return answer


@pytest.mark.parametrize(
    ("lane", "processes"),
    [
        ("mysql", 1),
        pytest.param("durable", 1, marks=pytest.mark.soak),
        ("mysql", 4),
        ("durable", 4),
    ],
)
def test_a_server_that_hangs_up_after_every_reply_is_not_flooded(
    sandbox: Sandbox, lane: str, processes: int
) -> None:
    hang_up, told_s = Event(), list[float]()
    own = sandbox.endpoints["mysql"].mysql if lane == "mysql" else sandbox.endpoints["cached"].redis
    assert own is not None
    with hostile_server(relay(own.port, hang_up)) as server:
        common = {"host": HOST, "port": server.port, "password": own.password, "tls": False}
        asked = replace(
            SHORT,
            lanes=(lane,),
            duration_s=LASTS_S + 1.0,
            writers=8,
            readers=8,
            processes=processes,
        )
        if lane == "mysql":
            with mysql.cursor(own) as cursor:  # type: ignore[arg-type]
                mysql.make_table(cursor, DEFAULT.table)
                mysql.seed(cursor, DEFAULT.table, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
            asked = replace(
                asked,
                mysql=MySQLConfig(**common, user=own.user, database=own.database),  # type: ignore[arg-type, union-attr]
            )
        else:
            seed(own, HOT_KEYS, TelemetryPool(1), SEED_VERSION)  # type: ignore[arg-type]
            asked = replace(asked, durable=RedisConfig(**common))  # type: ignore[arg-type]

        def end_connections(_: Race, frame: Frame) -> None:
            if frame.elapsed_s >= 1.0 and not told_s:
                hang_up.set()
                told_s.append(max(server.accepted_s))

        run_race(None, asked, on_frame=end_connections)
        taken_s = [at_s for at_s in server.accepted_s if at_s > told_s[0]]
    # One at once for each of the sixteen connections, and once more because the server took them.
    others_per_s = OTHERS_PER_S[lane]
    raced = sum(at_s - told_s[0] <= LASTS_S for at_s in taken_s)
    assert 16 < raced <= 2 * 16 + LASTS_S * (RECONNECTS_PER_S + others_per_s)
    busiest = max(sum(0 <= at_s - from_s < 1.0 for at_s in taken_s) for from_s in taken_s)
    assert busiest <= MOST_PER_S + others_per_s
