"""What a race counts as written is committed and stored: telemon sets it, and two checks notice where it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymysql.err import MySQLError, OperationalError

from engines.backends.mysql import client, counters
from engines.backends.redis.client import client as redis_client
from engines.backends.redis.client import nodes
from engines.config import race_config as config
from engines.config.server_config import MySQLConfig
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint
from engines.metrics.frame import Frame
from engines.model.caveats import CommitsShort, DurabilityNotReadAgain, RowsLost, SettingChanged
from engines.model.server_facts import TRANSACTION_IDS
from engines.race import race as race_module
from engines.race.lane_info import _lane_info
from engines.race.race import Race
from engines.results.result_json import result_document
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import ALL_KEYS, HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import redis_key
from tests.support.diagnosis import diagnose
from tests.support.hostile_servers import hostile_server
from tests.support.race_run import forget, mysql, with_settings
from tests.support.sparse_servers import mysql_refusing
from tests.support.swallowing_proxy import swallowing_proxy
from tests.support.user_servers import OwnServers, as_root
from tui.cli.run import exit_code_for
from tui.report.text_table import final_table

ONE = with_settings(lanes=("mysql",), writers=1, readers=1, batch=20, duration_s=0.5)
"""One writer, so that no writer waits for the uncommitted rows of another."""

HOSTILE = (
    "SET autocommit=0",
    "START TRANSACTION",
    "SET sql_select_limit=0",
    "SET character_set_results=utf16",
    "SET tx_isolation='READ-UNCOMMITTED', sql_mode='ANSI_QUOTES,ORACLE'",
    "USE other",
)
"""What an administrator may give to each new session, each of it enough to make a result wrong."""


def raced(
    sandbox: Sandbox | None,
    settings: config.RaceConfig = ONE,
    on_frame: Callable[[Race, Frame], None] = lambda *_: None,
) -> Summary:
    """A race to its end, as `telemon run` sums it up."""
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
            on_frame(race, frame)
        summary.reconcile_with_servers(race.closing_counts)
    return summary


@pytest.fixture
def at(sandbox: Sandbox) -> MySQLEndpoint:
    """The server of lane mysql, with the hot cars in it."""
    forget(sandbox)
    endpoint = sandbox.endpoints["mysql"].mysql
    assert endpoint is not None
    with client.cursor(endpoint) as cursor:
        client.make_table(cursor, endpoint.namespace.table)
        client.seed(cursor, endpoint.namespace.table, HOT_KEYS, TelemetryPool(1), 1)
    return endpoint


@pytest.fixture
def init_connect(sandbox: Sandbox) -> Iterator[Callable[[str], None]]:
    """Sets what the server of lane mysql does in each new session of telemon's user, who is no administrator."""
    grant = "GRANT ALL ON other.* TO telemon@'127.0.0.1'"
    as_root(sandbox, "mysql", "CREATE DATABASE IF NOT EXISTS other", grant)
    yield lambda statements: void(
        as_root(sandbox, "mysql", f'SET GLOBAL init_connect = "{statements}"')
    )
    as_root(sandbox, "mysql", "SET GLOBAL init_connect = ''", "DROP DATABASE other")
    as_root(sandbox, "mysql", grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))


def void(_: object) -> None:
    """Return nothing."""


@pytest.mark.parametrize(
    ("preset", "statement"), [("deck", HOSTILE[0]), *(("fair", each) for each in HOSTILE)]
)
def test_a_race_is_the_same_whatever_the_server_gives_to_a_session(
    sandbox: Sandbox,
    at: MySQLEndpoint,
    init_connect: Callable[[str], None],
    preset: str,
    statement: str,
) -> None:
    init_connect(statement)
    summary = raced(sandbox, replace(ONE, preset=preset, duration_s=0.3))
    found = summary.reconciliations["mysql"]
    assert found.verdict == "reconciled"
    assert "committed writes" in {check.what for check in found.checks}
    stored = summary.read_backs["mysql"]
    assert stored.checked > 10
    assert (stored.lost, stored.unread) == (0, 0)
    assert summary.lanes()[0].read.rows > 0
    assert exit_code_for(summary) == 0
    ((rows,),) = as_root(sandbox, "mysql", f"SELECT COUNT(*) FROM {at.database}.cars")
    assert rows > len(HOT_KEYS)  # type: ignore[operator]


