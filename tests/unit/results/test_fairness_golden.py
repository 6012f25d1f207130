"""The fairness sheet of the result's JSON, byte for byte, for three environments."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.config.race_config import RaceConfig
from engines.model.caveats import Caveat, UnreadableCounters, VolatileStorage
from engines.model.environment import MachineFacts, RaceEnvironment
from engines.model.server_facts import ServerFacts, TlsMode
from engines.results.caveat_text import describe_caveat
from engines.results.result_json import result_document
from engines.results.summary import Summary
from tests.support.frames import CACHED, MYSQL

GOLDEN = Path(__file__).parent / "golden"

TMPFS = VolatileStorage("tmpfs")


def database(identity: str, tls: TlsMode = TlsMode.OFF) -> ServerFacts:
    durability: dict[str, str | int] = {
        "innodb_flush_log_at_trx_commit": 1,
        "sync_binlog": 1,
        "log_bin": "ON",
        "replicas": 0,
    }
    return ServerFacts("database", "MariaDB", "10.11.6", 1, tls, 61.3, durability, identity)


CACHE = ServerFacts(
    "cache", "Redis", "7.0.15", 1, TlsMode.OFF, None, {"appendonly": "no", "replicas": 0}, "a3"
)
STORE = ServerFacts(
    "store",
    "Redis",
    "7.0.15",
    3,
    TlsMode.OFF,
    61.3,
    {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "min-replicas-to-write": 0,
        "replicas": "not readable",
    },
    "a4",
)
SERVERS = {
    "mysql": [database("a1")],
    "cached": [database("a2", TlsMode.VERIFIED), CACHE],
    "durable": [STORE],
}
MACHINE = MachineFacts(
    cpus=4,
    cpus_allowed=2,
    cpu_limit=1.5,
    memory_bytes=25_276_030_976,
    memory_limit_bytes=2_147_483_648,
    system="Linux 6.1 x86_64",
    versions={"python": "3.12.3", "hiredis": "3.1.0", "redis": "6.0.0", "pymysql": "1.1.1"},
)
ADDRESSES = ("db.example:3306", "cache.example:6379")
MIXED = RaceEnvironment(
    addresses={"mysql": (), "cached": ADDRESSES, "durable": ()},
    machine=MACHINE,
    servers=SERVERS,
    caveats=(TMPFS, UnreadableCounters("cached", "no rights")),
    file_system="tmpfs",
    volatile=True,
)
OWN = RaceEnvironment(
    addresses={"cached": ADDRESSES},
    machine=replace(MACHINE, cpu_limit=None, cpus_allowed=4, memory_limit_bytes=None),
    servers={"cached": SERVERS["cached"]},
)
PRIVATE = replace(
    MIXED,
    addresses={"mysql": (), "cached": (), "durable": ()},
    caveats=(),
    file_system="ext4",
    volatile=False,
)


@pytest.mark.parametrize(
    ("name", "environment", "settings"),
    [
        ("mixed", MIXED, RaceConfig(processes=2)),
        ("own", OWN, RaceConfig(lanes=("cached",))),
        ("private", PRIVATE, RaceConfig(mode="pace", rate_per_s=500.0, keys="zipfian")),
    ],
)
def test_the_fairness_sheet_is_the_same_to_the_byte(
    name: str, environment: RaceEnvironment, settings: RaceConfig
) -> None:
    note = (describe_caveat(TMPFS),)
    durable = replace(MYSQL, lane="durable", title="Durable Redis", notes=note)
    lane_infos = (replace(MYSQL, notes=note), CACHED, durable)
    summary = Summary(
        settings, [each for each in lane_infos if each.lane in settings.lanes], environment
    )
    sheet: Any = result_document(summary)["fairness"]
    assert json.dumps(sheet, indent=1) + "\n" == (GOLDEN / f"fairness_{name}.json").read_text()


def test_a_lane_s_note_that_repeats_a_caveat_of_all_lanes_is_left_out() -> None:
    caveats: tuple[Caveat, ...] = (TMPFS,)
    lane_info = replace(MYSQL, notes=(describe_caveat(TMPFS), "a cold cache"))
    summary = Summary(RaceConfig(lanes=("mysql",)), (lane_info,), RaceEnvironment(caveats=caveats))
    assert summary.notes() == (describe_caveat(TMPFS), "mysql: a cold cache")
