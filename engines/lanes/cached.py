"""Programs that read with a cache in front of MySQL (cache-aside, also called lazy loading)."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from engines.driver.outcome import Completed, Failed, completed
from engines.driver.session import Program, Session
from engines.lanes.content import (
    ABSENT,
    TO_FORM,
    is_new_payload,
    is_row,
    payload_forms,
    row_payload,
)
from engines.lanes.context import MYSQL_ADDRESS, LaneContext
from engines.lanes.redirects import follow_redirects
from engines.wire import resp
from engines.wire.error_kinds import error_kind
from engines.workload.redis_keys import redis_key


def read_cached(session: Session, next_key: Callable[[], int], context: LaneContext) -> Program:
    """Read one key per operation: GET; on a miss SELECT, then SET with a TTL."""
    return _cache_aside_read(session, next_key, context, skip=False)


def read_cached_deck(
    session: Session, next_key: Callable[[], int], context: LaneContext
) -> Program:
    """Read as on the slide: if MySQL does not have the key either, try another key."""
    return _cache_aside_read(session, next_key, context, skip=True)


def _cache_aside_read(
    session: Session, next_key: Callable[[], int], context: LaneContext, *, skip: bool
) -> Program:
    """Read with cache-aside; with `skip`, continue with another key if MySQL does not have the key.

    An operation ends with a hit, a cache fill, a missing key, wrong content, or an error. What is no row of the car is
    never stored in the cache.
    """
    connections, fills, slot_map = session.connections, context.fills, context.slot_map
    assert slot_map is not None
    gets, selects, hit = context.gets, context.selects, completed(rows=1, hits=1)
    prefix = context.key_prefix
    wrong = completed(wrong_content=1)
    write_node, read_node = slot_map.write_node, slot_map.read_node
    connections[MYSQL_ADDRESS]
    find_request, find_connection = gets.get, connections.get
    skipped = 0
    ended: Completed | None = None
    while True:
        # Performance: the start of the GET, and the check of what it brings, are written out here and in
        # `durable.py`. A shared function costs one call more, about 45 ns per operation (timeit, CPython
        # 3.11). Keep both equal: tests/unit/lanes/test_inlined_code.py compares them.
        car_id = next_key()
        slot, get, low, high = find_request(car_id) or gets[car_id]
        address = read_node[slot]
        connection = find_connection(address) or connections[address]
        cached = yield (connection, get, 1) if ended is None else (connection, get, 1, ended)
        ended = None
        if cached.__class__ is not bytes and cached is not None:
            connection, cached = yield from follow_redirects(connection, context, slot, get, cached)
        if cached.__class__ is bytes:
            whole = low <= cached < high and (
                cached.translate(TO_FORM) in payload_forms or is_new_payload(cached)
            )
            if not whole:
                ended = wrong if not skipped else completed(wrong_content=1, skipped=skipped)
            else:
                ended = hit if not skipped else completed(rows=1, hits=1, skipped=skipped)
            skipped = 0
            continue
        if cached is not None:
            skipped = 0
            yield Failed(error_kind(cached))
            continue
        connection.misses += 1

        select, car = selects[car_id]
        reply = yield connections[MYSQL_ADDRESS], select, 1
        if reply.__class__ is not list:
            skipped = 0
            yield Failed(error_kind(reply))
            continue
        if reply == ABSENT:
            skipped += 1
            if not (skip and context.issuing()):
                ended = completed(misses=1, skipped=skipped)
                skipped = 0
            continue
        if not is_row(reply, car):
            ended = completed(misses=1, wrong_content=1, skipped=skipped)
            skipped = 0
            continue

        duplicate = fills.begin(car_id, session.began_ns)
        name = redis_key(car_id, prefix)
        fill = resp.set_px(name, row_payload(reply[0]), context.ttl_ms())
        connection = connections[write_node[slot]]
        try:
            filled = yield connection, fill, 1
            if filled.__class__ is resp.RedisErrorReply:
                connection, filled = yield from follow_redirects(
                    connection, context, slot, fill, filled
                )
        except GeneratorExit:
            fills.end(car_id, None)  # The operation was abandoned.
            raise
        if filled != b"OK":
            fills.end(car_id, None)
            skipped = 0
            yield Failed(error_kind(filled))
            continue
        connection.fills += 1
        fills.end(car_id, perf_counter_ns())
        ended = completed(
            rows=1, misses=1, fills=1, duplicate_fills=int(duplicate), skipped=skipped
        )
        skipped = 0
