"""What the servers themselves heard over a full race, doctor, prepare and clean: nothing outside of this list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

from engines.sandbox.sandbox import Sandbox
from tests.support.bastion_docs import acl_rules
from tests.support.restricted_user import PASSWORD, USER, drop_redis_user, make_redis_user
from tests.support.server_log import overheard
from tests.support.user_servers import (
    OwnServers,
    as_root,
    checksums,
    plant,
    redis_endpoints,
    uproot,
)

NUMBER = r"[0-9]+"
ROW = r"\([0-9]+(,[0-9]+){5}\)"

LOCK = r"'telemon:(telemon|telemon_cached|fresh-2)\.cars'"

STATEMENTS = {
    # Signing in, and looking.
    r"SET NAMES utf8mb4, sql_mode='[A-Z_,]+', sql_select_limit=[0-9]+, "
    r"/\*!50720 transaction_isolation='REPEATABLE-READ', \*/ "
    r"/\*M!100000 tx_isolation='REPEATABLE-READ', \*/ autocommit=0, autocommit=1(, autocommit=0)?": (
        "what telemon relies on, when a connection is opened"
    ),
    r"SET NAMES utf8mb4": "the same, where the product lacks one of the variables",
    r"SET autocommit=[01]": "the same, where the product lacks one of the variables",
    r"SELECT CURRENT_USER\(\)": "doctor: as whom the server sees telemon",
    r"SELECT UTC_TIMESTAMP\(6\)": "doctor: whether the clocks agree",
    r"SELECT @@[a-z_]+(, @@[a-z_]+)*": "version, durability, and which server this is",
    r"SHOW GLOBAL (STATUS|VARIABLES) WHERE Variable_name IN \([A-Za-z_', ]+\)": (
        "the server's own counters, and settings for doctor and the fairness sheet"
    ),
    r"SHOW GLOBAL STATUS LIKE 'Threads_connected'": "doctor: room for connections",
    r"SHOW SESSION VARIABLES WHERE Variable_name IN \([a-z_', ]+\)": "doctor: what a session is like",
    r"SHOW VARIABLES LIKE 'aurora_version'": "whether it is Aurora",
    r"SHOW TABLE STATUS WHERE Name = '[a-z0-9_]+'": "whose the table is, where information_schema knows of none",
    r"SELECT engine FROM information_schema\.tables WHERE table_schema = DATABASE\(\) "
    r"AND table_name = 'cars'": "whether it has transactions",
    r"SELECT table_comment FROM information_schema\.tables WHERE table_schema = DATABASE\(\) "
    r"AND table_name = 'cars'": "whether telemon made it",
    # Reading and writing rows of table cars, and of no other.
    rf"SELECT COUNT\(\*\) FROM cars WHERE car_id BETWEEN {NUMBER} AND {NUMBER}": (
        "whether the hot cars are there"
    ),
    r"SELECT car_id, rpm, water_temp, oil_temp, oil_pressure, version FROM cars "
    rf"WHERE car_id BETWEEN {NUMBER} AND {NUMBER}": "the hot cars, for a cache that begins filled",
    r"SELECT car_id, rpm, water_temp, oil_temp, oil_pressure, version FROM cars "
    rf"WHERE car_id IN \({NUMBER}(,{NUMBER})*\)": "acknowledged rows, at the end of a race",
    r"SELECT avg\(rpm\) rpm, avg\(water_temp\) water_temp, avg\(oil_temp\) oil_temp, "
    r"avg\(oil_pressure\) oil_pressure, max\(version\) version, sum\(car_id\) car_id "
    rf"FROM cars WHERE car_id = {NUMBER}": "the race's read",
    r"INSERT INTO cars\(car_id,rpm,water_temp,oil_temp,oil_pressure,version\) "
    rf"VALUES {ROW}(,{ROW})* ON DUPLICATE KEY UPDATE [a-z_=VALUES(),]+": (
        "the race's write, prepare's hot cars, and doctor's try"
    ),
    r"START TRANSACTION": "doctor tries its rights in one that is rolled back",
    r"COMMIT": "preset deck: one for each batch",
    r"ROLLBACK": "doctor takes its try back",
    # The lease: a lock of the server's with a name, on a connection of its own.
    rf"SHOW STATUS WHERE IF\(Variable_name = 'Uptime', GET_LOCK\({LOCK}, 0\), 0\) = 1": "a race begins",
    rf"DO RELEASE_LOCK\({LOCK}\)": "a race ends",
    rf"SHOW STATUS WHERE IF\(Variable_name = 'Uptime', IS_USED_LOCK\({LOCK}\) IS NOT NULL, 0\) = 1": (
        "doctor, prepare and clean: whether another telemon races"
    ),
    # Making and removing table cars, and making a database.
    r"CREATE TABLE cars \([A-Za-z_, ]+\) ENGINE=InnoDB COMMENT='made by telemon'": "prepare",
    r"DROP TABLE cars": "clean",
    r"CREATE DATABASE `fresh-2`": "prepare, where there is none",
}
"""All that telemon may say to a MySQL server, and what for."""

RARE = {r"SET NAMES utf8mb4", r"SET autocommit=[01]"}
"""What the servers here need not hear."""

KINDS = {"Connect", "Init DB", "Query", "Quit", "Ping"}
"""The rest of MySQL's protocol that it may use."""

KEY = r"telemon:([0-9]+|doctor:[0-9a-f]+:[0-9]+)"

DOCTOR_KEY = r"telemon:doctor:[0-9a-f]+:[0-9]+"

DOCTOR_SET = rf"SET {DOCTOR_KEY} telemon PX 10000"