def test_a_session_has_the_settings_that_telemon_relies_on(
    at: MySQLEndpoint, init_connect: Callable[[str], None]
) -> None:
    init_connect("; ".join((*HOSTILE[2:], HOSTILE[0], HOSTILE[1])))
    for autocommit in (True, False):
        connection = client.connect(at, autocommit=autocommit)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT @@autocommit, @@in_transaction, @@tx_isolation, @@sql_mode, @@sql_select_limit, DATABASE()"
            )
            assert cursor.fetchone() == (
                int(autocommit),
                0,
                "REPEATABLE-READ",
                "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
                2**64 - 1,
                at.database,
            )


def test_a_server_that_does_not_do_what_is_set_is_refused(at: MySQLEndpoint) -> None:
    for flags, state in ((0x0000, "autocommit stays off"), (0x0003, "a transaction stays open")):
        with swallowing_proxy(at.port, flags=flags) as port:
            with pytest.raises(OperationalError) as error:
                client.connect(replace(at, port=port), autocommit=True)
            assert state in str(error.value)
            assert "past any proxy" in str(error.value)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_product_that_lacks_a_variable_is_given_what_decides_about_commits(
    at: MySQLEndpoint, init_connect: Callable[[str], None], autocommit: bool
) -> None:
    init_connect(f"SET autocommit={int(not autocommit)}")
    with swallowing_proxy(at.port, error=1193) as port:
        connection = client.connect(replace(at, port=port), autocommit=autocommit)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@autocommit")
            assert cursor.fetchone() == (int(autocommit),)
        (note,) = _lane_info(LaneEndpoints("mysql", replace(at, port=port)), (), False).notes
        assert "does not take telemon's session settings" in note
    assert _lane_info(LaneEndpoints("mysql", at), (), False).notes == ()
    with swallowing_proxy(at.port, error=1227) as port, pytest.raises(MySQLError):
        client.connect(replace(at, port=port), autocommit=autocommit)


def behind(at: MySQLEndpoint, port: int) -> config.RaceConfig:
    """A race on a server by way of the proxy at `port`."""
    backend = MySQLConfig(
        host=at.host,
        port=port,
        user=at.user,
        password=at.password,
        database=at.database,
        tls=False,
    )
    return replace(ONE, mysql=backend)


@pytest.mark.parametrize("alone", ["counters", "rows"])
def test_with_the_setting_taken_out_each_check_alone_fails_the_race(
    at: MySQLEndpoint,
    init_connect: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    alone: str,
) -> None:
    init_connect(HOSTILE[0])
    if alone == "counters":
        monkeypatch.setattr(race_module, "read_back", lambda *_: {})
    else:
        kept = tuple(name for name in counters.COUNTERS if name != TRANSACTION_IDS)
        monkeypatch.setattr(counters, "COUNTERS", kept)
    with swallowing_proxy(at.port) as port:
        summary = raced(None, behind(at, port))
    written = summary.totals["mysql"].write.work().operations
    assert written > 0
    (caveat,) = summary.untrue
    assert exit_code_for(summary) == 1
    said = capsys.readouterr().err
    text = "\n".join(final_table(summary))
    if alone == "counters":
        assert isinstance(caveat, CommitsShort)
        assert caveat.committed < caveat.acknowledged
        assert summary.reconciliations["mysql"].reconciled is False
        assert "writes and committed" in said
        assert "writes and committed" in text
    else:
        assert isinstance(caveat, RowsLost)
        assert caveat.missing + caveat.older == caveat.checked > 10
        assert "acknowledged rows are lost" in said
        assert "acknowledged rows are lost" in text


