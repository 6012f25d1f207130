"""Following the redirects of a Redis Cluster, within the cluster that CLUSTER SLOTS describes."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from engines.driver.session import Awaiting, Connection, Step
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

    A server is not believed the address of another: a redirect to a node that the slot map does not know waits for one
    refresh, and then only the map counts. A redirect that it does not confirm is returned, and so is every redirect of
    a server that is no cluster.
    """
    slot_map, session = context.slot_map, connection.session
    assert slot_map is not None
    refreshed = False
    for _ in range(MAX_REDIRECTS):
        if reply.__class__ is not resp.RedisErrorReply:
            break
        connection.answered -= 1
        redirect = resp.redirect(reply)
        if redirect is None:
            break
        context.redirected()
        if slot_map.after_refresh is None:
            break
        host = redirect.host or connection.address.rpartition(":")[0]
        address = f"{host}:{redirect.port}"
        if address not in slot_map.known and not refreshed:
            refreshed = True
            # The node that redirects knows of a change before the others do.
            yield Awaiting(partial(slot_map.after_refresh, connection.address))
        known = address in slot_map.known
        if redirect.ask:
            if not known:
                break
            connection = session.connections[address]
            reply = yield connection, resp.asking() + request, 2
            if reply.__class__ is not ConnectionLost:
                connection.answered -= 1  # The reply to ASKING does not count as an answer.
                reply = reply[1]
            continue
        if known:
            slot_map.move(slot, address)
            slot_map.refresh()
        else:
            address = slot_map.write_node[slot]
            if address == connection.address:
                break
        connection = session.connections[address]
        reply = yield connection, request, 1
    if reply.__class__ is ConnectionLost or reply.__class__ is resp.RedisErrorReply:
        slot_map.refresh()
    return connection, reply
