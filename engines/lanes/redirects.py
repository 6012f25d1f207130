"""Following a cluster's redirects."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engines.driver.session import Connection, Step
from engines.lanes.context import LaneContext
from engines.wire import resp
from engines.wire.dialect import ConnectionLost

MAX_REDIRECTS = 5
"""How often a request follows MOVED or ASK before it fails, as Redis Cluster clients do."""


def follow_redirects(
    connection: Connection, context: LaneContext, slot: int, request: bytes, reply: Any
) -> Generator[Step, Any, tuple[Connection, Any]]:
    """Follow MOVED and ASK, as the cluster specification has it, and return the answer in the end, with the link that
    it came by. `reply` is what came by `link`.

    Anything else that is no answer is returned as it is, after asking for the topology where it may be stale.
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
                connection.answered -= 1  # Permission to ask is no answer.
                reply = reply[1]
        else:
            slot_map.move(slot, address)
            slot_map.refresh()
            connection = session.connections[address]
            reply = yield connection, request, 1
    if reply.__class__ is ConnectionLost or reply.__class__ is resp.RedisErrorReply:
        slot_map.refresh()
    return connection, reply
