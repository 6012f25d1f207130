"""Whether the processes of a race may have as many files open as its connections need."""

from __future__ import annotations

from collections.abc import Mapping

from engines.config.errors import ConfigError
from engines.config.race_config import RaceConfig
from engines.config.settings import MOST_CONNECTIONS
from engines.model.lanes import LANES
from engines.model.roles import CONNECTIONS, Role

OWN_FILES = 64
"""Files of an engine process, of telemon itself and of a private Redis besides those that are counted here."""

FILES_PER_ENGINE = 2
"""Files that telemon itself has open for each of its engine processes: the channel, and its stderr."""

MARIADB_FILES = 430
"""Files of a private MariaDB besides its connections. With fewer it takes fewer connections than it was told to: it
keeps 410 for tables and for itself (mysqld.cc, TABLE_OPEN_CACHE_MIN)."""

CLUSTER_NODES = 3
"""Primaries of the private cluster: a connection of a lane opens a socket to each. Of a cluster of the user's own no
more than one is known before it is asked."""

NOT_ASKED: Mapping[str, int] = {}
"""Nodes by lane before any server was asked."""


def require_files(
    settings: RaceConfig, limit: int | None, nodes: Mapping[str, int] = NOT_ASKED
) -> None:
    """Raise ConfigError if a process of the race would need more than `limit` open files; None stands for no limit.

    The message names the settings, and the largest numbers that would fit. `nodes` holds by lane how many nodes its
    Redis has, once it was asked.
    """
    if limit is None:
        return
    cause = f"a process may have {limit:,} files open on this machine"
    step = "raise the hard limit (ulimit -Hn)"
    engines = settings.engine_processes
    needed = OWN_FILES + engines * FILES_PER_ENGINE
    if needed > limit:
        fitting = (limit - OWN_FILES) // (FILES_PER_ENGINE * max(1, engines // settings.processes))
        raise ConfigError(
            f"{settings.cite('processes')}: needs {needed:,} open files, and {cause}; "
            f"{_at_most(fitting)} would fit; {step}"
        )
    for role, connections in settings.connections.items():
        sockets = _sockets(settings, role, nodes)
        needed = OWN_FILES + -(-connections // settings.processes) * sockets
        if needed > limit:
            fitting = (limit - OWN_FILES) // sockets * settings.processes
            raise ConfigError(
                f"{settings.cite(CONNECTIONS[role])}: needs {needed:,} open files in one engine process, and {cause}; "
                f"{_at_most(fitting)} would fit; {step}, or set more processes"
            )
    own_files = _server_files(settings)
    needed = own_files + settings.writers + settings.readers
    if own_files and needed > limit:
        raise ConfigError(
            f"{settings.cite('writers')} and {settings.cite('readers')}: need {needed:,} open files in one private "
            f"server, and {cause}; {_at_most(limit - own_files)} in total would fit; {step}"
        )


def most_connections(
    settings: RaceConfig,
    role: Role,
    others: int,
    limit: int | None,
    nodes: Mapping[str, int] = NOT_ASKED,
) -> int:
    """Return how many connections of a role there may be in each lane beside `others` of the other role."""
    if limit is None:
        return MOST_CONNECTIONS
    most = (limit - OWN_FILES) // _sockets(settings, role, nodes) * settings.processes
    own_files = _server_files(settings)
    if own_files:
        most = min(most, limit - own_files - others)
    return max(1, min(MOST_CONNECTIONS, most))


def _server_files(settings: RaceConfig) -> int:
    """Return the files of the private server that needs most, besides its connections; 0 if there is none."""
    needs = (
        MARIADB_FILES if LANES[lane].has_mysql else OWN_FILES for lane in settings.private_lanes
    )
    return max(needs, default=0)


def _sockets(settings: RaceConfig, role: Role, nodes: Mapping[str, int]) -> int:
    """Return how many sockets one connection of a role opens at least, in the lane where it opens most."""
    private = settings.private_lanes

    def of(lane: str) -> int:
        known = CLUSTER_NODES if LANES[lane].is_cluster and lane in private else 1
        redis = nodes.get(lane, known) if LANES[lane].redis_commands(role) else 0
        return int(LANES[lane].has_mysql) + redis

    return max(1, *map(of, settings.lanes))


def _at_most(number: int) -> str:
    return f"{number:,}" if number > 0 else "none"
