"""Many connections to servers that are far away, over a link with a delay, and to those that drip meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.config.race_config import RaceConfig
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.driver.blocking_jobs import JOBS_AT_ONCE
from engines.errors import RaceError
from engines.model.connecting import LaneConnecting
from engines.model.controls import Connections
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.namespace import DEFAULT
from tests.support.far_link import HOST, FarLink, far_link
from tests.support.race_run import SHORT
from tests.support.swallowing_address import Resolver, swallowing_address
from tests.support.tls_servers import Certificates, SealedMySQL, sealed_mysql

MAX_CONNECTIONS = 1_200
ROUND_TRIPS = 9
"""Of opening a connection to MySQL over TLS (measured: 8.8)."""


@dataclass(frozen=True)
class FarMySQL:
    """A MariaDB with TLS, telemon's table and room for many connections."""

    server: SealedMySQL
    authority: Path

    def idle(self) -> None:
        """Wait until nothing of the test before is left, its lock above all."""
        count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'telemon'"
        until_s = time.monotonic() + 20
        with self.server.admin() as connection, connection.cursor() as cursor:
            while cursor.execute(count) and cursor.fetchone() != (0,):
                assert time.monotonic() < until_s
                time.sleep(0.05)

    def at(self, port: int) -> MySQLConfig:
        """How a configuration names it, when it is reached at another port."""
        endpoint = self.server.endpoint
        return MySQLConfig(
            host=HOST,
            port=port,
            user=endpoint.user,
            password=endpoint.password,
            tls_ca=self.authority,
        )


