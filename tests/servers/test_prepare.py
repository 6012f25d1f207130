"""`telemon prepare` and `telemon clean` on servers of one's own: what is telemon's, all of it and nothing else."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engines.backends.redis.client import client, nodes
from engines.backends.redis.own_keys import delete_own_keys
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.provisioning import clean, prepare
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS
from tests.support.race_run import table
from tests.support.user_servers import (
    CODE,
    ROOT,
    OwnServers,
    as_root,
    checksums,
    plant,
    redis_endpoints,
    servers,
    uproot,
)

RACE = ("run", "--duration", "0.5s", "--warmup", "0s", "--format", "json")


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Iterator[OwnServers]:
    """Servers on which somebody has tables and keys already, and telemon nothing."""
    _forget(sandbox)
    plant(sandbox)
    before = checksums(sandbox)
    yield OwnServers.of(sandbox, tmp_path)
    assert checksums(sandbox) == before, "somebody else's tables or keys have changed"
    uproot(sandbox)
    _forget(sandbox)


def _forget(sandbox: Sandbox) -> None:
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars")
    for at in redis_endpoints(sandbox):
        delete_own_keys(at)


def mysqls(own: OwnServers) -> list[MySQLEndpoint]:
    found = servers(own.sandbox.endpoints).values()
    return [at for at in found if isinstance(at, MySQLEndpoint)]


def cluster(own: OwnServers) -> RedisEndpoint:
    at = own.sandbox.endpoints["durable"].redis
    assert at is not None
    return at


def cars_of(at: RedisEndpoint) -> set[int]:
    """The cars that have a key."""
    found = set()
    for address in nodes(at):
        with client(address, at) as node:
            for name in node.scan_iter(match="telemon:5*", count=5000):
                found.add(int(name.removeprefix(b"telemon:")))
    return found


def cars_in(own: OwnServers) -> list[object]:
    """Which of the two MySQL servers has a table of cars."""
    asked = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'cars'"
    return [as_root(own.sandbox, server, asked)[0][0] for server in ("mysql", "cached-mysql")]


def test_before_a_race_there_is_telemon_prepare_and_after_it_telemon_clean(
    own: OwnServers,
) -> None:
    refused = own.telemon(*RACE)
    assert refused.code == 1
    assert refused.out == ""
    (line,) = [line for line in refused.err.splitlines() if "telemon prepare" in line]
    assert "lane mysql" in line
    assert cars_in(own) == [0, 0], "a race made something on a server that is not its own"

    shown = own.telemon("prepare")
    assert shown.code == 2
    assert "--yes" in shown.err
    assert cars_in(own) == [0, 0], "prepare did what nobody had agreed to"
    for at in mysqls(own):
        assert f"MySQL {at.host}:{at.port}/telemon: to do: make table cars" in shown.out

    made = own.telemon("prepare", "--yes")
    assert (made.code, made.err) == (0, "")
    hot = set(range(HOT_KEYS.first, HOT_KEYS.last + 1))
    for at in mysqls(own):
        assert set(table(at)) == hot
    assert cars_of(cluster(own)) == hot
    again = own.telemon("prepare")
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[-1] == "nothing to do"

    raced = own.telemon(*RACE)
    assert raced.code == 0, raced.err

    shown = own.telemon("clean")
    assert shown.code == 2
    assert cars_in(own) == [1, 1], "clean did what nobody had agreed to"
    assert "to do: drop table cars" in shown.out
    cleaned = own.telemon("clean", "--yes")
    assert (cleaned.code, cleaned.err) == (0, "")
    assert cars_in(own) == [0, 0]
    assert [cars_of(at) for at in redis_endpoints(own.sandbox)] == [set(), set()]
    again = own.telemon("clean")
    assert (again.code, again.out.splitlines()[-1]) == (0, "nothing to do")


def test_a_foreign_table_is_refused_by_all_and_changed_by_none(own: OwnServers) -> None:
    as_root(
        own.sandbox,
        "cached-mysql",
        "CREATE TABLE telemon.cars (car_id INT PRIMARY KEY, rpm INT) COMMENT='the car pool'",
        "INSERT INTO telemon.cars VALUES (50000000, 1), (50000001, 2)",
    )
    before = as_root(own.sandbox, "cached-mysql", "CHECKSUM TABLE telemon.cars")
    refused = own.telemon("prepare", "--yes")
    assert refused.code == 1
    assert "was not made by telemon" in refused.err
    assert cars_in(own) == [0, 1], "prepare began although it could not be ended"
    race = own.only("cached.mysql", "cached.redis").telemon(*RACE, "--lanes", "cached")
    assert race.code == 1
    assert "was not made by telemon" in race.err
    cleaned = own.telemon("clean", "--yes")
    assert cleaned.code == 0
    assert "as it is: table cars: not made by telemon" in cleaned.out
    assert as_root(own.sandbox, "cached-mysql", "CHECKSUM TABLE telemon.cars") == before


@pytest.fixture
def creator(own: OwnServers) -> Iterator[OwnServers]:
    """Lane mysql on a database that is not there yet, with a user who may make it."""
    grant = "GRANT ALL ON `fresh-1`.* TO telemon@'127.0.0.1'"
    as_root(own.sandbox, "mysql", "DROP DATABASE IF EXISTS `fresh-1`", grant)
    yield own.only("mysql").with_table("mysql", database="fresh-1")
    as_root(
        own.sandbox,
        "mysql",
        "DROP DATABASE IF EXISTS `fresh-1`",
        grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "),
    )


def databases(own: OwnServers) -> set[object]:
    return {name for (name,) in as_root(own.sandbox, "mysql", "SHOW DATABASES")}


def tables(own: OwnServers, database: str) -> list[object]:
    return [name for (name,) in as_root(own.sandbox, "mysql", f"SHOW TABLES IN `{database}`")]


def test_a_database_that_telemon_made_stays_and_what_others_keep_in_it_too(
    creator: OwnServers,
) -> None:
    refused = creator.telemon(*RACE, "--lanes", "mysql")
    assert refused.code == 1
    assert "telemon prepare" in refused.err
    made = creator.telemon("prepare", "--yes", "--lanes", "mysql")
    assert made.code == 0, made.err
    assert "to do: make database fresh-1" in made.out
    assert "fresh-1" in databases(creator)
    assert creator.telemon(*RACE, "--lanes", "mysql").code == 0
    # None of these but the view can be seen with the rights that telemon asks for.
    as_root(
        creator.sandbox,
        "mysql",
        "CREATE VIEW `fresh-1`.theirs AS SELECT 1",
        "CREATE PROCEDURE `fresh-1`.theirs() SELECT 1",
        "CREATE FUNCTION `fresh-1`.theirs() RETURNS INT RETURN 1",
        "CREATE EVENT `fresh-1`.theirs ON SCHEDULE EVERY 1 YEAR DO SELECT 1",
    )
    cleaned = creator.telemon("clean", "--yes", "--lanes", "mysql")
    assert cleaned.code == 0, cleaned.err
    assert "DROP DATABASE `fresh-1`" in cleaned.out + cleaned.err
    assert tables(creator, "fresh-1") == ["theirs"]
    kept = (
        "SELECT routine_type FROM information_schema.routines WHERE routine_schema = 'fresh-1' "
        "UNION ALL SELECT event_name FROM information_schema.events WHERE event_schema = 'fresh-1'"
    )
    found = as_root(creator.sandbox, "mysql", kept)
    assert sorted(str(name) for (name,) in found) == ["FUNCTION", "PROCEDURE", "theirs"]


def test_what_changes_hands_between_the_question_and_the_answer_is_left_alone(
    creator: OwnServers,
) -> None:
    at = creator.sandbox.endpoints["mysql"].mysql
    assert at is not None
    lanes = {"mysql": LaneEndpoints("mysql", mysql=replace(at, database="fresh-1"))}
    for change in prepare.plan(lanes, seed=1).changes:
        change.apply()
    (table,) = clean.plan(lanes).changes
    as_root(
        creator.sandbox,
        "mysql",
        "DROP DATABASE `fresh-1`",
        "CREATE DATABASE `fresh-1`",
        "CREATE TABLE `fresh-1`.cars (id INT)",
    )
    assert "left alone" in table.apply()
    assert tables(creator, "fresh-1") == ["cars"]


def test_a_user_who_may_not_make_the_database_is_told_what_to_ask_for(own: OwnServers) -> None:
    refused = own.only("mysql").with_table("mysql", database="elsewhere")
    done = refused.telemon("prepare", "--yes", "--lanes", "mysql")
    assert done.code == 1
    assert "CREATE DATABASE IF NOT EXISTS `elsewhere`" in done.err
    assert "GRANT CREATE, DROP, SELECT, INSERT, UPDATE ON `elsewhere`.*" in done.err
    assert "elsewhere" not in databases(own)


@pytest.mark.parametrize("command", [("prepare", "--yes"), ("clean", "--yes"), RACE])
@pytest.mark.parametrize("lane", ["mysql", "durable"])
def test_a_server_that_is_not_there_points_to_the_doctor(
    own: OwnServers, command: tuple[str, ...], lane: str
) -> None:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        gone = own.only(lane).with_table(lane, port=held.getsockname()[1])
        done = gone.telemon(*command, "--lanes", lane)
    assert done.code == 1
    assert "`telemon doctor`" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_connection_lost_in_a_race_points_to_the_doctor(
    own: OwnServers, breakable: Sandbox
) -> None:
    assert own.telemon("prepare", "--yes", "--lanes", "durable").code == 0
    race = ("run", "--duration", "4s", "--warmup", "0s", "--lanes", "durable")
    with own.started(*race) as process:
        assert process.stdout is not None
        assert any("racing" in line for line in process.stdout)
        breakable.kill("durable-2")
        _, err = process.communicate(timeout=60)
    line = next(line for line in err.splitlines() if "reconnecting" in line)
    assert line.endswith("; `telemon doctor` says why"), err


@pytest.mark.parametrize(
    ("answer", "code", "cars"),
    [("n", 1, 0), ("", 1, 0), ("\udce9", 1, 0), ("y\udce9", 1, 0), ("y", 0, 1)],
    ids=["no", "nothing", "not UTF-8", "yes and not UTF-8", "yes"],
)
def test_on_a_terminal_it_asks(own: OwnServers, answer: str, code: int, cars: int) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "prepare", "--lanes", "mysql", "--config", own.write()],
        cwd=ROOT,
        env={**os.environ, **own.environ, "PYTHONIOENCODING": "utf-8:strict"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        seen = _until(master, b"[y/N]")
        assert b"to do: make table cars" in seen
        assert cars_in(own) == [0, 0]
        os.write(master, f"{answer}\n".encode("utf-8", "surrogateescape"))
        assert process.wait(20) == code
        if code:
            _until(master, b"telemon: nothing was done")
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert cars_in(own) == [cars, 0]


def _until(master: int, word: bytes) -> bytes:
    seen, until = b"", time.monotonic() + 20
    while word not in seen:
        assert time.monotonic() < until, seen
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 4096)
    return seen
