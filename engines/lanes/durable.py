"""Programs that write and read keys in a durable Redis Cluster."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from typing import Any

from engines.driver.outcome import Completed, Failed, completed
from engines.driver.session import Program, Request, Session
from engines.lanes.content import TO_FORM, is_new_payload, payload_forms
from engines.lanes.context import LaneContext
from engines.lanes.redirects import follow_redirects
from engines.wire import resp
from engines.wire.dialect import ConnectionLost
from engines.wire.error_kinds import error_kind
from engines.wire.resp import SLOTS
from engines.workload.dataset import TelemetryPool, payload
from engines.workload.redis_keys import redis_key
from engines.workload.streams import BatchStream, Row


def read_durable(session: Session, next_key: Callable[[], int], context: LaneContext) -> Program:
    """Read one key per operation with one GET. A key that does not exist is a miss and is not filled."""
    connections, slot_map, gets = session.connections, context.slot_map, context.gets
    assert slot_map is not None
    read_node = slot_map.read_node
    find_request, find_connection = gets.get, connections.get
    hit, miss = completed(rows=1, hits=1), completed(misses=1)
    wrong = completed(wrong_content=1)
    ended: Completed | None = None
    while True:
        # Performance: the start of the GET, and the check of what it brings, are written out here and in
        # `cached.py`. A shared function costs one call more, about 45 ns per operation (timeit, CPython
        # 3.11). Keep both equal: tests/unit/lanes/test_inlined_code.py compares them.
        car_id = next_key()
        slot, get, low, high = find_request(car_id) or gets[car_id]
        address = read_node[slot]
        connection = find_connection(address) or connections[address]
        reply = yield (connection, get, 1) if ended is None else (connection, get, 1, ended)
        if reply.__class__ is not bytes and reply is not None:
            connection, reply = yield from follow_redirects(connection, context, slot, get, reply)
        if reply.__class__ is bytes:
            whole = low <= reply < high and (
                reply.translate(TO_FORM) in payload_forms or is_new_payload(reply)
            )
            ended = hit if whole else wrong
        elif reply is None:
            connection.misses += 1
            ended = miss
        else:
            ended = None
            yield Failed(error_kind(reply))


def set_request(row: Row, telemetry: TelemetryPool, prefix: bytes) -> tuple[int, bytes]:
    """Return the hash slot and the SET request of a row, whose key begins with `prefix`."""
    car_id, sample, version = row
    name = redis_key(car_id, prefix)
    return resp.key_slot(name), resp.set_(name, payload(car_id, telemetry.payload[sample], version))


def write_durable(session: Session, batches: BatchStream, context: LaneContext) -> Program:
    """Write each batch as one pipeline of SETs per node, all nodes at the same time.

    A batch is acknowledged when every SET in it is.
    """
    slot_map = context.slot_map
    assert slot_map is not None
    write_node, samples = slot_map.write_node, context.telemetry.payload
    prefix, acknowledged = context.key_prefix, context.acknowledged
    heads, value_heads = resp.SET_HEADS, resp.VALUE_HEADS
    while True:
        rows = batches.next()
        shards: dict[str, tuple[list[bytes], list[Row]]] = {}
        for row in rows:
            # Performance: `set_request` inlined; a batch is built in 0.8 of the time. Keep both
            # equal: tests/unit/lanes/test_inlined_code.py compares them.
            car_id, sample, version = row
            name = b"%b%d" % (prefix, car_id)
            value = b"%d:%b:%d" % (car_id, samples[sample], version)
            address = write_node[crc_hqx(name, 0) % SLOTS]
            shard = shards.get(address)
            if shard is None:
                shard = shards[address] = ([], [])
            parts, sent = shard
            parts += (heads[len(name)], name, value_heads[len(value)], value, b"\r\n")
            sent.append(row)
        requests: list[Request] = [
            (session.connections[address], b"".join(parts), len(sent))
            for address, (parts, sent) in shards.items()
        ]
        try:
            answers = yield requests
        except GeneratorExit:
            context.given_up(rows)
            raise
        error: str | None = None
        for (connection, _, _), (_, sent), answer in zip(
            requests, shards.values(), answers, strict=True
        ):
            if answer is resp.ALL_OK or answer == b"OK":
                continue
            if isinstance(answer, ConnectionLost):
                if answer.may_be_applied:
                    context.given_up(sent)
                slot_map.refresh()
                error = error_kind(answer)
                continue
            replies = answer if answer.__class__ is list else [answer]
            for row, reply in zip(sent, replies, strict=True):
                final_reply = reply
                if reply != b"OK" and error is None:
                    slot, request = set_request(row, context.telemetry, prefix)
                    _, final_reply = yield from follow_redirects(
                        connection, context, slot, request, reply
                    )
                if isinstance(final_reply, ConnectionLost) and final_reply.may_be_applied:
                    context.given_up([row])
                if final_reply != b"OK":
                    error = error or error_kind(final_reply)
        if error is None:
            acknowledged(rows)
            yield completed(rows=len(rows))
        else:
            yield Failed(error)


def write_durable_deck(session: Session, batches: BatchStream, context: LaneContext) -> Program:
    """Write each batch as on the slide: one SET at a time."""
    slot_map = context.slot_map
    assert slot_map is not None
    write_node, acknowledged = slot_map.write_node, context.acknowledged
    while True:
        rows = batches.next()
        reply: Any = None
        try:
            for row in rows:
                slot, request = set_request(row, context.telemetry, context.key_prefix)
                connection = session.connections[write_node[slot]]
                reply = yield connection, request, 1
                if reply != b"OK":
                    _, reply = yield from follow_redirects(
                        connection, context, slot, request, reply
                    )
                if reply != b"OK":
                    break
        except GeneratorExit:
            context.given_up(rows)
            raise
        if reply == b"OK":
            acknowledged(rows)
            yield completed(rows=len(rows))
        else:
            if isinstance(reply, ConnectionLost) and reply.may_be_applied:
                context.given_up(rows)
            yield Failed(error_kind(reply))