@pytest.fixture(scope="module")
def far_mysql() -> Iterator[FarMySQL]:
    with TemporaryDirectory(prefix="telemon-", dir="/var/tmp") as directory:
        certificates = Certificates(Path(directory))
        (place := Path(directory) / "m").mkdir()
        with sealed_mysql(certificates, place) as server:
            server.run(f"SET GLOBAL max_connections = {MAX_CONNECTIONS}")
            with mysql.cursor(server.endpoint) as cursor:
                mysql.make_table(cursor, DEFAULT.table)
                mysql.seed(cursor, DEFAULT.table, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
            yield FarMySQL(server, certificates.trusted.file)


@pytest.fixture(autouse=True)
def unhurried(far_mysql: FarMySQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """A race that is not begun has the time to give its lease back, for the next test."""
    monkeypatch.setattr("engines.race.race.HURRIED_WAIT_S", 5.0)
    far_mysql.idle()


CONNECTING = "connecting the lanes"
CONNECTED = "measuring telemon's own share"


class Steps:
    """The steps of a start, and when each was said. While the lanes connect, `link` has `rtt_s` and `drip_every_s`."""

    def __init__(self, link: FarLink, rtt_s: float, drip_every_s: float | None = None) -> None:
        self.said: list[tuple[str | LaneConnecting, float]] = []
        self._link, self._rtt_s, self._drip_every_s = link, rtt_s, drip_every_s

    def __call__(self, step: str | LaneConnecting) -> None:
        self.said.append((step, time.monotonic()))
        if step == CONNECTING:
            self._link.rtt_s, self._link.drip_every_s = self._rtt_s, self._drip_every_s
        elif step == CONNECTED:
            self._link.rtt_s, self._link.drip_every_s = 0.0, None

    def connecting_s(self) -> float:
        """Return how long the lanes were connected."""
        at_s = {step: said_s for step, said_s in self.said if isinstance(step, str)}
        return at_s[CONNECTED] - at_s[CONNECTING]

    def of(self, lane: str) -> list[LaneConnecting]:
        return [
            step for step, _ in self.said if isinstance(step, LaneConnecting) and step.lane == lane
        ]


def connect(settings: RaceConfig, steps: Steps) -> Steps:
    """Start a race, and end it once it is connected."""
    with Race(settings, on_progress=steps):
        pass
    return steps


def check_progress(steps: list[LaneConnecting], wanted: int, server: str) -> None:
    counts = [step.opened for step in steps]
    assert counts == sorted(counts)
    assert {step.wanted for step in steps} == {wanted}
    assert any(0 < step.opened < wanted and step.waiting_for == server for step in steps)
    assert steps[-1].complete


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is told, however short it takes."""
    monkeypatch.setattr("engines.race.engine_group.QUIET_S", 0.0)
    monkeypatch.setattr("engines.race.engine_group.TELL_EVERY_S", 0.0)


@pytest.mark.usefixtures("talkative")
def test_hundreds_of_connections_over_tls_are_opened_side_by_side(far_mysql: FarMySQL) -> None:
    """Two at a time would take a minute here."""
    rtt_s, wanted = 0.05, 256
    with far_link(far_mysql.server.endpoint.port) as link:
        there = far_mysql.at(link.port)
        steps = connect(
            replace(SHORT, lanes=("mysql",), readers=wanted - 1, writers=1, mysql=there),
            Steps(link, rtt_s),
        )
    assert steps.connecting_s() < wanted * ROUND_TRIPS * rtt_s / 2 / 2
    check_progress(steps.of("mysql"), wanted, f"{HOST}:{link.port}")


@pytest.mark.usefixtures("talkative")
def test_hundreds_of_connections_to_a_far_cache_are_opened_side_by_side(sandbox: Sandbox) -> None:
    """Sign-in to Redis takes one round trip after that of TCP. Two at a time would take 51 s."""
    rtt_s, wanted = 0.2, 256
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    redis.seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    with far_link(cache.port) as link:
        durable = RedisConfig(
            host=HOST, port=link.port, password=cache.password, tls=False, cluster="off"
        )
        steps = connect(
            replace(SHORT, lanes=("durable",), readers=wanted - 1, writers=1, durable=durable),
            Steps(link, rtt_s),
        )
    assert steps.connecting_s() < wanted * 2 * rtt_s / 2 / 2
    check_progress(steps.of("durable"), wanted, f"{HOST}:{link.port}")


def test_connections_that_are_added_during_a_race_are_opened_side_by_side(
    far_mysql: FarMySQL,
) -> None:
    rtt_s, more = 0.05, 200
    with far_link(far_mysql.server.endpoint.port) as link:
        settings = replace(
            SHORT,
            lanes=("mysql",),
            readers=1,
            writers=1,
            mysql=far_mysql.at(link.port),
            duration_s=None,
        )
        asked_s = took_s = 0.0
        with Race(settings, interval_s=0.1) as race:
            for frame in race.frames():
                if frame.seq == 2:
                    link.rtt_s, asked_s = rtt_s, time.monotonic()
                    race.send(Connections("read", more))
                # A reader has one answer a round trip: so many answers are those of at least 40 readers.
                read = frame.lanes[0].read
                if asked_s and read.operations > 40 * read.interval_s / rtt_s:
                    took_s = time.monotonic() - asked_s
                    race.stop()
                if asked_s and time.monotonic() - asked_s > 40:
                    race.stop()
    assert 0 < took_s < more * ROUND_TRIPS * rtt_s / 2 / 2


@pytest.mark.parametrize("drips", [True, False], ids=["dripping", "silent"])
def test_a_server_that_drips_once_the_lanes_connect_is_given_up_with_as_many(
    far_mysql: FarMySQL, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    """It answers the questions before a race, and then a byte a second, or nothing at all."""
    monkeypatch.setattr("engines.race.engine_group.READY_TIMEOUT_S", 2.0)
    with far_link(far_mysql.server.endpoint.port) as link:
        steps = Steps(link, 0.0, drip_every_s=1.0 if drips else 60.0)
        there = far_mysql.at(link.port)
        settings = replace(SHORT, lanes=("mysql",), readers=1023, writers=1, mysql=there)
        began_s = time.monotonic()
        with pytest.raises(RaceError, match=r"lane mysql cannot connect: .* connections opened in"):
            connect(settings, steps)
        assert time.monotonic() - began_s < 15


@pytest.mark.soak
@pytest.mark.parametrize("rtt_s", [0.04, 0.2])
def test_a_thousand_connections_over_tls_stand_in_time_however_far(
    far_mysql: FarMySQL, rtt_s: float
) -> None:
    wanted = 1024
    with far_link(far_mysql.server.endpoint.port) as link:
        there = far_mysql.at(link.port)
        steps = connect(
            replace(SHORT, lanes=("mysql",), readers=wanted - 1, writers=1, mysql=there),
            Steps(link, rtt_s),
        )
    print(f"{wanted} connections, {rtt_s * 1000:.0f} ms: {steps.connecting_s():.1f} s")
    check_progress(steps.of("mysql"), wanted, f"{HOST}:{link.port}")
    assert steps.connecting_s() < max(20.0, 2 * ROUND_TRIPS * rtt_s * wanted / JOBS_AT_ONCE)


@pytest.mark.soak
def test_a_server_that_drips_is_given_up_with_the_limits_of_every_race(far_mysql: FarMySQL) -> None:
    with far_link(far_mysql.server.endpoint.port) as link:
        there = far_mysql.at(link.port)
        settings = replace(SHORT, lanes=("mysql",), readers=1023, writers=1, mysql=there)
        steps = Steps(link, 0.04, drip_every_s=1.0)
        with pytest.raises(RaceError) as failed:
            connect(settings, steps)
        took_s = time.monotonic() - next(at_s for step, at_s in steps.said if step == CONNECTING)
    print(f"given up after {took_s:.1f} s: {failed.value}")
    assert f"{HOST}:{link.port}" in str(failed.value)
    assert "the server answers too slowly" in str(failed.value)
    assert took_s < 25


LED_ASTRAY = """
import socket
from tests.support.swallowing_address import Resolver
socket.getaddrinfo = Resolver(**{names!r})
"""
"""A sitecustomize.py for engines that look names up as the test does."""


def test_a_name_whose_first_address_swallows_does_not_delay_a_start(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection to it would cost 3 s: 51 s before the first frame, without a word."""
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    redis.seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    names = {"cache.example": ("127.0.0.9", HOST)}
    root = str(Path(__file__).resolve().parents[2])
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({root!r})\n{LED_ASTRAY.format(names=names)}"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(**names))
    durable = RedisConfig(
        host="cache.example", port=cache.port, password=cache.password, tls=False, cluster="off"
    )
    with swallowing_address("127.0.0.9", cache.port):
        said: list[object] = []
        settings = replace(SHORT, lanes=("durable",), readers=32, writers=32, durable=durable)
        began_s = time.monotonic()
        with Race(settings, on_progress=said.append):
            pass
        assert time.monotonic() - began_s < 15
    assert said[0] == f"looking at the servers that are configured: cache.example:{cache.port}"
