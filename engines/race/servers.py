"""Gets the servers of a race ready, and reads the race's environment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from engines.backends.server_counters import ServerCounters
from engines.config import race_config as config
from engines.config.disk_need import needed_bytes
from engines.config.errors import ConfigError
from engines.config.memory_need import SIZES_BYTES
from engines.endpoints.deadline import DeadlineError, phase
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT, NotPreparedError, PreparationError, RaceError
from engines.model.caveats import (
    Caveat,
    OpenClusterBus,
    SmallServers,
    UnreadableCounters,
    VolatileStorage,
)
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LANES, LaneInfo
from engines.provisioning.cache import prepare_cache
from engines.provisioning.claim import claim_namespaces
from engines.provisioning.conflicts import resolve_cluster_modes, shared_mysql_servers
from engines.provisioning.leases import RaceLeases
from engines.provisioning.prepare import check
from engines.provisioning.seed import seed_lanes
from engines.race.lane_info import lane_infos, read_lane_servers
from engines.race.machine import machine_facts
from engines.results.caveat_text import caveat_sentences
from engines.sandbox.errors import PortInUse, SandboxError, UnusableDirectory
from engines.sandbox.sandbox import Sandbox
from engines.source import ProgressCallback


@dataclass(frozen=True, slots=True)
class RaceServers:
    """The servers of all lanes, ready to race on. The mappings go by lane, in the order of the settings."""

    endpoints: Mapping[str, LaneEndpoints]
    private: tuple[str, ...]
    """The lanes on private servers."""
    sandbox: Sandbox | None
    """The private servers; None without any."""
    lane_infos: tuple[LaneInfo, ...]
    environment: RaceEnvironment
    counters: ServerCounters
    """The servers' own counters, relative to when the lanes were ready."""


def start_private_servers(
    settings: config.RaceConfig, on_progress: ProgressCallback, closing: ExitStack
) -> Sandbox | None:
    """Start private servers for the lanes that need them; return None if no lane does. `closing` ends the servers.

    Blocks for seconds. Raises RaceError, or ConfigError if this machine lacks what a setting asks for.
    """
    private = settings.private_lanes
    if not private:
        return None
    sandbox = Sandbox(
        private,
        directory=settings.sandbox.directory,
        port=settings.sandbox.port,
        on_progress=on_progress,
        room_bytes=needed_bytes(private, settings.preset, settings.duration_s),
        engine_processes=settings.engine_processes,
    )
    closing.callback(sandbox.close)
    try:
        sandbox.start()
    except SandboxError as error:
        # A port in use is a configuration error only if the settings name the port.
        asked = isinstance(error, PortInUse) and settings.sandbox.port is not None
        if asked or isinstance(error, UnusableDirectory):
            raise ConfigError(str(error)) from error
        raise RaceError(str(error)) from error
    return sandbox


def make_ready(
    settings: config.RaceConfig,
    sandbox: Sandbox | None,
    on_progress: ProgressCallback,
    closing: ExitStack,
    leases: RaceLeases,
) -> RaceServers:
    """Seed the private servers in `sandbox`, check that the user-provided servers are prepared, and read the facts.

    On user-provided servers the leases are taken, the markers of the namespace are written where they are missing, and
    the cache of lane `cached` is changed: telemon's own keys are removed and, if the settings ask for a filled cache,
    every hot car is put into it. `closing` ends the connections that read the counters. Blocks for seconds. Raises
    RaceError.
    """
    own, private = settings.endpoints, settings.private_lanes
    caveats: list[Caveat] = []
    try:
        if own:
            names = dict.fromkeys(chain.from_iterable(_addresses(own, ()).values()))
            on_progress(f"looking at the servers that are configured: {', '.join(names)}")
            with phase("looking at the servers that are configured", len(own)):
                own = resolve_cluster_modes(own, caveats.append)
                caveats += shared_mysql_servers(own)
                # Before a key or a row is asked for: if another telemon races, that would disturb it.
                caveats += leases.take(own)
                check(own)
        everywhere = dict(own)
        if private and sandbox is not None:
            on_bus = _bus_caveats(sandbox, private)
            for sentence in caveat_sentences(on_bus):
                on_progress(sentence)
            caveats += on_bus
            if sandbox.size_bytes < SIZES_BYTES[0]:
                caveats.append(SmallServers(sandbox.size_bytes, SIZES_BYTES[0]))
            on_progress("making the tables and the hot cars")
            theirs = {lane: sandbox.endpoints[lane] for lane in private}
            with phase("making the tables and the hot cars"):
                seed_lanes(theirs, settings.seed)
            everywhere |= theirs
        with phase("claiming the namespaces", len(own)):
            claim_namespaces(own)
        endpoints = {lane: everywhere[lane] for lane in settings.lanes}
        for lane, at in endpoints.items():
            with phase(f"lane {lane}: making the cache {settings.cache}"):
                prepare_cache(at, settings, private=lane in private)
        on_storage = _storage_caveats(sandbox) if private else ()
        with phase("reading the settings of the servers", len(endpoints)):
            entered = lane_infos(endpoints, caveat_sentences(on_storage), private)
            sheets = read_lane_servers(endpoints, private)
    except (PreparationError, NotPreparedError) as error:
        raise RaceError(str(error)) from error
    except DeadlineError as error:
        raise RaceError(f"{error}; {DOCTOR_HINT}") from error
    counters = ServerCounters(endpoints)
    closing.callback(counters.close)
    counters.start()
    for lane, why in counters.unreadable.items():
        if lane in private:
            raise RaceError(f"lane {lane}: a server's counters cannot be read: {why}")
        caveats.append(UnreadableCounters(lane, why))
    on_private = sandbox if private else None
    # "" is a file system that this machine does not name: it is not known to be none in memory.
    file_system = (on_private.file_system or None) if on_private is not None else None
    environment = RaceEnvironment(
        addresses=_addresses(endpoints, private),
        machine=machine_facts(),
        servers=sheets,
        caveats=(*on_storage, *caveats),
        file_system=file_system,
        volatile=None if file_system is None or on_private is None else on_private.volatile,
    )
    return RaceServers(endpoints, private, sandbox, entered, environment, counters)


def _storage_caveats(sandbox: Sandbox | None) -> tuple[VolatileStorage, ...]:
    if sandbox is None or not sandbox.volatile:
        return ()
    return (VolatileStorage(sandbox.file_system),)


def _bus_caveats(sandbox: Sandbox, private: tuple[str, ...]) -> list[OpenClusterBus]:
    if sandbox.open_bus is None:
        return []
    return [OpenClusterBus(lane, sandbox.open_bus) for lane in private if LANES[lane].is_cluster]


def _addresses(
    endpoints: Mapping[str, LaneEndpoints], private: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Return "host:port" of each user-provided server, by lane; () for a lane on private servers."""
    return {
        lane: ()
        if lane in private
        else tuple(f"{s.host}:{s.port}" for s in (at.mysql, at.redis) if s is not None)
        for lane, at in endpoints.items()
    }
