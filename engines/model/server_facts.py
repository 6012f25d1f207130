"""What is known of one server of a lane, as read before the race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

UNREADABLE = "not readable"
"""What stands for what a server does not say."""


FLUSH = "innodb_flush_log_at_trx_commit"


SYNC_BINLOG = "sync_binlog"


LOG_BIN = "log_bin"


class ServerFacts(TypedDict):
    """One server, or one cluster, of a lane, as it was read before the race.

    `role` is "database", "cache" or "store"; `nodes` counts a cluster's primaries. `tls` says in words how telemon's
    connections are encrypted, `round_trip_us` is the median of a few pings (None: it takes none). `durability` holds
    the settings and counts that decide what an acknowledged write is worth, by the servers' own names, "not readable"
    where the server does not say. Two servers of one `identity` are one.
    """

    role: str
    product: str
    version: str
    nodes: int
    tls: str
    round_trip_us: float | None
    durability: dict[str, str | int]
    identity: str


def servers_of(facts: Mapping[str, object]) -> Mapping[str, Sequence[ServerFacts]]:
    """The servers of each lane in the facts of a race; empty where nobody has read them."""
    return cast("Mapping[str, Sequence[ServerFacts]]", facts.get("lanes") or {})


def shared_servers(lanes: Mapping[str, Sequence[ServerFacts]]) -> list[list[str]]:
    """The lanes that share a server: a list for each server that has more than one."""
    users: dict[str, list[str]] = {}
    for lane, servers in lanes.items():
        for server in servers:
            users.setdefault(server["identity"], []).append(lane)
    return [names for names in users.values() if len(names) > 1]