def test_the_command_fails_and_the_result_says_why(
    sandbox: Sandbox, at: MySQLEndpoint, init_connect: Callable[[str], None], tmp_path: Path
) -> None:
    init_connect(HOSTILE[0])
    with swallowing_proxy(at.port) as port:
        own = OwnServers.of(sandbox, tmp_path).only("mysql").with_table("mysql", port=port)
        done = own.telemon(
            *("run", "--lanes", "mysql", "--writers", "1", "--readers", "1"),
            *("--warmup", "0s", "--duration", "500ms"),
        )
    assert done.code == 1, done.err
    assert "telemon: lane mysql: MySQL acknowledged" in done.err
    assert "telemon: lane mysql: acknowledged rows are lost" in done.err
    assert "reconciled with the servers' own" not in done.out


@pytest.mark.parametrize("refused", ["nothing", "information_schema"])
def test_a_table_without_transactions_is_told_from_the_start(
    sandbox: Sandbox, at: MySQLEndpoint, refused: str
) -> None:
    as_root(sandbox, "mysql", f"ALTER TABLE {at.database}.cars ENGINE=MyISAM")
    with hostile_server(mysql_refusing(at.port, refused)) as server:
        summary = raced(None, replace(behind(at, server.port), duration_s=0.3))
    assert any("in no transaction" in note and "MyISAM" in note for note in summary.notes())
    assert exit_code_for(summary) == 1


