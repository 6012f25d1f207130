"""The three approaches, each as a generator of steps: what an application would do, top to bottom.

`mysql` and `cached` write with upserts into MySQL; `cached` reads by lazy loading; `durable` keeps everything in a
Redis Cluster. Two presets: `fair` gives every lane one unit of work per batch; `deck` does what the demo's slides do,
one statement or SET at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, MutableMapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from engines.fault import kind_of
from engines.fills import Fills
from engines.key import key
from engines.link import Link, Lost
from engines.outcome import Failed, done
from engines.servers.statements import SELECT, UPSERT_HEAD, UPSERT_TAIL
from engines.session import Program, Request, Session, Step
from engines.topology import Topology
from engines.wire import mysql, resp
from engines.workload import Batches, Readings, Row, payload

MYSQL = "mysql"
"""The address of a session's link to MySQL; Redis links go by "host:port"."""

REDIRECTS = 5
"""How often a request follows MOVED or ASK before it fails, as Redis Cluster clients do."""

Ledger = MutableMapping[int, int] | None
"""The last acknowledged version of each car, where somebody wants to know."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the sessions of one engine process share."""

    readings: Readings
    topology: Topology | None
    fills: Fills
    ttl_ms: Callable[[], int]
    flowing: Callable[[], bool]
    """Whether operations may still begin: a reader that skips missing ids ends its search when they may not."""
    redirected: Callable[[], None]
    """Called for every MOVED or ASK."""
    ledger: Ledger


# -------------------------------------------------------------------- MySQL


class Selects(dict[int, bytes]):
    """The SELECT of each car, built once."""

    def __missing__(self, car_id: int) -> bytes:
        request = self[car_id] = mysql.query(SELECT % car_id)
        return request


def _values(row: Row, readings: Readings) -> bytes:
    car_id, reading, version = row
    return b"(%d,%b,%d)" % (car_id, readings.sql[reading], version)


def upsert(rows: list[Row], readings: Readings) -> bytes:
    """The statement that writes `rows`, as one request."""
    sql = readings.sql
    values = b",".join(
        [b"(%d,%b,%d)" % (car_id, sql[reading], version) for car_id, reading, version in rows]
    )
    return mysql.query(UPSERT_HEAD + values + UPSERT_TAIL)


def _acknowledge(ledger: Ledger, rows: list[Row]) -> None:
    if ledger is not None:
        for car_id, _, version in rows:
            ledger[car_id] = version


def write_mysql(session: Session, batches: Batches, context: Context) -> Program:
    """A batch is one multi-row upsert, which is its own transaction: acknowledged is committed."""
    link = session.links[MYSQL]
    while True:
        rows = batches.next()
        reply = yield link, upsert(rows, context.readings), 1
        if reply.__class__ is mysql.Ok:
            _acknowledge(context.ledger, rows)
            yield done(rows=len(rows))
        else:
            yield Failed(kind_of(reply))


COMMIT = mysql.query(b"COMMIT")
ROLLBACK = mysql.query(b"ROLLBACK")


def write_mysql_deck(session: Session, batches: Batches, context: Context) -> Program:
    """As on the slide: a statement per row, and a commit per batch."""
    link = session.links[MYSQL]
    while True:
        rows = batches.next()
        reply: Any = None
        for row in rows:
            values = _values(row, context.readings)
            reply = yield link, mysql.query(UPSERT_HEAD + values + UPSERT_TAIL), 1
            if reply.__class__ is not mysql.Ok:
                break
        else:
            reply = yield link, COMMIT, 1
        if reply.__class__ is mysql.Ok:
            _acknowledge(context.ledger, rows)
            yield done(rows=len(rows))
            continue
        if reply.__class__ is not Lost:
            yield link, ROLLBACK, 1
        yield Failed(kind_of(reply))


def read_mysql(session: Session, next_key: Callable[[], int], _: Context) -> Program:
    """One SELECT."""
    link, selects = session.links[MYSQL], Selects()
    row, absent = done(rows=1), done(skipped=1)
    while True:
        reply = yield link, selects[next_key()], 1
        if reply.__class__ is not list:
            yield Failed(kind_of(reply))
        elif _found(reply):
            yield row
        else:
            yield absent