SIGNATURE = r"user [\w.-]+, pid [0-9]+, since [0-9-]{10} [0-9:]{8} UTC, token [0-9a-f]{32}"

COMMANDS = {
    r"AUTH( \(redacted\)){1,2}": "signing in",
    rf"GET {KEY}": "the race's read; whether the hot cars are there; doctor's try",
    rf"SET {KEY} [0-9:]+": "the race's write, and prepare's hot cars",
    rf"SET {KEY} [0-9:]+ PX {NUMBER}": "what a miss, or a filled start, puts into the cache",
    DOCTOR_SET: "doctor's try where it may not ask what it may do: a key of its own that goes away by itself",
    rf"UNLINK {KEY}": "clean, a cold start, and the end of doctor's try: a key by its name",
    rf"PEXPIRE {DOCTOR_KEY} 10000": "doctor's try of what a lease needs",
    rf"SET telemon:marker telemon marker: {SIGNATURE} NX": "prepare, and a race: whose the namespace is",
    r"GET telemon:marker": "whether telemon wrote it",
    r"UNLINK telemon:marker": "clean, after the last key of a car",
    rf"SET telemon:lease telemon lease: {SIGNATURE} NX PX 15000": "a race begins",
    r"PEXPIRE telemon:lease (15000|0)": "the lease is renewed, and ends with the race",
    r"GET telemon:lease": "whether another telemon races, and whether the lease was held to the end",
    rf"SCAN {NUMBER} MATCH telemon:\*( COUNT {NUMBER})?": "clean looks for telemon's keys, bit by bit",
    r"SCAN 0 MATCH telemon:doctor:\* COUNT 1": "doctor tries whether that is allowed",
    rf"PTTL {KEY}": "how long what a race put into the cache stays there, at its end",
    r"PING": "doctor and the fairness sheet: the round trip",
    r"INFO [a-z]+": "version, role, durability, the server's own counters",
    r"CLUSTER SLOTS": "which node serves what",
    r"ASKING": "before what a half-moved slot's new owner is asked",
    r"READONLY": "reads from replicas, by choice",
    r"ACL WHOAMI": "doctor: as whom the server sees telemon",
}
"""All that telemon may say to a Redis server, as MONITOR shows it, and what for."""

RARELY_HEARD = {r"ASKING", r"READONLY"}
"""What needs a cluster that changes, or one with replicas."""

COUNTED = {
    "get", "set", "pexpire", "unlink", "scan", "ping", "pttl", "info", "auth", "asking", "readonly",
    "cluster|slots", "acl|whoami", "acl|dryrun", "config|get",
}  # fmt: skip
"""The same as the server counts it: MONITOR keeps silent about what administers, CONFIG SET and ACL among it."""

OURS = {"monitor", "config|resetstat", "client|kill", "client|id", "client|list", "quit"}
"""What this test itself says."""


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Iterator[OwnServers]:
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars")
    grant = "GRANT ALL ON `fresh-2`.* TO telemon@'127.0.0.1'"
    as_root(sandbox, "mysql", "DROP DATABASE IF EXISTS `fresh-2`", grant)
    plant(sandbox)
    yield OwnServers.of(sandbox, tmp_path).with_table("mysql", database="fresh-2")
    uproot(sandbox)
    revoke = grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")
    as_root(sandbox, "mysql", "DROP DATABASE IF EXISTS `fresh-2`", revoke)


def test_the_servers_hear_nothing_outside_of_the_list(own: OwnServers) -> None:
    sandbox = own.sandbox
    before = checksums(sandbox)
    statements: list[tuple[str, str]] = []
    at = redis_endpoints(sandbox)[-1]
    make_redis_user(at, acl_rules())
    modest = own.with_table("durable", user=USER, password=PASSWORD, password_env=None)
    with overheard(sandbox, statements) as listeners:
        race = ("run", "--duration", "0.5s", "--warmup", "0s", "--ttl", "200ms")
        for command, code in (
            (("doctor",), 1),
            (("run",), 1),
            (("prepare", "--yes"), 0),
            (("doctor",), 0),
            ((*race, "--cache", "filled"), 0),
            ((*race, "--preset", "deck", "--batch", "5"), 0),
            (("clean", "--yes"), 0),
        ):
            done = own.telemon(*command)
            assert done.code == code, (command, done.err, done.out)
        # Who may not ask what he may do has to try it.
        assert modest.telemon("doctor", "--lanes", "durable").code == 1
    drop_redis_user(at)
    assert checksums(sandbox) == before

    kinds = {kind for kind, _ in statements}
    assert kinds <= KINDS
    said = {text for kind, text in statements if kind == "Query"}
    assert len(said) > 100, "the log was not on"
    _all_listed(said, STATEMENTS, RARE)

    heard = {command for listener in listeners for command in listener.heard}
    assert len(heard) > 100, "nobody listened"
    _all_listed(heard, COMMANDS, RARELY_HEARD)
    counted = {name for listener in listeners for name in listener.counted}
    assert counted <= COUNTED | OURS, counted - COUNTED - OURS
    assert {"get", "set", "unlink", "scan"} <= counted


def _all_listed(told: set[str], allowed: Mapping[str, str], rare: Set[str]) -> None:
    """Whether everything told is on the list, and everything on the list was told."""
    patterns = [re.compile(pattern) for pattern in allowed]
    foreign = [text for text in told if not any(each.fullmatch(text) for each in patterns)]
    assert not foreign, foreign[:5]
    for each in patterns:
        assert each.pattern in rare or any(each.fullmatch(text) for text in told), each.pattern
