"""Following the redirects of a Redis Cluster."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engines.driver.session import Connection, Step
from engines.lanes.context import LaneContext
from engines.wire import resp
from engines.wire.dialect import ConnectionLost

MAX_REDIRECTS = 5
"""How many MOVED or ASK replies one request follows before it fails, as in Redis Cluster clients."""


def follow_redirects(
    connection: Connection, context: LaneContext, slot: int, request: bytes, reply: Any
) -> Generator[Step, Any, tuple[Connection, Any]]:
    """Follow MOVED and ASK as the cluster specification says; return the final connection and its answer.

    `reply` is the answer that came over `connection`. A generator to be used with `yield from`; it yields requests. Any
    other answer is returned unchanged, a lost connection included; after `MAX_REDIRECTS` the last redirect is. If the
    slot map may be stale, its refresh is requested first.
    """
    slot_map, session = context.slot_map, connection.session
    assert slot_map is not None
    for _ in range(MAX_REDIRECTS):
        if reply.__class__ is not resp.RedisErrorReply:
            break
        connection.answered -= 1
        redirect = resp.redirect(reply)
        if redirect is None:
            break
        context.redirected()
        address = f"{redirect.host}:{redirect.port}"
        if not redirect.host:
            address = f"{slot_map.write_node[slot].rpartition(':')[0]}:{redirect.port}"
        if redirect.ask:
            connection = session.connections[address]
            reply = yield connection, resp.asking() + request, 2
            if reply.__class__ is not ConnectionLost:
                connection.answered -= 1  # The reply to ASKING does not count as an answer.
                reply = reply[1]
        else:
            slot_map.move(slot, address)
            slot_map.refresh()
            connection = session.connections[address]
            reply = yield connection, request, 1
    if reply.__class__ is ConnectionLost or reply.__class__ is resp.RedisErrorReply:
        slot_map.refresh()
    return connection, reply
