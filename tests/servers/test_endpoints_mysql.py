"""Races on a MariaDB or MySQL of one's own: TLS and nothing else, credentials that change, two lanes on one server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.backends.mysql import client as mysql
from engines.config import race_config as config
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.errors import RaceError
from engines.metrics.frame import Frame, LaneState
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.results.caveat_text import caveat_sentences
from engines.results.fairness import fairness
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.namespace import DEFAULT
from tests.support.race_run import SHORT, run_race
from tests.support.server_product import redis_product
from tests.support.tls_mysql import HOST, PASSWORD, TlsMySQL, tls_mysql

CACHED_DATABASE = "telemon_cached"


@pytest.fixture(scope="module")
def running() -> Iterator[TlsMySQL]:
    with (
        tempfile.TemporaryDirectory(prefix="telemon-", dir="/var/tmp") as directory,
        tls_mysql(Path(directory)) as server,
    ):
        prepare(server.backend)
        prepare(replace(server.backend, database=CACHED_DATABASE))
        yield server


@pytest.fixture
def server(running: TlsMySQL) -> TlsMySQL:
    return running


def prepare(backend: MySQLConfig) -> None:
    with mysql.cursor(backend.endpoint()) as cursor:
        mysql.make_table(cursor, DEFAULT.table)
        mysql.seed(cursor, DEFAULT.table, HOT_KEYS, TelemetryPool(1), SEED_VERSION)


def status(backend: MySQLConfig, name: str) -> str:
    """A status variable of the connection that asks, or of the server."""
    with mysql.cursor(backend.endpoint()) as cursor:
        cursor.execute("SHOW STATUS WHERE Variable_name = %s", (name,))
        row = cursor.fetchone()
    assert row is not None
    return str(row[1])


def on_mysql(server: TlsMySQL, **changes: Any) -> config.RaceConfig:
    return replace(SHORT, lanes=("mysql",), mysql=replace(server.backend, **changes))


def last_error(settings: config.RaceConfig) -> str:
    with pytest.raises(RaceError) as raised, Race(settings):
        pass
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert "telemon doctor" in message
    assert PASSWORD not in message
    return message


def test_two_lanes_race_over_tls_on_one_server_and_the_result_says_so(
    server: TlsMySQL, sandbox: Sandbox
) -> None:
    """The cache is the sandbox's, named as one's own; lane durable is private."""
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    settings = replace(
        SHORT,
        mysql=server.backend,
        cached_mysql=replace(server.backend, database=CACHED_DATABASE),
        cached_redis=RedisConfig(
            host=cache.host, port=cache.port, password=cache.password, tls=False
        ),
    )
    assert status(server.backend, "Ssl_cipher") != ""
    with Race(settings, sandbox=sandbox) as race:
        lane_infos = {lane_info.lane: lane_info for lane_info in race.lane_infos}
        environment = race.environment
        summary = Summary(settings, race.lane_infos, environment)
        frames = []
        for frame in race.frames():
            summary.add(frame)
            frames.append(frame)
        summary.reconcile_with_servers(race.closing_counts)
    assert lane_infos["mysql"].product == server.product
    assert lane_infos["cached"].product == f"{server.product} + {redis_product()} as a cache"
    assert lane_infos["durable"].product == f"{redis_product()} Cluster of 3, stand-in for MemoryDB"
    assert f"{server.product} at {HOST}:{server.port} over TLS" in lane_infos["mysql"].notes
    assert (
        f"{redis_product()} at {cache.host}:{cache.port} without TLS" in lane_infos["cached"].notes
    )
    sentence = "lanes mysql and cached share one MySQL server: each slows the other down"
    assert sentence in caveat_sentences(environment.caveats)
    assert summary.notes().count(sentence) == 1
    # What the one server counted for both lanes is neither's count, and that is said with the numbers.
    assert summary.shared == [["mysql", "cached"]]
    for name in ("mysql", "cached"):
        found = summary.reconciliations[name]
        assert not found.reconciled
        assert "upserts " in found.verdict
        assert found.verdict.endswith(
            "(lanes mysql and cached share one server, which counts for both)"
        )
    assert summary.reconciliations["durable"].reconciled
    assert fairness(environment, settings)["servers"] == {
        "mysql": f"{HOST}:{server.port}",
        "cached": f"{HOST}:{server.port} and {cache.host}:{cache.port}",
        "durable": "private, on this machine",
    }
    for frame in frames:
        for lane in frame.lanes:
            assert lane.write.errors == lane.read.errors == {}, lane.lane
    for name in settings.lanes:
        parts = [lane for frame in frames for lane in frame.lanes if lane.lane == name]
        assert sum(part.write.operations for part in parts) > 0
        assert sum(part.read.operations for part in parts) > 0


def test_the_server_counted_what_the_lane_says_it_did(server: TlsMySQL) -> None:
    ran = run_race(None, on_mysql(server))
    total = ran.lanes["mysql"]
    assert total.write.errors == total.read.errors == {}
    assert total.server["Com_insert"] == total.write.operations > 0
    assert total.server["Com_select"] == total.read.operations > 0
    assert total.server["Handler_write"] == total.write.rows


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tls": False, "tls_ca": None}, "Access denied"),
        ({"host": "127.0.0.1"}, "certificate is not valid for '127.0.0.1'"),
        ({"password": "wrong"}, "Access denied"),
        ({"tls_server_name": "other.example"}, "certificate is not valid for 'other.example'"),
    ],
)
def test_a_server_that_is_not_as_it_should_be_is_refused(
    server: TlsMySQL, changes: dict[str, Any], said: str
) -> None:
    assert said in last_error(on_mysql(server, **changes))


def test_an_authority_that_nobody_trusts_is_refused(server: TlsMySQL) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in last_error(on_mysql(server, tls_ca=server.foreign.file))


def test_the_certificate_may_be_for_a_name_that_is_given_or_for_none(server: TlsMySQL) -> None:
    for changes in (
        {"host": "127.0.0.1", "tls_server_name": HOST},
        {"host": "127.0.0.1", "tls_verify": "chain"},
        {"host": "127.0.0.1", "tls_verify": "none", "tls_ca": None},
        # A name that leads nowhere, by way of a tunnel; the certificate is compared with the name that is given.
        {
            "host": "db.nowhere.test",
            "tls_server_name": HOST,
            "address_map": ((f"db.nowhere.test:{server.port}", f"127.0.0.1:{server.port}"),),
        },
    ):
        with mysql.cursor(replace(server.backend, **changes).endpoint()) as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
            row = cursor.fetchone()
            assert row is not None
            assert row[1].startswith("TLSv1.")


def test_two_lanes_that_would_write_one_table_are_refused_by_whatever_names(
    server: TlsMySQL, sandbox: Sandbox
) -> None:
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    settings = replace(
        SHORT,
        lanes=("mysql", "cached"),
        mysql=server.backend,
        cached_mysql=replace(
            server.backend, host="127.0.0.1", tls_server_name=HOST, database="telemon"
        ),
        cached_redis=RedisConfig(
            host=cache.host, port=cache.port, password=cache.password, tls=False
        ),
    )
    with pytest.raises(RaceError, match="both would write table cars of database telemon"):
        Race(settings).__enter__()


def test_a_server_that_comes_back_with_other_credentials_is_signed_in_to_with_them(
    server: TlsMySQL, tmp_path: Path
) -> None:
    """The command is asked once for each engine and each refusal, not once for each connection."""
    secret, asked = tmp_path / "secret", tmp_path / "asked"
    secret.write_text(PASSWORD)
    command = ("/bin/sh", "-c", f'echo x >> "{asked}"; cat "{secret}"')
    # Oracle's takes longer to start.
    duration_s = 4.5 if server.product == "MariaDB" else 15.0
    settings = replace(
        on_mysql(server, password=None, password_command=command), duration_s=duration_s
    )
    step = 0

    def rotate(_: Race, frame: Frame) -> None:
        nonlocal step
        if step == 0 and frame.elapsed_s >= 0.5:
            server.kill()
            step = 1
        elif step == 1 and frame.elapsed_s >= 1.0:
            secret.write_text("rotated-2")
            server.start("rotated-2")
            step = 2

    try:
        ran = run_race(None, settings, on_frame=rotate)
    finally:
        server.kill()
        server.start()
    assert step == 2
    total = ran.lanes["mysql"]
    assert LaneState.RECONNECTING in ran.states("mysql")
    last = ran.frames[-2].lanes[0]
    assert last.state is LaneState.RACING
    assert last.write.operations > 0
    assert last.read.operations > 0
    assert last.write.errors == last.read.errors == {}
    assert total.reconnects >= SHORT.writers + SHORT.readers
    # This process, two engines: each once at first, and once when it was refused; the counters read beside the race.
    assert len(asked.read_text().splitlines()) <= 8
