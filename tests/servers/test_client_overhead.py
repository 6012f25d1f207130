"""telemon's own share, against a server that answers at once."""

from __future__ import annotations

import socket
import time
from threading import Thread

import pytest
from redis import Redis

from engines.config.settings import LoadConfig
from engines.endpoints.endpoint import LaneEndpoints
from engines.ipc.messages import EngineSpec
from engines.model.lanes import LANES
from engines.model.roles import Role
from engines.process.overhead import measure_client_overhead_us
from engines.race.null_server import GET_REPLY, NullServer
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.wire.mysql import MySQLReplyParser, query
from tests.support.race_run import forget, with_settings


def spec(lane: str, role: Role, preset: str = "fair") -> EngineSpec:
    return EngineSpec(
        lane, role, 0, 1, 1, LoadConfig(preset=preset, seed=1, batch=20), LaneEndpoints(lane)
    )


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("role", ["write", "read"])
@pytest.mark.parametrize("preset", ["fair", "deck"])
def test_every_program_has_a_floor(lane: str, role: Role, preset: str) -> None:
    with NullServer() as server:
        overhead_us = measure_client_overhead_us(
            spec(lane, role, preset), server.mysql_port, server.redis_port
        )
    # A round trip over loopback is never free, and a batch of 20 statements takes no tenth of a second.
    assert 3.0 < overhead_us < 100_000.0


def test_the_quietest_moment_counts() -> None:
    """A machine that is busy but for 40 ms in the midst: what an operation cannot do without is what it took then."""
    busy_s = 0.001
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                began_s = None
                while sock.recv(65_536):
                    began_s = began_s or time.monotonic()
                    if not 0.05 < time.monotonic() - began_s < 0.09:
                        time.sleep(busy_s)
                    sock.sendall(GET_REPLY)

        server = Thread(target=answer)
        server.start()
        overhead_us = measure_client_overhead_us(
            spec("durable", "read"), 1, listener.getsockname()[1]
        )
        server.join(10)
    assert 3.0 < overhead_us < busy_s * 1e6 / 2


def test_without_a_server_there_is_none() -> None:
    assert measure_client_overhead_us(spec("mysql", "read"), 1, 1) == 0.0


def test_the_null_server_speaks_as_the_servers_do() -> None:
    """redis-py and PyMySQL's reader take its replies for real ones."""
    with NullServer() as server:
        redis = Redis(port=server.redis_port, protocol=2, driver_info=None)
        assert redis.get("x") == b"50000123:2345:78:101:99:123456"
        assert redis.set("x", "y") is True

        with socket.create_connection(("127.0.0.1", server.mysql_port)) as sock:
            sock.sendall(query(b"SELECT 1"))
            rows = MySQLReplyParser().feed_one(sock.recv(65_536))
    assert rows == [(b"2345.0000", b"78.0000", b"101.0000", b"99.0000", b"123456", b"50000123")]


def test_a_race_says_its_floor_which_is_below_what_it_measures(sandbox: Sandbox) -> None:
    forget(sandbox)
    with Race(with_settings(writers=1, readers=1), sandbox=sandbox) as race:
        lane_infos = race.lane_infos
        frames = list(race.frames())
    for lane_info, lane in zip(lane_infos, frames[-1].lanes, strict=True):
        assert set(lane_info.overhead_us) == {"write", "read"}
        assert 0 < lane_info.overhead_us["write"] < lane.write.service.percentile_us(50)