@pytest.mark.usefixtures("at")
def test_a_table_without_transactions_is_noticed(sandbox: Sandbox) -> None:
    """Its rows are there, and none was ever committed."""

    def change(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            as_root(sandbox, "mysql", "ALTER TABLE telemon.cars ENGINE=MyISAM")

    summary = raced(sandbox, replace(ONE, duration_s=1.0), change)
    commits, engine = summary.untrue
    assert isinstance(commits, CommitsShort)
    assert engine == SettingChanged("mysql", "database", "engine", "InnoDB", "MyISAM")
    assert summary.read_backs["mysql"].lost == 0
    assert exit_code_for(summary) == 1


@pytest.mark.parametrize("lane", ["mysql", "cached", "durable"])
def test_a_row_that_is_gone_at_the_end_fails_the_race(sandbox: Sandbox, lane: str) -> None:
    """Whoever removes it: here another client, when the writers have stopped."""
    forget(sandbox)
    settings = with_settings(lanes=(lane,), duration_s=0.5)
    with ExitStack() as stack:
        race = stack.enter_context(Race(settings, interval_s=0.25, sandbox=sandbox))
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
            # The last frame is the one in which all that was in flight has ended.
            _remove_all(sandbox, lane)
        summary.reconcile_with_servers(race.closing_counts)
    (caveat,) = [each for each in summary.untrue if isinstance(each, RowsLost)]
    assert caveat.lane == lane
    assert caveat.missing == caveat.checked > 10
    assert exit_code_for(summary) == 1
    result: dict[str, Any] = result_document(summary)
    (found,) = result["lanes"]
    assert found["read_back"]["lost"] == caveat.missing
    assert found["read_back"]["examples"][0]["stored"] is None


def _remove_all(sandbox: Sandbox, lane: str) -> None:
    endpoints = sandbox.endpoints[lane]
    if endpoints.mysql is not None:
        with mysql(endpoints.mysql) as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM cars")
        return
    assert endpoints.redis is not None
    for address in nodes(endpoints.redis):
        with redis_client(address, endpoints.redis) as node:
            node.flushall()


def test_every_lane_is_read_back_in_both_presets(sandbox: Sandbox) -> None:
    for preset in ("fair", "deck"):
        forget(sandbox)
        summary = raced(sandbox, with_settings(preset=preset, duration_s=0.5, processes=2))
        for lane, found in summary.read_backs.items():
            assert 10 < found.checked <= 1_000, (preset, lane)
            assert (found.lost, found.unread, found.unanswered) == (0, 0, 0), (preset, lane)
        assert set(summary.read_backs) == {"mysql", "cached", "durable"}
        assert exit_code_for(summary) == 0


def test_where_nothing_was_written_nothing_is_claimed(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("mysql", "durable"))
    with Race(settings, interval_s=0.25, sandbox=sandbox, hold=True) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for _ in race.frames():
            race.stop()
        summary.reconcile_with_servers(race.closing_counts)
    assert set(summary.read_backs) == {"mysql", "durable"}
    assert all(each.checked == each.unread == 0 for each in summary.read_backs.values())
    assert not any("read back" in line for line in final_table(summary))
    without = raced(sandbox, with_settings(writers=0, duration_s=0.3, lanes=("mysql",)))
    assert without.read_backs == {}
    assert exit_code_for(without) == 0


def test_an_older_row_than_acknowledged_is_a_loss(sandbox: Sandbox) -> None:
    """A store that went back to what it was: here another client writes it."""
    forget(sandbox)
    endpoint = sandbox.endpoints["durable"].redis
    assert endpoint is not None

    def turn_back(_: Race, __: Frame) -> None:
        for address in nodes(endpoint):
            with redis_client(address, endpoint) as node, node.pipeline(transaction=False) as pipe:
                for name in node.scan_iter(match="telemon:*", count=5_000):
                    car_id = int(name.rpartition(b":")[2])
                    pipe.set(redis_key(car_id), b"%d:1000:70:90:60:1" % car_id)
                pipe.execute()

    summary = raced(sandbox, with_settings(lanes=("durable",), duration_s=0.5), turn_back)
    (caveat,) = [each for each in summary.untrue if isinstance(each, RowsLost)]
    assert caveat.older == caveat.checked > 10
    assert all(row.stored == 1 and row.car_id in ALL_KEYS for row in caveat.examples)


def test_doctor_says_what_the_server_gives_and_that_telemon_sets_it(
    sandbox: Sandbox, at: MySQLEndpoint, init_connect: Callable[[str], None]
) -> None:
    assert diagnose(at).named("session").finding == "autocommit on, REPEATABLE-READ, set by telemon"
    init_connect(HOSTILE[0])
    as_root(sandbox, "mysql", "SET GLOBAL autocommit = 0")
    try:
        found = diagnose(at)
    finally:
        as_root(sandbox, "mysql", "SET GLOBAL autocommit = 1")
    assert found.problems == []
    check = found.named("session")
    assert "autocommit on" in check.finding
    assert (
        "its default is autocommit off and its init_connect is 'SET autocommit=0'" in check.finding
    )
    with swallowing_proxy(at.port) as port:
        failed = diagnose(replace(at, port=port))
    assert "session_not_kept" in failed.problems
    assert "autocommit is 'OFF'" in failed.named("session").finding


def test_a_server_that_is_gone_at_the_end_is_named_and_holds_nobody(breakable: Sandbox) -> None:
    forget(breakable)
    killed: list[float] = []

    def kill(_: Race, frame: Frame) -> None:
        if frame.elapsed_s > 0.4 and not killed:
            killed.append(frame.elapsed_s)
            breakable.kill("mysql")

    began_s = time.monotonic()
    summary = raced(breakable, replace(ONE, duration_s=1.0), kill)
    assert time.monotonic() - began_s < 20
    found = summary.read_backs["mysql"]
    assert (found.checked, found.lost) == (0, 0)
    assert found.unread > 10
    assert any("were not read back at the end" in note for note in summary.notes())
    (unread,) = [each for each in summary.caveats() if isinstance(each, DurabilityNotReadAgain)]
    assert (unread.lane, unread.role, unread.timed_out) == ("mysql", "database", False)
    assert "innodb_flush_log_at_trx_commit" in unread.settings
    assert unread.problem
    assert exit_code_for(summary) == 0
