"""When things break, a lane says so, counts it, and comes back; the other lanes go on."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection as MySQLConnection
from pymysql.cursors import Cursor
from redis.exceptions import BusyLoadingError, TryAgainError

from engines.backends.redis.client import address_of, client, slot_map
from engines.driver.outcome import Failed
from engines.driver.session import Connection, Session, SessionConnections
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.durable import read_durable
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.race.race import Race
from engines.sandbox.ports import TLS_DISTANCE
from engines.sandbox.sandbox import Sandbox
from engines.wire.dialect import REDIS
from engines.wire.resp import RespReplyParser, key_slot
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import redis_key
from tests.support.lane_context import lane_context
from tests.support.race_run import Ran, engine_pids, forget, keys, mysql, run_race, with_settings
from tests.support.stored_rows import version_of


def lane_of(frame: Frame, name: str) -> LaneFrame:
    return next(lane for lane in frame.lanes if lane.lane == name)


class At:
    """Does each thing once, at the first frame that ends at or after its time."""

    def __init__(self, *things: tuple[float, Callable[[Race], None]]) -> None:
        self._things = list(things)

    def __call__(self, race: Race, frame: Frame) -> None:
        while self._things and frame.elapsed_s >= self._things[0][0]:
            self._things.pop(0)[1](race)


def seconds(ran: Ran, name: str, wanted: Callable[[LaneFrame], bool]) -> list[float]:
    """When the frames ended in which the lane was as wanted."""
    return [frame.elapsed_s for frame in ran.frames if wanted(lane_of(frame, name))]


def clean(lane: LaneFrame) -> bool:
    """Whether the lane raced, in both roles, without an error."""
    return (
        lane.state is LaneState.RACING
        and not lane.read.errors
        and not lane.write.errors
        and lane.read.operations > 0
        and lane.write.operations > 0
    )


class Outage:
    """Kills a server half a second into the race, starts it again a second later, and ends the race once the lane has
    raced for two frames without an error."""

    def __init__(self, sandbox: Sandbox, server: str, lane: str) -> None:
        self._sandbox = sandbox
        self._server = server
        self._lane = lane
        self._clean = 0
        self.killed_s = self.back_s = self.racing_s = 0.0
        """Race clock: when the server was killed, when it was back, when the lane raced again."""

    def __call__(self, race: Race, frame: Frame) -> None:
        if not self.killed_s and frame.elapsed_s >= 0.5:
            self.killed_s = frame.elapsed_s
            self._sandbox.kill(self._server)
        elif self.killed_s and not self.back_s and frame.elapsed_s >= self.killed_s + 1.0:
            began_s = time.monotonic()
            self._sandbox.start_server(self._server)
            self._wait_until_back()
            self.back_s = frame.elapsed_s + time.monotonic() - began_s
        elif self.back_s:
            self._clean = self._clean + 1 if clean(lane_of(frame, self._lane)) else 0
            if self._clean == 1:
                self.racing_s = frame.elapsed_s
            if self._clean == 2:
                race.stop()

    def _wait_until_back(self) -> None:
        """A node of a cluster is back when it takes part in it again: it refuses writes for two seconds of its own."""
        endpoint = self._sandbox.endpoints["durable"].redis
        assert endpoint is not None
        if self._server.startswith("durable"):
            address = f"127.0.0.1:{self._sandbox.servers[self._server].port}"
            deadline_s = time.monotonic() + 30
            with client(address, endpoint) as node:
                while time.monotonic() < deadline_s:
                    with suppress(BusyLoadingError):
                        state: Any = node.execute_command("CLUSTER INFO")
                        if state["cluster_state"] == "ok":
                            return
                    time.sleep(0.02)
            raise TimeoutError("the cluster did not take its node back")


@pytest.mark.parametrize(
    ("server", "lane", "lost"),
    [
        ("mysql", "mysql", {"mysql_2013_lost_connection", "mysql_2006_gone_away"}),
        ("cache", "cached", {"redis_lost_connection", "redis_gone_away"}),
        ("durable-2", "durable", {"redis_lost_connection", "redis_gone_away"}),
    ],
)
def test_a_killed_server_s_lane_reconnects_and_races_again(
    sandbox: Sandbox, server: str, lane: str, lost: set[str]
) -> None:
    forget(sandbox)
    outage = Outage(sandbox, server, lane)
    # With a cold cache, or with few readers on a busy machine, no reply may be due when the server is killed.
    readers = {} if server == "mysql" else {"readers": 12}
    ran = run_race(
        sandbox, with_settings(duration_s=40.0, cache="filled", **readers), on_frame=outage
    )
    total = ran.lanes[lane]

    down = seconds(ran, lane, lambda part: part.state is LaneState.RECONNECTING)
    assert down
    assert down[0] <= outage.killed_s + 1.0
    errors = {**total.write.errors}
    for kind, count in total.read.errors.items():
        errors[kind] = errors.get(kind, 0) + count
    assert lost & errors.keys()
    assert any(kind.endswith("cannot_connect") for kind in errors)
    assert total.write.failures.count + total.read.failures.count > 0
    assert total.reconnects > 0
    if server == "mysql":
        # Nine connections and nothing but failures: the pauses between them grow, to half a second.
        assert sum(errors.values()) < 9 * 60

    # The other lanes had no error, and went on reading during the outage.
    for other in set(ran.lanes) - {lane}:
        assert ran.lanes[other].read.errors == ran.lanes[other].write.errors == {}
        during = [
            lane_of(frame, other)
            for frame in ran.frames
            if outage.killed_s < frame.elapsed_s <= outage.killed_s + 1.0
        ]
        assert sum(part.read.operations for part in during) > 50

    # A frame ends up to a quarter of a second after what it shows.
    assert 0 < outage.racing_s <= outage.back_s + 2.0 + 0.25
    assert ran.states(lane)[-1] is LaneState.DONE
    events = [event.text for frame in ran.frames for event in frame.events if event.lane == lane]
    address = f"127.0.0.1:{sandbox.servers[server].port}"
    assert any(text.startswith(f"reconnecting: {address}: ") for text in events)


def test_with_one_shard_dead_readers_go_on_with_the_others(breakable: Sandbox) -> None:
    """One read of three fails, at once, and counts as what it is; the other two are as quick as ever."""
    forget(breakable)
    ran = run_race(
        breakable,
        with_settings(lanes=("durable",), writers=0, duration_s=4.0),
        on_frame=At((1.5, lambda _: breakable.kill("durable-2"))),
    )
    before = [lane_of(frame, "durable").read for frame in ran.frames if frame.elapsed_s < 1.4]
    down = [lane_of(frame, "durable").read for frame in ran.frames if 2.5 < frame.elapsed_s < 3.9]
    rate_before, rate_down = (
        sum(work.rows for work in works) / sum(work.interval_s for work in works)
        for works in (before, down)
    )
    # Two thirds on a quiet machine; a hundredth is left when everybody waits for the one that is gone.
    assert rate_down > rate_before / 10
    failed = sum(work.failed for work in down)
    assert {kind for work in down for kind in work.errors} == {"redis_cannot_connect"}
    assert 0.25 < failed / (failed + sum(work.operations for work in down)) < 0.42


def test_a_connection_killed_while_idle_is_a_reconnect_and_no_failed_read(sandbox: Sandbox) -> None:
    """The MySQL connections of `cached` readers idle while every read is a hit."""
    forget(sandbox)
    endpoint = sandbox.endpoints["cached"].mysql

    def kill_idle(_: Race) -> None:
        with mysql(endpoint) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
            )
            for (identity,) in cursor.fetchall():
                cursor.execute(f"KILL {identity}")

    settings = with_settings(lanes=("cached",), writers=0, duration_s=1.5)
    ran = run_race(sandbox, settings, on_frame=At((0.8, kill_idle)))
    total = ran.lanes["cached"]
    assert total.reconnects > 0
    assert total.read.failed == total.read.failures.count < total.reconnects


def test_a_lock_held_too_long_is_1205(sandbox: Sandbox) -> None:
    forget(sandbox)
    endpoint = sandbox.endpoints["mysql"].mysql
    with mysql(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_lock_wait_timeout")
        assert cursor.fetchone() == (50,)
    holder = mysql(endpoint, autocommit=False)
    admin = sandbox_admin(sandbox, "mysql")

    def hold(_: Race) -> None:
        with holder.cursor() as cursor:
            cursor.execute(
                "SELECT car_id FROM cars WHERE car_id <= %s FOR UPDATE", (HOT_KEYS.last,)
            )
            cursor.fetchall()

    try:
        with admin.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
        settings = with_settings(lanes=("mysql",), duration_s=2.5)
        ran = run_race(
            sandbox,
            settings,
            on_frame=At((0.4, hold), (1.8, lambda _: holder.rollback())),
        )
    finally:
        with admin.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_lock_wait_timeout = 50")
        admin.close()
        holder.close()
    assert ran.lanes["mysql"].write.errors.keys() == {"mysql_1205_lock_wait_timeout"}
    assert ran.lanes["mysql"].read.errors == {}


def test_a_deadlock_is_1213(sandbox: Sandbox) -> None:
    """A heavier transaction takes rows in the opposite order: the server rolls a batch of the race back."""
    forget(sandbox)
    rival = mysql(sandbox.endpoints["mysql"].mysql, autocommit=False)
    middle = (HOT_KEYS.first + HOT_KEYS.last) // 2

    def from_above(_: Race) -> None:
        with rival.cursor() as cursor:
            cursor.execute(
                "UPDATE cars SET rpm = rpm + 1 WHERE car_id BETWEEN %s AND %s",
                (middle, HOT_KEYS.last),
            )

    def from_below(_: Race) -> None:
        with rival.cursor() as cursor:
            cursor.execute(
                "UPDATE cars SET rpm = rpm + 1 WHERE car_id BETWEEN %s AND %s",
                (HOT_KEYS.first, middle),
            )
        rival.rollback()

    try:
        settings = with_settings(lanes=("mysql",), batch=400, duration_s=2.0)
        ran = run_race(sandbox, settings, on_frame=At((0.4, from_above), (0.9, from_below)))
    finally:
        rival.close()
    assert ran.lanes["mysql"].write.errors.keys() == {"mysql_1213_deadlock"}
    assert ran.lanes["mysql"].write.operations > 0


def test_an_engine_that_dies_is_named_and_counted_and_the_others_go_on(sandbox: Sandbox) -> None:
    forget(sandbox)

    def kill_engine(race: Race) -> None:
        os.kill(engine_pids(race)["durable/read"], signal.SIGKILL)

    ran = run_race(sandbox, with_settings(duration_s=1.5), on_frame=At((0.5, kill_engine)))
    assert ran.lanes["durable"].read.errors == {"engine_died": 1}
    assert ran.states("durable")[-1] is LaneState.DOWN
    assert ran.states("mysql")[-1] is LaneState.DONE
    events = [
        event.text for frame in ran.frames for event in frame.events if event.lane == "durable"
    ]
    assert "engine durable/read number 1 died: killed by signal 9 (SIGKILL)" in events
    late = [lane_of(frame, "durable") for frame in ran.frames if frame.elapsed_s > 1.0]
    assert all(part.read.operations == 0 for part in late)
    assert all(part.write.operations > 0 for part in late[:-1])


def test_moved_slots_are_followed_and_counted(sandbox: Sandbox) -> None:
    """Slots that hold hot cars move to another node while racing: redirects, no error, no lost write."""
    forget(sandbox)
    endpoint = sandbox.endpoints["durable"].redis
    assert endpoint is not None
    mover = SlotMover(sandbox)
    slots = mover.slots_of_hot_cars(40)
    ran = run_race(
        sandbox,
        with_settings(lanes=("durable",), duration_s=2.0),
        on_frame=At((0.4, lambda _: mover.move(slots)), (1.2, lambda _: mover.move_back())),
    )
    total = ran.lanes["durable"]
    assert total.redirects > 0
    assert total.write.errors == total.read.errors == {}
    for car_id, value in keys(endpoint).items():
        assert version_of(value) == total.versions.get(car_id, 1)
    # Where a command was answered in the end, there it counts, here and there.
    assert len(ran.closing.node_comparisons["durable"]) == 3
    for node in ran.closing.node_comparisons["durable"]:
        assert node.telemon.sets == node.server["set_calls"] > 0
        assert node.telemon.gets == node.server["get_calls"] > 0


def test_a_slot_that_nobody_serves_is_clusterdown(sandbox: Sandbox) -> None:
    forget(sandbox)
    mover = SlotMover(sandbox)
    slots = mover.slots_of_hot_cars(20)
    ran = run_race(
        sandbox,
        with_settings(lanes=("durable",), duration_s=1.8),
        on_frame=At((0.4, lambda _: mover.uncover(slots)), (1.0, lambda _: mover.cover(slots))),
    )
    total = ran.lanes["durable"]
    assert total.read.errors.keys() == {"redis_clusterdown"}
    assert total.write.errors.keys() <= {"redis_clusterdown"}
    last = lane_of(ran.frames[-2], "durable")
    assert last.read.errors == {}
    assert last.read.operations > 0


def test_a_server_that_is_still_loading_is_loading(sandbox: Sandbox) -> None:
    """The cache, made persistent and slow to load. (A cluster's node says CLUSTERDOWN while it loads.)"""
    forget(sandbox)
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    configuration = sandbox.directory / "cache.conf"
    before = configuration.read_text()
    persistent = before.replace("appendonly no", "appendonly yes")
    assert persistent != before

    def restart(_: Race) -> None:
        sandbox.kill("cache")
        sandbox.start_server("cache")

    try:
        configuration.write_text(persistent)
        sandbox.kill("cache")
        sandbox.start_server("cache")
        with client(address_of(endpoint), endpoint) as node, node.pipeline() as pipeline:
            for number in range(10_000):
                pipeline.set(f"bulk:{number}", "x")
            pipeline.execute()
        # 1 s to load, with clients served at every 1,024th key.
        configuration.write_text(persistent + "\nkey-load-delay 100\n")
        ran = run_race(
            sandbox,
            with_settings(lanes=("cached",), duration_s=4.0),
            on_frame=At((0.5, restart)),
        )
    finally:
        configuration.write_text(before)
        restart_cold(sandbox, "cache")
    total = ran.lanes["cached"]
    assert total.read.errors["redis_loading"] > 0
    assert total.write.errors == {}
    last = lane_of(ran.frames[-2], "cached")
    assert last.read.errors == {}
    assert last.read.operations > 0


def test_tryagain_is_named(sandbox: Sandbox) -> None:
    """Only commands of several keys are answered TRYAGAIN: the server's own words are had with one of those, from
    a slot half moved, and then given to the lane as the answer to its GET."""
    forget(sandbox)
    mover = SlotMover(sandbox)
    error = mover.half_moved(lambda ask: ask("MGET", "{telemon}:1", "{telemon}:2"))
    assert error.startswith("TRYAGAIN")

    session = Session()
    session.connections = SessionConnections(
        lambda address: Connection(session, address, REDIS, socket.socket)
    )
    asked: list[str] = []
    topology_ = SlotMap([SlotRange(0, 16_383, "a:1")], lambda: asked.append("topology"))
    context = lane_context(topology_, TelemetryPool(1))
    program = read_durable(session, lambda: HOT_KEYS.first, context)
    next(program)
    outcome = program.send(RespReplyParser().feed_one(b"-" + error.encode() + b"\r\n"))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "redis_tryagain"
    assert asked == ["topology"]


def restart_cold(sandbox: Sandbox, server: str) -> None:
    sandbox.kill(server)
    sandbox.start_server(server)


def sandbox_admin(sandbox: Sandbox, server: str) -> MySQLConnection[Cursor]:
    """root's connection to a sandbox's MariaDB, over its socket."""
    return pymysql.connect(
        unix_socket=str(sandbox.admin_mysql(server)),
        user="root",
        ssl_disabled=True,
        autocommit=True,
    )


class SlotMover:
    """Moves slots of the sandbox's cluster from node to node, as redis-cli --cluster reshard does."""

    def __init__(self, sandbox: Sandbox) -> None:
        endpoint = sandbox.endpoints["durable"].redis
        assert endpoint is not None
        self._endpoint = endpoint
        self._ranges = slot_map(endpoint)
        self._addresses = sorted({part.address for part in self._ranges})
        self._nodes: dict[str, Any] = {
            address: client(address, endpoint) for address in self._addresses
        }
        self._ids = {
            address: node.execute_command("CLUSTER MYID").decode()
            for address, node in self._nodes.items()
        }
        self._moved: list[tuple[int, str, str]] = []

    def _owner(self, slot: int) -> str:
        return next(part.address for part in self._ranges if part.first <= slot <= part.last)

    def slots_of_hot_cars(self, count: int) -> list[int]:
        """The slots of the first hot cars on the first node."""
        slots = {key_slot(redis_key(car_id)) for car_id in range(HOT_KEYS.first, HOT_KEYS.last + 1)}
        return sorted(slot for slot in slots if self._owner(slot) == self._addresses[0])[:count]

    def move(self, slots: list[int]) -> None:
        for slot in slots:
            self._move(slot, self._owner(slot), self._addresses[1])
            self._moved.append((slot, self._addresses[1], self._owner(slot)))

    def move_back(self) -> None:
        while self._moved:
            self._move(*self._moved.pop())

    def _move(self, slot: int, source: str, target: str) -> None:
        host, _, port = target.rpartition(":")
        # A node that is asked to migrate keys uses the protocol of the cluster bus: TLS.
        tls_port = int(port) + TLS_DISTANCE
        source_node, target_node = self._nodes[source], self._nodes[target]
        target_node.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._ids[source])
        source_node.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._ids[target])
        while names := source_node.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            source_node.execute_command(
                *("MIGRATE", host, tls_port, "", 0, 2000),
                *("AUTH", self._endpoint.password, "KEYS", *names),
            )
        for node in (target_node, source_node, *self._nodes.values()):
            node.execute_command("CLUSTER SETSLOT", slot, "NODE", self._ids[target])

    def half_moved(self, use: Callable[[Callable[..., Any]], object]) -> str:
        """The error that `use` meets on a node that imports the slot of {telemon} and has one of its two keys."""
        slot = key_slot(b"{telemon}")
        source = self._owner(slot)
        target = next(address for address in self._addresses if address != source)
        source_node, target_node = self._nodes[source], self._nodes[target]
        source_node.set("{telemon}:1", "x")
        target_node.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._ids[source])
        source_node.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._ids[target])
        try:
            single = target_node.client()

            def ask(*command: str) -> Any:
                single.execute_command("ASKING")
                return single.execute_command(*command)

            ask("SET", "{telemon}:2", "x")
            try:
                use(ask)
            except TryAgainError as error:
                return f"TRYAGAIN {error}"
            return "no error"
        finally:
            for node in (source_node, target_node):
                node.execute_command("CLUSTER SETSLOT", slot, "STABLE")

    def uncover(self, slots: list[int]) -> None:
        for node in self._nodes.values():
            node.execute_command("CLUSTER DELSLOTS", *slots)

    def cover(self, slots: list[int]) -> None:
        self._nodes[self._addresses[0]].execute_command("CLUSTER ADDSLOTS", *slots)