def read_mysql_deck(session: Session, next_key: Callable[[], int], context: Context) -> Program:
    """As on the slide: other cars are tried until there is one."""
    link, selects = session.links[MYSQL], Selects()
    while True:
        skipped = 0
        while True:
            reply = yield link, selects[next_key()], 1
            if reply.__class__ is not list:
                yield Failed(kind_of(reply))
            elif _found(reply):
                yield done(rows=1, skipped=skipped)
            else:
                skipped += 1
                if context.flowing():
                    continue
                yield done(skipped=skipped)
            break


def _found(rows: list[tuple[bytes | None, ...]]) -> bool:
    """Whether a SELECT found its car: an average over no rows is one row of NULLs."""
    return bool(rows) and rows[0][0] is not None


# -------------------------------------------------------------------- lazy loading


def read_cached(session: Session, next_key: Callable[[], int], context: Context) -> Program:
    """GET; on a miss SELECT, then SET with a TTL."""
    return _lazy_loading(session, next_key, context, skip=False)


def read_cached_deck(session: Session, next_key: Callable[[], int], context: Context) -> Program:
    """As on the slide: a car that MySQL does not know either is skipped for another."""
    return _lazy_loading(session, next_key, context, skip=True)


def _lazy_loading(
    session: Session, next_key: Callable[[], int], context: Context, *, skip: bool
) -> Program:
    links, fills, topology = session.links, context.fills, context.topology
    assert topology is not None
    gets, selects, hit = Gets(), Selects(), done(rows=1, hits=1)
    owner, reader = topology.owner, topology.reader
    links[MYSQL]
    skipped = 0
    while True:
        car_id = next_key()
        slot, get = gets[car_id]
        link = links[reader[slot]]
        cached = yield link, get, 1
        if cached.__class__ is not bytes and cached is not None:
            link, cached = yield from _redirected(link, context, slot, get, cached)
        if cached.__class__ is bytes:
            yield hit if not skipped else done(rows=1, hits=1, skipped=skipped)
            skipped = 0
            continue
        if cached is not None:
            skipped = 0
            yield Failed(kind_of(cached))
            continue
        link.misses += 1

        reply = yield links[MYSQL], selects[car_id], 1
        if reply.__class__ is not list:
            skipped = 0
            yield Failed(kind_of(reply))
            continue
        if not _found(reply):
            skipped += 1
            if not (skip and context.flowing()):
                yield done(misses=1, skipped=skipped)
                skipped = 0
            continue

        duplicate = fills.begin(car_id, session.began_ns)
        fill = resp.set_px(key(car_id), row_payload(car_id, reply[0]), context.ttl_ms())
        link = links[owner[slot]]
        filled = yield link, fill, 1
        if filled.__class__ is resp.ServerError:
            link, filled = yield from _redirected(link, context, slot, fill, filled)
        if filled != b"OK":
            fills.end(car_id, None)
            skipped = 0
            yield Failed(kind_of(filled))
            continue
        link.fills += 1
        fills.end(car_id, perf_counter_ns())
        yield done(rows=1, misses=1, fills=1, duplicate_fills=int(duplicate), skipped=skipped)
        skipped = 0


def row_payload(car_id: int, row: tuple[bytes | None, ...]) -> bytes:
    """A selected row as Redis holds it. The averages over one row are whole numbers with a fraction of zeros."""
    whole = [(value or b"").partition(b".")[0] for value in row]
    return b"%d:%b" % (car_id, b":".join(whole))


# -------------------------------------------------------------------- Redis Cluster


class Gets(dict[int, tuple[int, bytes]]):
    """The hash slot and the GET of each car, built once."""

    def __missing__(self, car_id: int) -> tuple[int, bytes]:
        name = key(car_id)
        request = self[car_id] = (resp.key_slot(name), resp.get(name))
        return request


def _redirected(
    link: Link, context: Context, slot: int, request: bytes, reply: Any
) -> Generator[Step, Any, tuple[Link, Any]]:
    """Follow MOVED and ASK, as the cluster specification has it, and return the answer in the end, with the link that
    it came by. `reply` is what came by `link`.

    Anything else that is no answer is returned as it is, after asking for the topology where it may be stale.
    """
    topology, session = context.topology, link.session
    assert topology is not None
    for _ in range(REDIRECTS):
        if reply.__class__ is not resp.ServerError:
            break
        link.answered -= 1
        redirect = resp.redirect(reply)
        if redirect is None:
            break
        context.redirected()
        address = f"{redirect.host}:{redirect.port}"
        if not redirect.host:
            address = f"{topology.owner[slot].rpartition(':')[0]}:{redirect.port}"
        if redirect.ask:
            link = session.links[address]
            reply = yield link, resp.asking() + request, 2
            if reply.__class__ is not Lost:
                link.answered -= 1  # Permission to ask is no answer.
                reply = reply[1]
        else:
            topology.move(slot, address)
            topology.refresh()
            link = session.links[address]
            reply = yield link, request, 1
    if reply.__class__ is Lost or reply.__class__ is resp.ServerError:
        topology.refresh()
    return link, reply


