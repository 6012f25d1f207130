"""Facts about one server of a lane, as read before the race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

DATABASE = "database"
"""Role of a lane's MySQL server. A Redis is a "cache" or a "store"."""

Settings = Mapping[str, str | int]
"""Settings and counts that decide how durable a write is, under the server's own names."""

UNREADABLE = "not readable"
"""The value of a fact that the server does not show."""

SEPARATOR = " / "
"""Stands between the values of a setting that is not the same on all nodes of a cluster."""

FLUSH = "innodb_flush_log_at_trx_commit"

SYNC_BINLOG = "sync_binlog"

LOG_BIN = "log_bin"

SQL_LOG_BIN = "sql_log_bin"
"""Variable of a session: whether what it writes is in the binary log, so that replicas have it."""

ENGINE, INNODB = "engine", "InnoDB"
"""Storage engine of telemon's table, and the one that telemon makes it in. It is among the facts only if it is another
one, or not readable."""

APPENDONLY = "appendonly"

APPENDFSYNC = "appendfsync"

TRANSACTION_IDS = "Innodb_max_trx_id"
"""MariaDB's status variable for the next transaction id of InnoDB. A transaction takes an id with its first write, and
another one when it commits (tried with MariaDB 10.11 and 11.8). Oracle's MySQL has no such variable, and in MySQL 9.7
the ids that InnoDB's own status shows did not grow by two for each commit."""

BINLOG_TRANSACTIONS = "Binlog_cache_use"
"""Status variable: committed write transactions that are in the binary log (tried with MySQL 9.7). A server may leave
a database out of its binary log without saying so to everybody, so too low a count proves nothing by itself."""

IDS_PER_COMMIT = 2
"""Transaction ids that a committed write transaction takes. One that stays open takes a single id, however much it
writes."""


class TlsMode(StrEnum):
    """Encryption of telemon's connections to a server. The values stand in the result's JSON."""

    OFF = "off"
    VERIFIED = "on, certificate and host name verified"
    ANY_HOST_NAME = "on, certificate verified for any host name"
    UNVERIFIED = "on, certificate not verified"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One server, or one cluster, of a lane.

    The names and the order of the fields are those of the result's JSON, which has all of them but `by_node`.
    `role` is "database", "cache" or "store". `nodes` counts the primaries of a cluster. `round_trip_us` is the median
    of a few pings, None if the user may not ping. `durability` holds the settings and counts that decide how durable
    an acknowledged write is, under the server's own names; `UNREADABLE` stands for a value that the server does not
    show. Two servers with the same `identity` are one server. `by_node` holds the durability of each node of a Redis
    by its address.
    """

    role: str
    product: str
    version: str
    nodes: int
    tls: TlsMode
    round_trip_us: float | None
    durability: Settings
    identity: str
    by_node: Mapping[str, Settings] = field(default_factory=dict)

    def shown(self) -> dict[str, object]:
        """Return what the result's JSON shows of the server. Addresses of nodes are not among it."""
        found = asdict(self)
        del found["by_node"]
        return found


def values_of(fact: str | int) -> frozenset[str]:
    """Return the values that the nodes of a cluster have, given the value of all of them together."""
    return frozenset(str(fact).split(SEPARATOR))


def value_of_all(values: Sequence[str | int]) -> str | int:
    """Return the value that all nodes of a cluster share, or all different values as one text: see `values_of`."""
    return values[0] if len(set(values)) == 1 else SEPARATOR.join(sorted({str(v) for v in values}))


def settings_of_all(nodes: Sequence[Settings]) -> dict[str, str | int]:
    """Return the settings of all nodes of a cluster together. A node need not have all of them."""
    return {
        name: value_of_all([each[name] for each in nodes if name in each])
        for name in dict.fromkeys(name for each in nodes for name in each)
    }


def shared_servers(lanes: Mapping[str, Sequence[ServerFacts]]) -> list[list[str]]:
    """Return, for each server that several lanes use, the list of these lanes."""
    users: dict[str, list[str]] = {}
    for lane, servers in lanes.items():
        for server in servers:
            users.setdefault(server.identity, []).append(lane)
    return [names for names in users.values() if len(names) > 1]
