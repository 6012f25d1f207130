"""The fairness sheet: what is equal between lanes, what is not, and what would mislead."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engines.config.race_config import RaceConfig
from engines.model.caveats import Caveat, SharedServer
from engines.model.environment import MachineFacts, RaceEnvironment
from engines.model.server_facts import ServerFacts, TlsMode, shared_servers
from engines.results.caveat_text import caveat_sentences
from engines.results.caveats import comparison_caveats
from engines.results.fairness import COMPOSED, fairness, fairness_lines, pipeline_depth

SAFE: dict[str, str | int] = {
    "innodb_flush_log_at_trx_commit": 1,
    "sync_binlog": 1,
    "log_bin": "ON",
    "replicas": 0,
}

ALWAYS: dict[str, str | int] = {"appendonly": "yes", "appendfsync": "always", "replicas": 1}


def server(
    role: str = "database",
    identity: str = "a",
    *,
    tls: TlsMode = TlsMode.OFF,
    trip_us: float | None = 100.0,
    durability: dict[str, str | int] | None = None,
    nodes: int = 1,
) -> ServerFacts:
    kept = {"database": SAFE, "store": ALWAYS}.get(role, {}) if durability is None else durability
    return ServerFacts(
        role=role,
        product="MariaDB" if role == "database" else "Redis",
        version="1.2",
        nodes=nodes,
        tls=tls,
        round_trip_us=trip_us,
        durability=kept,
        identity=identity,
    )


def facts(
    *,
    mysql: ServerFacts | None = None,
    cache: ServerFacts | None = None,
    durable: ServerFacts | None = None,
    machine: MachineFacts | None = None,
    file_system: str | None = None,
    caveats: tuple[Caveat, ...] = (),
) -> RaceEnvironment:
    return RaceEnvironment(
        addresses={"mysql": ("db:3306",), "cached": ("db2:3306",), "durable": ("r:6379",)},
        servers={
            "mysql": [mysql or server(identity="a")],
            "cached": [server(identity="b"), cache or server("cache", "c")],
            "durable": [durable or server("store", "d", nodes=3)],
        },
        machine=machine,
        file_system=file_system,
        caveats=caveats,
    )


def said(given: RaceEnvironment, settings: RaceConfig | None = None) -> list[str]:
    return list(caveat_sentences(comparison_caveats(given, settings or RaceConfig())))


def test_an_even_race_has_nothing_that_misleads() -> None:
    assert said(facts()) == []
    assert said(RaceEnvironment()) == []


@pytest.mark.parametrize(
    ("lane", "durability", "sentence"),
    [
        (
            "mysql",
            {**SAFE, "innodb_flush_log_at_trx_commit": 2},
            "mysql: a commit does not wait for the disk (innodb_flush_log_at_trx_commit = 2)",
        ),
        (
            "mysql",
            {**SAFE, "sync_binlog": 100},
            "mysql: a commit does not wait for its binary log (sync_binlog = 100)",
        ),
        (
            "mysql",
            {**SAFE, "log_bin": "ON", "sql_log_bin": "OFF"},
            "mysql: a commit is not in the binary log, so that no replica has it (sql_log_bin = OFF)",
        ),
        (
            "mysql",
            {**SAFE, "engine": "MyISAM"},
            "mysql: a write is in no transaction, so that nothing is committed (engine = MyISAM)",
        ),
        (
            "durable",
            {**ALWAYS, "appendfsync": "everysec"},
            "durable: a SET does not wait for the disk (appendfsync = everysec)",
        ),
        (
            "durable",
            {**ALWAYS, "appendfsync": "no"},
            "durable: a SET does not wait for the disk (appendfsync = no)",
        ),
        (
            "durable",
            {"appendonly": "no"},
            "durable: a SET is kept in memory only (appendonly = no)",
        ),
    ],
)
def test_what_an_acknowledged_write_is_not_worth_is_said(
    lane: str, durability: dict[str, str | int], sentence: str
) -> None:
    role = "store" if lane == "durable" else "database"
    weak = server(role, "x", durability=durability)
    given = facts(durable=weak) if lane == "durable" else facts(mysql=weak)
    assert said(given) == [sentence]


def test_a_binary_log_that_is_off_need_not_be_synced_and_a_cache_not_be_durable() -> None:
    unlogged = server(durability={**SAFE, "log_bin": "OFF", "sync_binlog": 0})
    memory_only = server("cache", "c", durability={"appendonly": "no"})
    assert said(facts(mysql=unlogged, cache=memory_only)) == []


def test_lanes_that_share_a_server_are_named_once() -> None:
    given = facts(mysql=server(identity="b"))
    assert shared_servers(given.servers) == [["mysql", "cached"]]
    sentence = "lanes mysql and cached share one server: each slows the other down"
    assert said(given) == [sentence]
    known = SharedServer(("mysql", "cached"), "MySQL")
    assert said(replace(given, caveats=(known,))) == []
    other = SharedServer(("mysql", "durable"), "MySQL")
    assert said(replace(given, caveats=(other,))) == [sentence]


def test_databases_of_different_kinds_are_said() -> None:
    newer = replace(server(), version="8.0.36")
    assert said(facts(mysql=newer)) == [
        "the databases are not the same: that of lane mysql is MariaDB 8.0.36 and that of lane cached is MariaDB 1.2"
    ]


def test_uneven_ways_to_the_servers_are_said() -> None:
    secure = server(tls=TlsMode.VERIFIED, identity="a")
    (sentence,) = said(facts(mysql=secure))
    assert sentence == (
        "TLS costs the database of lane mysql and not the database of lane cached, the cache of lane cached and "
        "the store of lane durable"
    )
    far = server("store", "d", trip_us=1_200.0)
    near = facts(durable=far, mysql=server(trip_us=None))
    (sentence,) = said(near)
    assert "the store of lane durable takes 1,200 us" in sentence
    assert "lane cached 100 us" in sentence


def test_what_the_settings_make_misleading_is_said() -> None:
    (sentence,) = said(facts(), RaceConfig(processes=4))
    assert "within each of the 4 engine processes" in sentence
    assert said(facts(), RaceConfig(processes=4, lanes=("mysql",))) == []
    (sentence,) = said(facts(), RaceConfig(heats=True, rounds=3, cache="filled"))
    assert "the cache is filled before the first round only" in sentence


def test_what_the_machine_makes_misleading_is_said() -> None:
    (sentence,) = said(facts(machine=MachineFacts(8, cpu_limit=1.5)))
    assert sentence == "telemon may use 1.5 of the machine's 8 processors"
    # A group that may use two, on a processor set of one.
    given = facts(machine=MachineFacts(8, cpu_limit=2.0, cpus_allowed=1))
    assert said(given) == ["telemon may use 1 of the machine's 8 processors"]
    lines = dict(fairness_lines(given, RaceConfig()))
    assert lines["machine"] == "8 processors, 1 of them for telemon"
    assert said(facts(machine=MachineFacts(8, cpu_limit=None, cpus_allowed=8))) == []
    private = replace(
        facts(machine=MachineFacts(2)), addresses={"mysql": (), "cached": (), "durable": ()}
    )
    (sentence,) = said(private)
    assert "share this machine's 2 processors" in sentence
    assert said(private, RaceConfig(heats=True, rounds=1)) == []


GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory_bytes", "limit_bytes", "line"),
    [
        (24 * GIB, 2 * GIB, "8 processors, 24 GiB of memory, 2 GiB of them for telemon"),
        (24 * GIB, 512 << 20, "8 processors, 24 GiB of memory, 512 MiB of them for telemon"),
        (25_276_030_976, None, "8 processors, 23.5 GiB of memory"),
        # A limit above what there is limits nothing.
        (GIB, 2 * GIB, "8 processors, 1 GiB of memory"),
        (2 * GIB, 2 * GIB, "8 processors, 2 GiB of memory"),
        (1536 * GIB, GIB, "8 processors, 1,536 GiB of memory, 1 GiB of them for telemon"),
        (None, GIB, "8 processors, memory limited to 1 GiB"),
        (None, None, "8 processors"),
    ],
)
def test_memory_and_its_limit_are_said_as_processors_are(
    memory_bytes: int | None, limit_bytes: int | None, line: str
) -> None:
    machine = MachineFacts(8, memory_bytes=memory_bytes, memory_limit_bytes=limit_bytes)
    environment = facts(machine=machine)
    assert dict(fairness_lines(environment, RaceConfig()))["machine"] == line
    sheet = fairness(environment, RaceConfig())
    assert (sheet["memory_bytes"], sheet["memory_limit_bytes"]) == (memory_bytes, limit_bytes)


def test_only_a_fair_batch_of_lane_durable_is_pipelined() -> None:
    fair, deck = RaceConfig(batch=100), RaceConfig(batch=100, preset="deck")
    assert pipeline_depth("durable", fair, 3) == {"write": 33.3, "read": 1}
    assert pipeline_depth("durable", deck, 3) == {"write": 1, "read": 1}
    assert pipeline_depth("mysql", fair, 1) == {"write": 1, "read": 1}


def test_the_sheet_holds_what_was_read_and_how_the_load_was_shaped() -> None:
    settings = RaceConfig(
        mode="pace",
        rate_per_s=500.0,
        keys="zipfian",
        zipf_exponent=1.2,
        ttl_s=60.0,
        ttl_jitter=0.1,
        cache="filled",
        batch=30,
    )
    given = facts(machine=MachineFacts(4), file_system="ext4")
    sheet = json.loads(json.dumps(fairness(given, settings)))
    assert sheet["lanes"]["mysql"][0]["durability"]["innodb_flush_log_at_trx_commit"] == 1
    assert sheet["lanes"]["durable"][0]["round_trip_us"] == 100.0
    assert sheet["pipeline_depth"]["durable"] == {"write": 10.0, "read": 1}
    assert sheet["keys"] == {"shape": "zipfian", "exponent": 1.2}
    assert (sheet["mode"], sheet["rate_per_s"], sheet["rounds"]) == ("pace", 500.0, None)
    assert (sheet["cache_start"], sheet["ttl_jitter"]) == ("filled", 0.1)
    lines = dict(reversed([*fairness_lines(given, settings)]))
    assert lines["load"] == (
        "pace, 500 operations per second and role; zipfian keys, exponent 1.2; "
        "cache filled at the start, TTL 60 s +- 10%"
    )
    assert lines["machine"] == "4 processors, data on ext4"
    assert lines["durable"] == (
        "store Redis 1.2, 3 nodes, TLS off, round trip 100 us, pipeline depth 10 SETs; "
        "appendonly yes, appendfsync always, replicas 1"
    )
    assert lines["mysql"].endswith("innodb_flush_log_at_trx_commit 1, sync_binlog 1, replicas 0")


def test_a_cache_is_spoken_of_where_one_races_only() -> None:
    with_cache, without = (
        RaceConfig(lanes=("mysql", "cached")),
        RaceConfig(lanes=("mysql", "durable")),
    )
    assert dict(fairness_lines(RaceEnvironment(), with_cache))["load"] == (
        "saturate; uniform keys; cache cold at the start, TTL 120 s"
    )
    assert dict(fairness_lines(RaceEnvironment(), without))["load"] == "saturate; uniform keys"


def test_a_hot_set_is_described_by_its_shares() -> None:
    sheet = fairness(
        RaceEnvironment(), RaceConfig(keys="hot-set", hot_keys=0.1, hot_operations=0.9)
    )
    assert sheet["keys"] == {"shape": "hot-set", "hot_keys": 0.1, "hot_operations": 0.9}


def test_every_setting_that_shapes_the_load_is_in_the_sheet() -> None:
    settings = RaceConfig()
    sheet = fairness(RaceEnvironment(), settings)
    shown = settings.fairness
    assert shown.keys() >= COMPOSED
    assert {name: sheet[name] for name in shown.keys() - COMPOSED} == {
        name: value for name, value in shown.items() if name not in COMPOSED
    }
    assert sheet.keys() - shown.keys() == {
        "notes",
        "shared_servers",
        "connections",
        "pipeline_depth",
        "cache_start",
    }


@pytest.mark.parametrize(
    ("durability", "texts"),
    [
        (SAFE, "innodb_flush_log_at_trx_commit 1, sync_binlog 1, replicas 0"),
        (
            {**SAFE, "log_bin": "OFF"},
            "innodb_flush_log_at_trx_commit 1, sync_binlog 1 (no binary log), replicas 0",
        ),
        ({"sql_log_bin": "ON", "semi_sync_replicas": 0, "min-replicas-to-write": 0}, ""),
        (
            {"sql_log_bin": "OFF", "semi_sync_replicas": 1, "min-replicas-to-write": 2},
            "sql_log_bin OFF, semi_sync_replicas 1, min-replicas-to-write 2",
        ),
    ],
)
def test_the_sheet_says_the_settings_that_have_an_effect(
    durability: dict[str, str | int], texts: str
) -> None:
    given = facts(mysql=server(durability=durability))
    assert dict(fairness_lines(given, RaceConfig()))["mysql"].rpartition("; ")[2] == texts


def test_the_whole_sheet_of_a_race_in_its_order_and_its_words() -> None:
    given = facts(durable=server("store", "d", nodes=3), mysql=server(trip_us=None))
    given = replace(given, servers=dict(reversed([*given.servers.items()])))
    kept = "innodb_flush_log_at_trx_commit 1, sync_binlog 1, replicas 0"
    # A rate is nothing to speak of in a closed loop.
    assert list(fairness_lines(given, RaceConfig(rate_per_s=100.0))) == [
        ("load", "saturate; uniform keys; cache cold at the start, TTL 120 s"),
        (
            "mysql",
            f"database MariaDB 1.2, TLS off, round trip not readable, pipeline depth 1; {kept}",
        ),
        ("cached", f"database MariaDB 1.2, TLS off, round trip 100 us, pipeline depth 1; {kept}"),
        ("cached", "cache Redis 1.2, TLS off, round trip 100 us, pipeline depth 1; "),
        (
            "durable",
            "store Redis 1.2, 3 nodes, TLS off, round trip 100 us, pipeline depth 33.3 SETs; "
            "appendonly yes, appendfsync always, replicas 1",
        ),
    ]


@pytest.mark.parametrize(
    ("nodes", "batch", "said"),
    [
        (2, 4, ", 2 nodes, TLS off, round trip 100 us, pipeline depth 2 SETs"),
        (2, 3, ", 2 nodes, TLS off, round trip 100 us, pipeline depth 1.5 SETs"),
        (2, 2, ", 2 nodes, TLS off, round trip 100 us, pipeline depth 1"),
        (1, 1, ", TLS off, round trip 100 us, pipeline depth 1"),
    ],
)
def test_a_store_has_its_nodes_and_its_depth_where_there_is_more_than_one(
    nodes: int, batch: int, said: str
) -> None:
    given = facts(durable=server("store", "d", nodes=nodes))
    line = dict(fairness_lines(given, RaceConfig(batch=batch)))["durable"]
    assert line.partition("; ")[0] == f"store Redis 1.2{said}"


def test_what_has_no_effect_is_not_in_the_sheet() -> None:
    closed = fairness(facts(), RaceConfig(rate_per_s=100.0, rounds=5))
    assert (closed["rate_per_s"], closed["rounds"]) == (None, None)
    paced = fairness(facts(), RaceConfig(mode="pace", rate_per_s=100.0, heats=True, rounds=5))
    assert (paced["rate_per_s"], paced["rounds"]) == (100.0, 5)