def read_durable(session: Session, next_key: Callable[[], int], context: Context) -> Program:
    """One GET. A key that is not there is a miss: nothing is made up for it."""
    links, topology, gets = session.links, context.topology, Gets()
    assert topology is not None
    reader = topology.reader
    hit, miss = done(rows=1, hits=1), done(misses=1)
    while True:
        slot, get = gets[next_key()]
        link = links[reader[slot]]
        reply = yield link, get, 1
        if reply.__class__ is not bytes and reply is not None:
            link, reply = yield from _redirected(link, context, slot, get, reply)
        if reply.__class__ is bytes:
            yield hit
        elif reply is None:
            link.misses += 1
            yield miss
        else:
            yield Failed(kind_of(reply))


def _set(row: Row, readings: Readings) -> tuple[int, bytes]:
    """The hash slot and the SET of a row."""
    car_id, reading, version = row
    name = key(car_id)
    return resp.key_slot(name), resp.set_(name, payload(car_id, readings.payload[reading], version))


def write_durable(session: Session, batches: Batches, context: Context) -> Program:
    """A batch is pipelined, a shard at a time side by side: acknowledged when every SET of it is."""
    topology = context.topology
    assert topology is not None
    owner, readings = topology.owner, context.readings
    while True:
        rows = batches.next()
        shards: dict[str, list[tuple[int, bytes]]] = {}
        for row in rows:
            slot_and_set = _set(row, readings)
            address = owner[slot_and_set[0]]
            shard = shards.get(address)
            if shard is None:
                shards[address] = [slot_and_set]
            else:
                shard.append(slot_and_set)
        requests: list[Request] = [
            (session.links[address], b"".join([request for _, request in sets]), len(sets))
            for address, sets in shards.items()
        ]
        answers = yield requests
        fault: str | None = None
        for (link, _, _), sets, answer in zip(requests, shards.values(), answers, strict=True):
            if answer is resp.ALL_OK or answer == b"OK":
                continue
            if answer.__class__ is Lost:
                topology.refresh()
                fault = kind_of(answer)
                continue
            replies = answer if answer.__class__ is list else [answer]
            for (slot, request), reply in zip(sets, replies, strict=True):
                settled = reply
                if reply != b"OK" and fault is None:
                    _, settled = yield from _redirected(link, context, slot, request, reply)
                if settled != b"OK":
                    fault = fault or kind_of(settled)
        if fault is None:
            _acknowledge(context.ledger, rows)
            yield done(rows=len(rows))
        else:
            yield Failed(fault)


def write_durable_deck(session: Session, batches: Batches, context: Context) -> Program:
    """As on the slide: one SET at a time."""
    topology = context.topology
    assert topology is not None
    owner = topology.owner
    while True:
        rows = batches.next()
        reply: Any = None
        for row in rows:
            slot, request = _set(row, context.readings)
            link = session.links[owner[slot]]
            reply = yield link, request, 1
            if reply != b"OK":
                _, reply = yield from _redirected(link, context, slot, request, reply)
            if reply != b"OK":
                break
        if reply == b"OK":
            _acknowledge(context.ledger, rows)
            yield done(rows=len(rows))
        else:
            yield Failed(kind_of(reply))


# -------------------------------------------------------------------- by name

Writer = Callable[[Session, Batches, Context], Program]
Reader = Callable[[Session, Callable[[], int], Context], Program]

WRITERS: dict[tuple[str, str], Writer] = {
    ("mysql", "fair"): write_mysql,
    ("cached", "fair"): write_mysql,
    ("durable", "fair"): write_durable,
    ("mysql", "deck"): write_mysql_deck,
    ("cached", "deck"): write_mysql_deck,
    ("durable", "deck"): write_durable_deck,
}
"""By lane and preset."""

READERS: dict[tuple[str, str], Reader] = {
    ("mysql", "fair"): read_mysql,
    ("cached", "fair"): read_cached,
    ("durable", "fair"): read_durable,
    ("mysql", "deck"): read_mysql_deck,
    ("cached", "deck"): read_cached_deck,
    ("durable", "deck"): read_durable,
}
"""By lane and preset."""
