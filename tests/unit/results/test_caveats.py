"""Caveats are typed: what is found, and the sentence for each kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.metrics.totals import LaneTotals
from engines.model import caveats as kinds
from engines.model.caveats import Caveat, ServerPlace
from engines.model.controls import Release, describe
from engines.model.environment import MachineFacts, RaceEnvironment
from engines.model.read_back import (
    CacheLifetimes,
    LostRow,
    ReadBack,
    SettingChange,
    UnreadSettings,
)
from engines.model.server_facts import TRANSACTION_IDS, ServerFacts, TlsMode
from engines.results.caveat_text import caveat_sentences, describe_caveat
from engines.results.caveats import closing_caveats, comparison_caveats, lane_caveats
from engines.results.reconciliation import reconcile
from engines.results.summary import LoadChange, Summary
from tests.support.frames import CACHED, MYSQL, frame, work
from tui.report.race_report import build_report

DATABASE, STORE = ServerPlace("mysql", "database"), ServerPlace("durable", "store")

SENTENCES: list[tuple[Caveat, str]] = [
    (
        kinds.VolatileStorage("tmpfs"),
        "data on tmpfs: memory, not a disk, so a commit costs nothing here",
    ),
    (
        kinds.SmallServers(64 << 20, 256 << 20),
        "little memory was free: the buffer pools and the cache of the private servers have 64 MiB each, not 256; "
        "compare only with races that had the same",
    ),
    (
        kinds.OpenClusterBus("durable", kinds.OpenBusReason.NO_OPENSSL),
        "the nodes of lane durable's private cluster talk to each other without TLS, because no openssl program is "
        "installed to make their certificate with: another user of this machine can join the cluster and take slots "
        "from it",
    ),
    (
        kinds.SharedServer(("mysql", "cached")),
        "lanes mysql and cached share one server: each slows the other down",
    ),
    (
        kinds.SharedServer(("mysql", "cached"), "MySQL"),
        "lanes mysql and cached share one MySQL server: each slows the other down",
    ),
    (
        kinds.UnreadableCounters("durable", "denied"),
        "lane durable: its servers' own counters cannot be read (denied); `telemon doctor` says why",
    ),
    (
        kinds.AssumedStandalone("durable", "Redis a:1", "denied", shown=False),
        "lane durable: Redis a:1 refuses CLUSTER SLOTS (denied) and is taken for a server in no cluster, which INFO "
        "does not say: if it is in one, an operation that it sends to another node fails",
    ),
    (
        kinds.AssumedStandalone("durable", "Redis a:1", "denied", shown=True),
        "lane durable: Redis a:1 refuses CLUSTER SLOTS (denied) and is taken for a server in no cluster, as INFO says",
    ),
    (
        kinds.NoLease("durable", "Redis a:1", "denied"),
        "lane durable: nothing keeps another telemon off Redis a:1: it gives this user no lease (denied)",
    ),
    (
        kinds.LostLease("mysql", "MySQL a:1/telemon"),
        "lane mysql: the lease on MySQL a:1/telemon was lost during the race: another telemon may race in the same "
        "namespace, and these figures may be those of both",
    ),
    (
        kinds.LostLease("cached", "Redis a:1", "user b, pid 1"),
        "lane cached: the lease on Redis a:1 was lost during the race: another telemon (user b, pid 1) races in the "
        "same namespace, and these figures may be those of both",
    ),
    (kinds.LaneNote("mysql", "a note"), "mysql: a note"),
    (
        kinds.DifferentDatabases({"mysql": "MySQL 8.0", "cached": "MariaDB 11"}),
        "the databases are not the same: that of lane mysql is MySQL 8.0 and that of lane cached is MariaDB 11",
    ),
    (
        kinds.UnevenTls((DATABASE,), (STORE, ServerPlace("cached", "cache"))),
        "TLS costs the database of lane mysql and not the store of lane durable and the cache of lane cached",
    ),
    (
        kinds.UnevenRoundTrips(STORE, 1_234.4, DATABASE, 56.0),
        "a round trip to the store of lane durable takes 1,234 us, to the database of lane mysql 56 us",
    ),
    (
        kinds.WeakDurability("durable", "appendonly", "no"),
        "durable: a SET is kept in memory only (appendonly = no)",
    ),
    (
        kinds.DuplicateFillsPerProcess(4),
        "duplicate fills are counted within each of the 4 engine processes",
    ),
    (
        kinds.CacheNotReset("cold"),
        "the cache is cold before the first round only; later rounds find it as the one before left it",
    ),
    (
        kinds.SharedMachine(2),
        "telemon and the private servers of all lanes share this machine's 2 processors: a lane that does more leaves "
        "less to the others; --heats gives each the machine to itself",
    ),
    (
        kinds.ProcessorLimit(1.5, 8),
        "telemon may use 1.5 of the machine's 8 processors",
    ),
    (
        kinds.SeparateReleases({"mysql": 3.0, "cached": 2.04}),
        "the lanes were released one by one and measured at times of their own: mysql 3.0 s, cached 2.0 s; their rates "
        "compare, their totals only as far as these times are equal",
    ),
    (
        kinds.ClientBound("mysql", "cpu 91 % of a core"),
        "mysql: client-bound (cpu 91 % of a core): telemon and not the servers may be what limits it",
    ),
    (
        kinds.CpuContention("mysql", (kinds.OperationDelay("read", 50.4, 99.0),), 2_100.0),
        "mysql: short of processors: telemon had to wait for one, on average 50 us in a read of 99 us and so that "
        "replies waited up to 2.1 ms (p99) for it: latencies say as much of this machine as of the servers",
    ),
    (
        kinds.Overloaded("mysql", 1_234),
        "mysql: overloaded, it did less than was offered: up to 1,234 operations were due and had not begun; its "
        "response times grow with the length of the race",
    ),
    (
        kinds.NoSuccess("mysql", "write", False),
        "mysql: no write was acknowledged in the measured time: its writers have no rate and no latency to compare; "
        "fewer connections (writers, readers), smaller batches or a longer race may bring some",
    ),
    (
        kinds.NoSuccess("durable", "read", True),
        "durable: no read was answered in the measured time, though some were before it: its readers have no rate and "
        "no latency to compare; fewer connections (writers, readers), smaller batches or a longer race may bring some",
    ),
    (
        kinds.WrongContent("durable", 1_234),
        "durable: 1,234 reads brought something else than a row of the car asked for (wrong content): they count as no "
        "rows and no hits; another application may use telemon's keys or table, or what answers is not the server "
        "itself",
    ),
    (
        kinds.RowsLost("mysql", 1_200, 1_000, 20, 3, (LostRow(50_000_007, 12, None),)),
        "mysql: acknowledged rows are lost: of 1,200 that were read back on a new connection, 1,000 are missing and "
        "20 are older than acknowledged and 3 are different from what was written (car 50000007: version 12 "
        "acknowledged, no row stored); what this lane wrote is not stored as its servers acknowledged it",
    ),
    (
        kinds.RowsLost("durable", 9, 0, 1, 0, (LostRow(50_000_007, 12, 11),)),
        "durable: acknowledged rows are lost: of 9 that were read back on a new connection, 1 are older than "
        "acknowledged (car 50000007: version 12 acknowledged, version 11 stored); what this lane wrote is not stored "
        "as its servers acknowledged it",
    ),
    (
        kinds.CommitsShort("mysql", 65_293, 3),
        "mysql: MySQL acknowledged 65,293 writes and committed 3: what it did not commit is not stored, and costs "
        "less than a commit",
    ),
    (
        kinds.NotReadBack("durable", 1_000, ""),
        "durable: 1,000 acknowledged rows were not read back at the end: its servers did not answer in time",
    ),
    (
        kinds.NotReadBack("durable", 7, "Connection refused"),
        "durable: 7 acknowledged rows were not read back at the end: Connection refused",
    ),
    (
        kinds.KeysEvicted("durable", 7),
        "durable: its store removed 7 keys for lack of memory (maxmemory): misses are of its size, not of the TTL",
    ),
    (
        kinds.KeysEvicted("cached", 1_234),
        "cached: its cache removed 1,234 keys for lack of memory (maxmemory): misses are of its size, not of the TTL",
    ),
    (
        kinds.WeakDurability("mysql", "engine", "MyISAM"),
        "mysql: a write is in no transaction, so that nothing is committed (engine = MyISAM)",
    ),
    (
        kinds.SettingChanged("durable", "store", "appendfsync", "always", "everysec"),
        "durable: appendfsync of its store was always when the race began and everysec when it ended, so that its "
        "figures are of no single setting",
    ),
    (
        kinds.DurabilityNotReadAgain(
            "mysql", "database", ("engine", "sync_binlog"), timed_out=True
        ),
        "mysql: durability not read again: engine and sync_binlog of its database may have changed during the race (it "
        "did not answer in time)",
    ),
    (
        kinds.DurabilityNotReadAgain("durable", "store", ("appendfsync",), problem="gone"),
        "durable: durability not read again: appendfsync of its store may have changed during the race (gone)",
    ),
    (
        kinds.DurabilityNotReadAgain("durable", "store", ("appendfsync",)),
        "durable: durability not read again: appendfsync of its store may have changed during the race (it shows them "
        "no more)",
    ),
    (
        kinds.TtlNotRead("cached", 0, 200, problem="NOPERM"),
        "cached: TTL not checked: that of 200 of 200 keys in its cache could not be read at the end (NOPERM)",
    ),
    (
        kinds.TtlNotRead("cached", 150, 50, timed_out=True),
        "cached: TTL not checked: that of 50 of 200 keys in its cache could not be read at the end (it did not answer "
        "in time)",
    ),
    (
        kinds.TtlNotRead("cached", 0, 0),
        "cached: TTL not checked: of the keys that were asked for at the end none was left in its cache",
    ),
    (
        kinds.TtlNotKept("cached", 200, 3, 4, 132_000),
        "cached: of 200 keys in its cache 3 never expire and 4 stay longer than 132 s, the longest TTL that was asked "
        "for",
    ),
]


@pytest.mark.parametrize(("caveat", "sentence"), SENTENCES)
def test_each_caveat_has_its_sentence(caveat: Caveat, sentence: str) -> None:
    assert describe_caveat(caveat) == sentence


def test_every_kind_of_caveat_is_among_them() -> None:
    assert {type(caveat) for caveat, _ in SENTENCES} == set(get_args(Caveat))


def found_at_the_end(**closing: Any) -> list[Caveat]:
    return list(closing_caveats({}, ClosingCounts(**closing)))


def test_what_could_not_be_read_again_is_a_caveat_and_fails_no_race() -> None:
    unread = UnreadSettings("store", ("appendfsync",), problem="gone")
    assert found_at_the_end(unread_settings={"durable": [unread], "mysql": ()}) == [
        kinds.DurabilityNotReadAgain("durable", "store", ("appendfsync",), False, "gone")
    ]
    assert not isinstance(kinds.DurabilityNotReadAgain("a", "b", ()), kinds.UNTRUE)


@pytest.mark.parametrize(
    ("found", "caveats"),
    [
        (CacheLifetimes(checked=200), []),
        (
            CacheLifetimes(checked=199, unread=1, problem="no"),
            [kinds.TtlNotRead("cached", 199, 1, False, "no")],
        ),
        (CacheLifetimes(unread=200, timed_out=True), [kinds.TtlNotRead("cached", 0, 200, True)]),
        (CacheLifetimes(), [kinds.TtlNotRead("cached", 0, 0)]),
        (
            CacheLifetimes(checked=2, endless=1, unread=3, allowed_ms=9),
            [kinds.TtlNotRead("cached", 2, 3), kinds.TtlNotKept("cached", 2, 1, 0, 9)],
        ),
    ],
)
def test_a_ttl_that_could_not_be_read_is_a_caveat(
    found: CacheLifetimes, caveats: list[Caveat]
) -> None:
    assert found_at_the_end(lifetimes={"cached": found}, filled=frozenset({"cached"})) == caveats


def test_what_the_servers_do_not_hold_is_a_caveat_with_all_that_was_found() -> None:
    lost = (LostRow(50_000_001, 9, 4), LostRow(50_000_002, 9, None))
    assert found_at_the_end(
        read_backs={
            "mysql": ReadBack(checked=500, missing=1, older=2, different=3, examples=lost),
            "cached": ReadBack(checked=490, unread=10, problem="gone"),
            "durable": ReadBack(checked=500, unanswered=7),
        },
        setting_changes={"durable": [SettingChange("store", "appendfsync", "always", "no")]},
    ) == [
        kinds.RowsLost("mysql", 500, 1, 2, 3, lost),
        kinds.NotReadBack("cached", 10, "gone"),
        kinds.SettingChanged("durable", "store", "appendfsync", "always", "no"),
    ]


def test_commits_that_the_server_does_not_have_are_a_caveat() -> None:
    write = RoleStats(operations=10, rows=1_000)
    counters = {"Com_insert": 10, "Handler_write": 1_000, TRANSACTION_IDS: 12}
    short = reconcile("mysql", "fair", write, RoleStats(), CacheStats(), counters)
    counters[TRANSACTION_IDS] = 20
    whole = reconcile("cached", "fair", write, RoleStats(), CacheStats(), counters)
    found = closing_caveats({"mysql": short, "cached": whole}, ClosingCounts())
    assert list(found) == [kinds.CommitsShort("mysql", 10, 6)]


def test_a_lane_s_own_caveats_carry_what_was_found() -> None:
    busy = LaneFrame(
        "cached",
        LaneState.RACING,
        read=replace(work([5.0]), wrong_content=4),
        overloaded=True,
        backlog={"read": 9, "write": 11},
        server={"evicted_keys": 6},
        client=ClientStats(cpu_share=0.95),
    )
    total = LaneTotals()
    total.add(busy, 1.0, measured=True)
    assert list(lane_caveats(total, total.frame("cached"))) == [
        kinds.ClientBound("cached", total.frame("cached").client.bound_by),
        kinds.Overloaded("cached", 11),
        kinds.WrongContent("cached", 4),
        kinds.KeysEvicted("cached", 6),
    ]
    calm = LaneTotals()
    calm.add(LaneFrame("mysql", LaneState.RACING, read=work([5.0])), 1.0, measured=True)
    assert list(lane_caveats(calm, calm.frame("mysql"))) == []
    late = LaneTotals()
    late.overloaded_s = 1.0
    assert list(lane_caveats(late, LaneFrame("mysql", LaneState.RACING))) == [
        kinds.Overloaded("mysql", 0)
    ]


def test_databases_that_are_not_the_same_are_named_by_lane() -> None:
    def database(version: str) -> ServerFacts:
        return ServerFacts("database", "MariaDB", version, 1, TlsMode.OFF, None, {}, version)

    def found(first: str, second: str) -> list[Caveat]:
        servers = {"mysql": [database(first)], "cached": [database(second)]}
        given = RaceEnvironment(addresses={"mysql": ("a",), "cached": ("b",)}, servers=servers)
        return list(comparison_caveats(given, RaceConfig(lanes=("mysql", "cached"))))

    assert found("10.11", "11.8") == [
        kinds.DifferentDatabases({"mysql": "MariaDB 10.11", "cached": "MariaDB 11.8"})
    ]
    equal = found("10.11", "10.11")
    assert not any(isinstance(each, kinds.DifferentDatabases) for each in equal)


def test_a_cache_that_the_race_put_nothing_into_needs_no_check() -> None:
    assert found_at_the_end(lifetimes={"cached": CacheLifetimes()}) == []


def test_equal_sentences_are_one() -> None:
    twice = kinds.VolatileStorage("tmpfs")
    assert len(caveat_sentences([twice, twice])) == 1


def store(identity: str, tls: TlsMode, trip_us: float) -> ServerFacts:
    return ServerFacts("store", "Redis", "7", 1, tls, trip_us, {"appendonly": "no"}, identity)


def test_caveats_carry_what_was_found() -> None:
    environment = RaceEnvironment(
        addresses={"mysql": (), "durable": ()},
        machine=MachineFacts(8, cpus_allowed=4, cpu_limit=1.5),
        servers={
            "mysql": [store("a", TlsMode.OFF, 100.0)],
            "durable": [store("b", TlsMode.UNVERIFIED, 900.0)],
        },
    )
    near, far = ServerPlace("mysql", "store"), ServerPlace("durable", "store")
    assert list(comparison_caveats(environment, RaceConfig(lanes=("mysql", "durable")))) == [
        kinds.UnevenTls((far,), (near,)),
        kinds.UnevenRoundTrips(far, 900.0, near, 100.0),
        kinds.WeakDurability("mysql", "appendonly", "no"),
        kinds.WeakDurability("durable", "appendonly", "no"),
        kinds.SharedMachine(8),
        kinds.ProcessorLimit(1.5, 8),
    ]


def test_a_lane_on_private_servers_is_one_without_addresses() -> None:
    environment = RaceEnvironment(addresses={"mysql": (), "cached": ("private:3306",)})
    assert environment.private_lanes == ("mysql",)
    assert list(comparison_caveats(environment, RaceConfig())) == []


def summary_of(lane: LaneFrame, *events: Event, note: str = "") -> Summary:
    lane_infos = (replace(MYSQL, notes=(note,) if note else ()), CACHED)
    summary = Summary(RaceConfig(lanes=("mysql", "cached")), lane_infos, RaceEnvironment())
    idle = LaneFrame("cached", LaneState.RACING)
    summary.add(replace(frame(0, 1.0, lane, idle), events=events))
    return summary


def test_a_change_holds_its_control_and_words_it_last() -> None:
    lane = LaneFrame("mysql", LaneState.RACING, read=work([5.0]))
    release = Release("mysql")
    # Whatever the text of the event is: the control decides.
    told = summary_of(lane, Event(7.0, None, "x", control=release))
    assert told.changes == [LoadChange(7.0, 1.0, release)]
    assert told.changes[0].text == "lane mysql released"
    assert set(told.separate_durations_s) == {"mysql", "cached"}
    text_only = summary_of(lane, Event(7.0, None, describe(release)))
    assert text_only.changes[0].text == "lane mysql released"
    assert text_only.separate_durations_s == {}


def test_the_report_leaves_out_what_its_findings_say_and_keeps_a_lane_s_own_note() -> None:
    busy = LaneFrame(
        "mysql",
        LaneState.RACING,
        read=work([5.0]),
        backlog={"read": 9},
        overloaded=True,
        client=ClientStats(cpu_share=0.95),
    )
    # A note of the servers that begins like a caveat is still a note.
    note = "client-bound pools are in use"
    summary = summary_of(busy, note=note)
    assert {type(caveat) for caveat in summary.caveats()} >= {kinds.ClientBound, kinds.Overloaded}
    report = build_report(summary)
    assert report.notes == (f"mysql: {note}", "cached: a cold cache")
    assert [(trust.text, trust.good) for trust in report.trust][1:] == [
        ("client-bound: MySQL", False),
        ("overloaded: MySQL", False),
    ]


@pytest.mark.parametrize(
    ("far_us", "uneven"), [(14_000.0, False), (15_000.0, False), (15_100.0, True)]
)
def test_round_trips_are_uneven_where_the_far_one_is_half_as_long_again(
    far_us: float, uneven: bool
) -> None:
    servers = {
        "mysql": [store("a", TlsMode.OFF, 10_000.0)],
        "durable": [store("b", TlsMode.OFF, far_us)],
    }
    given = RaceEnvironment(addresses={"mysql": ("a",), "durable": ("b",)}, servers=servers)
    found = comparison_caveats(given, RaceConfig(lanes=("mysql", "durable")))
    assert any(isinstance(each, kinds.UnevenRoundTrips) for each in found) is uneven
