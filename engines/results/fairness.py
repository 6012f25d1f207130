"""What must be equal between the lanes of a race and what is not: facts beside the numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from engines.config.race_config import RaceConfig
from engines.model.lanes import LANES
from engines.model.roles import CONNECTIONS
from engines.model.server_facts import (
    LOG_BIN,
    SYNC_BINLOG,
    UNREADABLE,
    servers_of,
    shared_servers,
)
from engines.results.caveats import _processors


def pipeline_depth(lane: str, settings: RaceConfig, nodes: int) -> dict[str, float]:
    """By role, the requests that one connection has under way at a time. Only a batch of lane durable in preset fair
    is pipelined: its rows, spread over the connections to the shards."""
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


def fairness(facts: Mapping[str, object], settings: RaceConfig) -> dict[str, object]:
    """The fairness sheet of a result, without its notes: `facts` and the load, which is the same in every lane."""
    lanes = servers_of(facts)
    nodes = {lane: servers[-1]["nodes"] for lane, servers in lanes.items() if servers}
    plain = {name: value for name, value in settings.fairness.items() if name not in COMPOSED}
    return {
        **facts,
        "shared_servers": shared_servers(lanes),
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


def key_distribution_json(settings: RaceConfig) -> dict[str, object]:
    """How operations are spread over keys, with the figures that the shape has and no others."""
    shape: dict[str, object] = {"shape": settings.keys}
    if settings.keys == "zipfian":
        shape["exponent"] = settings.zipf_exponent
    if settings.keys == "hot-set":
        shape["hot_keys"] = settings.hot_keys
        shape["hot_operations"] = settings.hot_operations
    return shape


def fairness_lines(sheet: Mapping[str, object]) -> Iterator[tuple[str, str]]:
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
    if any(LANES[lane].has_cache for lane in depths):
        jitter = f" +- {cast('float', sheet['ttl_jitter']):.0%}" if sheet["ttl_jitter"] else ""
        load += f"; cache {sheet['cache_start']} at the start, TTL {sheet['ttl_s']:g} s{jitter}"
    yield "load", load
    where = _machine(sheet)
    if where:
        yield "machine", where
    lanes = servers_of(sheet)
    for lane in sorted(lanes, key=[*LANES].index):
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
