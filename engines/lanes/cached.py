"""Reads by lazy loading: a cache before MySQL."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from engines.driver.outcome import Done, Failed, done
from engines.driver.session import Program, Session
from engines.lanes.context import MYSQL, Context
from engines.lanes.mysql import found
from engines.lanes.redirects import redirected
from engines.wire import resp
from engines.wire.error_kinds import kind_of
from engines.workload.redis_keys import key


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
    gets, selects, hit = context.gets, context.selects, done(rows=1, hits=1)
    owner, reader = topology.owner, topology.reader
    links[MYSQL]
    built, linked = gets.get, links.get
    skipped = 0
    ended: Done | None = None
    while True:
        car_id = next_key()
        slot, get = built(car_id) or gets[car_id]
        address = reader[slot]
        link = linked(address) or links[address]
        cached = yield (link, get, 1) if ended is None else (link, get, 1, ended)
        ended = None
        if cached.__class__ is not bytes and cached is not None:
            link, cached = yield from redirected(link, context, slot, get, cached)
        if cached.__class__ is bytes:
            ended = hit if not skipped else done(rows=1, hits=1, skipped=skipped)
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
        if not found(reply):
            skipped += 1
            if not (skip and context.flowing()):
                ended = done(misses=1, skipped=skipped)
                skipped = 0
            continue

        duplicate = fills.begin(car_id, session.began_ns)
        fill = resp.set_px(key(car_id), row_payload(car_id, reply[0]), context.ttl_ms())
        link = links[owner[slot]]
        try:
            filled = yield link, fill, 1
            if filled.__class__ is resp.ServerError:
                link, filled = yield from redirected(link, context, slot, fill, filled)
        except GeneratorExit:
            fills.end(car_id, None)  # Its operation was given up.
            raise
        if filled != b"OK":
            fills.end(car_id, None)
            skipped = 0
            yield Failed(kind_of(filled))
            continue
        link.fills += 1
        fills.end(car_id, perf_counter_ns())
        ended = done(rows=1, misses=1, fills=1, duplicate_fills=int(duplicate), skipped=skipped)
        skipped = 0


def row_payload(car_id: int, row: tuple[bytes | None, ...]) -> bytes:
    """A selected row as Redis holds it. The averages over one row are whole numbers with a fraction of zeros."""
    whole = [(value or b"").partition(b".")[0] for value in row]
    return b"%d:%b" % (car_id, b":".join(whole))
