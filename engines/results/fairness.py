"""What must be equal between the lanes of a race and what is not: facts beside the numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict, cast

from engines.config.race_config import Race
from engines.metrics.frame import LANES

UNREADABLE = "not readable"
"""What stands for what a server does not say."""

FAR_US = 500.0
"""Round trips that differ by more than this, and by half, are worth a sentence."""

FLUSH, SYNC_BINLOG, LOG_BIN = "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin"


class Server(TypedDict):
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


def servers_of(facts: Mapping[str, object]) -> Mapping[str, Sequence[Server]]:
    """The servers of each lane in the facts of a race; empty where nobody has read them."""
    return cast("Mapping[str, Sequence[Server]]", facts.get("lanes") or {})


def shared_servers(lanes: Mapping[str, Sequence[Server]]) -> list[list[str]]:
    """The lanes that share a server: a list for each server that has more than one."""
    users: dict[str, list[str]] = {}
    for lane, servers in lanes.items():
        for server in servers:
            users.setdefault(server["identity"], []).append(lane)
    return [names for names in users.values() if len(names) > 1]


def pipeline_depth(lane: str, settings: Race, nodes: int) -> dict[str, float]:
    """By role, the requests that one connection has under way at a time. Only a batch of lane durable in preset fair
    is pipelined: its rows, spread over the connections to the shards."""
    pipelined = lane == "durable" and settings.preset == "fair"
    return {"write": round(settings.batch / nodes, 1) if pipelined else 1, "read": 1}


def fairness(facts: Mapping[str, object], settings: Race) -> dict[str, object]:
    """The fairness sheet of a result, without its notes: `facts` and the load, which is the same in every lane."""
    lanes = servers_of(facts)
    nodes = {lane: servers[-1]["nodes"] for lane, servers in lanes.items() if servers}
    return {
        **facts,
        "shared_servers": shared_servers(lanes),
        "preset": settings.preset,
        "mode": settings.mode,
        "rate_per_s": settings.rate_per_s if settings.mode == "pace" else None,
        "rounds": settings.rounds if settings.heats else None,
        "connections": {"writers": settings.writers, "readers": settings.readers},
        "processes": settings.processes,
        "batch": settings.batch,
        "pipeline_depth": {
            lane: pipeline_depth(lane, settings, nodes.get(lane, 1))
            for lane in (lanes or settings.lanes)
        },
        "keys": key_shape(settings),
        "ttl_s": settings.ttl_s,
        "ttl_jitter": settings.ttl_jitter,
        "cache_start": settings.cache,
        "seed": settings.seed,
    }


def key_shape(settings: Race) -> dict[str, object]:
    """How operations are spread over keys, with the figures that the shape has and no others."""
    shape: dict[str, object] = {"shape": settings.keys}
    if settings.keys == "zipfian":
        shape["exponent"] = settings.zipf_exponent
    if settings.keys == "hot-set":
        shape["hot_keys"] = settings.hot_keys
        shape["hot_operations"] = settings.hot_operations
    return shape


def misleading(facts: Mapping[str, object], settings: Race) -> Iterator[str]:
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
    if "cached" in settings.lanes and settings.processes > 1:
        yield f"duplicate fills are counted within each of the {settings.processes} engine processes"
    if settings.heats and settings.rounds > 1 and "cached" in settings.lanes:
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


def _private_lanes(facts: Mapping[str, object], settings: Race) -> int:
    """How many lanes race on servers that telemon started itself."""
    where = facts.get("servers")
    if isinstance(where, str):
        return len(settings.lanes) if where.startswith("private") else 0
    if isinstance(where, Mapping):
        return sum(str(place).startswith("private") for place in where.values())
    return 0


def _uneven(lanes: Mapping[str, Sequence[Server]]) -> Iterator[str]:
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


def _place(lane: str, server: Server) -> str:
    return f"the {server['role']} of lane {lane}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def sheet_lines(sheet: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The sheet as (label, text) lines for people; `sheet` is what `fairness` made."""
    keys = cast("Mapping[str, object]", sheet["keys"])
    shape = ", ".join(
        [
            f"{keys['shape']} keys",
            *(f"{name} {value}" for name, value in keys.items() if name != "shape"),
        ]
    )
    mode = str(sheet["mode"])
    if sheet["rate_per_s"] is not None:
        mode = f"pace, {sheet['rate_per_s']:g} operations per second and role"
    depths = cast("Mapping[str, Mapping[str, float]]", sheet["pipeline_depth"])
    load = f"{mode}; {shape}"
    if "cached" in depths:
        jitter = f" +- {cast('float', sheet['ttl_jitter']):.0%}" if sheet["ttl_jitter"] else ""
        load += f"; cache {sheet['cache_start']} at the start, TTL {sheet['ttl_s']:g} s{jitter}"
    yield "load", load
    where = _machine(sheet)
    if where:
        yield "machine", where
    lanes = servers_of(sheet)
    for lane in sorted(lanes, key=LANES.index):
        for server in lanes[lane]:
            deep = server["role"] == "store" and depths[lane]["write"] > 1
            depth = f"{depths[lane]['write']:g} SETs" if deep else "1"
            nodes = f", {server['nodes']} nodes" if server["nodes"] > 1 else ""
            trip_us = server["round_trip_us"]
            trip = UNREADABLE if trip_us is None else f"{trip_us:,.0f} us"
            kept = ", ".join(_worth_saying(server["durability"]))
            yield (
                lane,
                f"{server['role']} {server['product']} {server['version']}{nodes}, TLS {server['tls']}, "
                f"round trip {trip}, pipeline depth {depth}; {kept}",
            )


def _worth_saying(durability: Mapping[str, str | int]) -> Iterator[str]:
    """The settings without those that change nothing here."""
    unlogged = durability.get(LOG_BIN) == "OFF"
    for name, value in durability.items():
        if name == SYNC_BINLOG and unlogged:
            yield f"{SYNC_BINLOG} {value} (no binary log)"
        elif name == LOG_BIN or (value == 0 and name in EXTRAS):
            continue
        else:
            yield f"{name} {value}"


EXTRAS = ("semi_sync_replicas", "min-replicas-to-write")
"""What is worth a word where there is any."""


def _machine(sheet: Mapping[str, object]) -> str:
    parts = []
    if sheet.get("cpus"):
        limit = _processors(sheet)
        limited = f", {limit:g} of them for telemon" if limit not in (None, sheet["cpus"]) else ""
        parts.append(f"{sheet['cpus']} processors{limited}")
    if sheet.get("file_system"):
        parts.append(f"data on {sheet['file_system']}")
    versions = sheet.get("versions")
    if isinstance(versions, Mapping):
        parts += [f"{name} {value}" for name, value in versions.items()]
    return ", ".join(parts)
