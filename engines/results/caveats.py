"""What would mislead whoever compares the lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from engines.config.race_config import RaceConfig
from engines.model.lanes import LANES
from engines.model.server_facts import (
    FLUSH,
    LOG_BIN,
    SYNC_BINLOG,
    ServerFacts,
    servers_of,
    shared_servers,
)

FAR_US = 500.0
"""Round trips that differ by more than this, and by half, are worth a sentence."""


def comparison_caveats(facts: Mapping[str, object], settings: RaceConfig) -> Iterator[str]:
    """What would mislead whoever compares the lanes, a sentence each, as far as it is known before the race."""
    lanes = servers_of(facts)
    told = [str(note) for note in cast("Sequence[object]", facts.get("notes") or ())]
    for names in shared_servers(lanes):
        sharing = f"lanes {' and '.join(names)} share one"
        if not any(note.startswith(sharing) for note in told):
            yield f"{sharing} server: each slows the other down"
    yield from _uneven(lanes)
    for lane, servers in lanes.items():
        for server in servers:
            if server["role"] != "cache":
                yield from _not_durable(lane, server["durability"])
    cached = any(LANES[lane].has_cache for lane in settings.lanes)
    if cached and settings.processes > 1:
        yield f"duplicate fills are counted within each of the {settings.processes} engine processes"
    if settings.heats and settings.rounds > 1 and cached:
        yield (
            f"the cache is {settings.cache} before the first round only; "
            "later rounds find it as the one before left it"
        )
    limit, cpus = _processors(facts), facts.get("cpus")
    if _private_lanes(facts, settings) > 1 and not settings.heats:
        yield (
            f"telemon and the private servers of all lanes share this machine's {cpus} processors: a lane that does "
            "more leaves less to the others; --heats gives each the machine to itself"
        )
    if limit is not None and isinstance(cpus, int) and limit < cpus:
        yield f"telemon may use {limit:g} of the machine's {cpus} processors"


def _processors(facts: Mapping[str, object]) -> float | None:
    """How many processors telemon may use at most, by its control group or by its affinity; None where nobody says."""
    limits = [facts.get(name) for name in ("cpu_limit", "cpus_allowed")]
    return min((limit for limit in limits if isinstance(limit, int | float)), default=None)


def _private_lanes(facts: Mapping[str, object], settings: RaceConfig) -> int:
    """How many lanes race on servers that telemon started itself."""
    where = facts.get("servers")
    if isinstance(where, str):
        return len(settings.lanes) if where.startswith("private") else 0
    if isinstance(where, Mapping):
        return sum(str(place).startswith("private") for place in where.values())
    return 0


def _uneven(lanes: Mapping[str, Sequence[ServerFacts]]) -> Iterator[str]:
    databases = {
        lane: f"{server['product']} {server['version']}"
        for lane, servers in lanes.items()
        for server in servers
        if server["role"] == "database"
    }
    if len(set(databases.values())) > 1:
        each = _listed([f"that of lane {lane} is {name}" for lane, name in databases.items()])
        yield f"the databases are not the same: {each}"
    ways: dict[bool, list[str]] = {}
    for lane, servers in lanes.items():
        for server in servers:
            ways.setdefault(server["tls"] == "off", []).append(_place(lane, server))
    if len(ways) > 1:
        yield f"TLS costs {_listed(ways[False])} and not {_listed(ways[True])}"
    trips = sorted(
        (server["round_trip_us"], _place(lane, server))
        for lane, servers in lanes.items()
        for server in servers
        if server["round_trip_us"] is not None
    )
    if trips:
        (near_us, near), (far_us, far) = trips[0], trips[-1]
        if far_us - near_us > max(FAR_US, 0.5 * near_us):
            yield f"a round trip to {far} takes {far_us:,.0f} us, to {near} {near_us:,.0f} us"


def _not_durable(lane: str, durability: Mapping[str, str | int]) -> Iterator[str]:
    flush = durability.get(FLUSH)
    if flush in (0, 2):
        yield f"{lane}: a commit does not wait for the disk ({FLUSH} = {flush})"
    if durability.get(LOG_BIN) == "ON" and durability.get(SYNC_BINLOG) != 1:
        yield f"{lane}: a commit does not wait for its binary log ({SYNC_BINLOG} = {durability.get(SYNC_BINLOG)})"
    if durability.get("appendonly") == "no":
        yield f"{lane}: a SET is kept in memory only (appendonly = no)"
    elif durability.get("appendfsync") in ("everysec", "no"):
        policy = durability["appendfsync"]
        yield f"{lane}: a SET does not wait for the disk (appendfsync = {policy})"


def _place(lane: str, server: ServerFacts) -> str:
    return f"the {server['role']} of lane {lane}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
