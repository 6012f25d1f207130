"""The fairness sheet: what must be equal between the lanes of a race, and what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from engines.config.race_config import RaceConfig
from engines.model.environment import MachineFacts, RaceEnvironment
from engines.model.lanes import LANES
from engines.model.roles import CONNECTIONS
from engines.model.server_facts import (
    LOG_BIN,
    SQL_LOG_BIN,
    SYNC_BINLOG,
    UNREADABLE,
    shared_servers,
)

PRIVATE = "private, on this machine"
"""The place of private servers in the result's JSON."""


def pipeline_depth(lane: str, settings: RaceConfig, nodes: int) -> dict[str, float]:
    """Return, by role, how many requests one connection has in flight at a time.

    Only a write batch of a lane without SQL in preset fair is pipelined: its rows are spread over the connections to
    the `nodes` primaries.
    """
    pipelined = not LANES[lane].writes_sql and settings.preset == "fair"
    return {"write": round(settings.batch / nodes, 1) if pipelined else 1, "read": 1}


COMPOSED = frozenset(
    {
        "rate_per_s",
        "rounds",
        "writers",
        "readers",
        "keys",
        "zipf_exponent",
        "hot_keys",
        "hot_operations",
        "cache",
    }
)
"""Fields of settings that the sheet shows under another name, grouped, or only in some modes. Every other setting with
`in_fairness_sheet` is in the sheet under its own name."""


LOAD_ORDER = (
    *("preset", "mode", "rate_per_s", "rounds", "connections", "processes", "batch", "pipeline_depth", "keys"),
    *("ttl_s", "ttl_jitter", "cache_start", "seed"),
)  # fmt: skip
"""Order of the load in the result's JSON. Settings that are not named here follow in the order of their table."""


def fairness(environment: RaceEnvironment, settings: RaceConfig) -> dict[str, object]:
    """Return the JSON-ready fairness sheet of a result: the environment, and the load, which is the same in all lanes.

    `notes` is empty here; `result_document` fills it.
    """
    lanes = environment.servers
    nodes = {lane: servers[-1].nodes for lane, servers in lanes.items() if servers}
    plain = {name: value for name, value in settings.fairness.items() if name not in COMPOSED}
    load: dict[str, object] = {
        **plain,
        "rate_per_s": settings.rate_per_s if settings.mode == "pace" else None,
        "rounds": settings.rounds if settings.heats else None,
        "connections": {CONNECTIONS[role]: count for role, count in settings.connections.items()},
        "pipeline_depth": {
            lane: pipeline_depth(lane, settings, nodes.get(lane, 1))
            for lane in (lanes or settings.lanes)
        },
        "keys": key_distribution_json(settings),
        "cache_start": settings.cache,
    }
    return {
        **_environment_json(environment),
        "shared_servers": shared_servers(lanes),
        **{name: load[name] for name in (*LOAD_ORDER, *load)},
    }


def _environment_json(environment: RaceEnvironment) -> dict[str, object]:
    """Return the facts of the environment that are known, in the order of the result's schema."""
    found: dict[str, object] = {}
    private = environment.private_lanes
    if environment.addresses:
        found["servers"] = (
            PRIVATE
            if len(private) == len(environment.addresses)
            else {
                lane: " and ".join(addresses) or PRIVATE
                for lane, addresses in environment.addresses.items()
            }
        )
    if environment.machine is not None:
        found |= asdict(environment.machine)
    if environment.servers:
        found["lanes"] = {
            lane: [server.shown() for server in servers]
            for lane, servers in environment.servers.items()
        }
    found["notes"] = []
    if environment.file_system is not None:
        found["file_system"] = environment.file_system
    if environment.volatile is not None:
        found["volatile"] = environment.volatile
    return found


def key_distribution_json(settings: RaceConfig) -> dict[str, object]:
    """Return the key distribution: its shape, and only the parameters that this shape has."""
    shape: dict[str, object] = {"shape": settings.keys}
    if settings.keys == "zipfian":
        shape["exponent"] = settings.zipf_exponent
    if settings.keys == "hot-set":
        shape["hot_keys"] = settings.hot_keys
        shape["hot_operations"] = settings.hot_operations
    return shape


def fairness_lines(environment: RaceEnvironment, settings: RaceConfig) -> Iterator[tuple[str, str]]:
    """Return the fairness sheet for people, as (label, text) lines."""
    keys = key_distribution_json(settings)
    shape = ", ".join(
        [
            f"{keys['shape']} keys",
            *(f"{name} {value}" for name, value in keys.items() if name != "shape"),
        ]
    )
    mode: str = settings.mode
    if settings.mode == "pace" and settings.rate_per_s is not None:
        mode = f"pace, {settings.rate_per_s:g} operations per second and role"
    load = f"{mode}; {shape}"
    lanes = environment.servers
    if any(LANES[lane].has_cache for lane in (lanes or settings.lanes)):
        jitter = f" +- {settings.ttl_jitter:.0%}" if settings.ttl_jitter else ""
        load += f"; cache {settings.cache} at the start, TTL {settings.ttl_s:g} s{jitter}"
    yield "load", load
    where = _machine(environment)
    if where:
        yield "machine", where
    for lane in sorted(lanes, key=[*LANES].index):
        depths = pipeline_depth(lane, settings, lanes[lane][-1].nodes) if lanes[lane] else {}
        for server in lanes[lane]:
            deep = server.role == "store" and depths["write"] > 1
            depth = f"{depths['write']:g} SETs" if deep else "1"
            nodes = f", {server.nodes} nodes" if server.nodes > 1 else ""
            trip_us = server.round_trip_us
            trip = UNREADABLE if trip_us is None else f"{trip_us:,.0f} us"
            kept = ", ".join(_durability_texts(server.durability))
            yield (
                lane,
                f"{server.role} {server.product} {server.version}{nodes}, TLS {server.tls}, "
                f"round trip {trip}, pipeline depth {depth}; {kept}",
            )


def _durability_texts(durability: Mapping[str, str | int]) -> Iterator[str]:
    """Return the settings as text, without those that have no effect here."""
    unlogged = durability.get(LOG_BIN) == "OFF"
    for name, value in durability.items():
        if name == SYNC_BINLOG and unlogged:
            yield f"{SYNC_BINLOG} {value} (no binary log)"
        elif name == LOG_BIN or (value == 0 and name in EXTRAS) or (name, value) == LOGGED:
            continue
        else:
            yield f"{name} {value}"


LOGGED = (SQL_LOG_BIN, "ON")
"""What an account's session is by default; shown only if it is otherwise."""

EXTRAS = ("semi_sync_replicas", "min-replicas-to-write")
"""Durability settings that are shown only if they are not 0."""


def _machine(environment: RaceEnvironment) -> str:
    parts = []
    machine = environment.machine
    if machine is not None and machine.cpus:
        limit = machine.usable_cpus
        limited = f", {limit:g} of them for telemon" if limit not in (None, machine.cpus) else ""
        parts.append(f"{machine.cpus} processors{limited}")
    memory = None if machine is None else _memory(machine)
    if memory:
        parts.append(memory)
    if environment.file_system:
        parts.append(f"data on {environment.file_system}")
    if machine is not None:
        parts += [f"{name} {value}" for name, value in machine.versions.items()]
    return ", ".join(parts)


def _memory(machine: MachineFacts) -> str | None:
    """Return the memory of a machine and its limit as text; None if neither is known."""
    there, limit = machine.memory_bytes, machine.memory_limit_bytes
    if there is None:
        return None if limit is None else f"memory limited to {_size(limit)}"
    limited = f", {_size(limit)} of them for telemon" if limit is not None and limit < there else ""
    return f"{_size(there)} of memory{limited}"


def _size(number_bytes: int) -> str:
    """Return a number of bytes in GiB ("23.5 GiB"), below one in MiB."""
    if number_bytes < 1 << 30:
        return f"{number_bytes / (1 << 20):,.0f} MiB"
    gib = number_bytes / (1 << 30)
    return f"{gib:,.0f} GiB" if gib >= 100 else f"{gib:.3g} GiB"
