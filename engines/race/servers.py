"""Where a race is: its servers, made ready or looked at, and what must be known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from engines.backends.server_counters import ServerCounters
from engines.config import race_config as config
from engines.config.errors import ConfigError
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT, NotPreparedError, PreparationError, RaceError
from engines.model.lanes import LaneInfo
from engines.provisioning.cache import prepare_cache
from engines.provisioning.conflicts import resolve_cluster_modes, shared_server_notes
from engines.provisioning.prepare import check
from engines.provisioning.seed import seed_lanes
from engines.race.lane_info import lane_infos, read_lane_servers
from engines.race.machine import machine_facts
from engines.sandbox.errors import PortInUse, SandboxError, UnusableDirectory
from engines.sandbox.sandbox import Sandbox

PRIVATE = "private, on this machine"

Narrate = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RaceServers:
    """The servers of all lanes, ready to race on. The mappings go by lane, in the order of the settings."""

    endpoints: Mapping[str, LaneEndpoints]
    private: tuple[str, ...]
    """The lanes on servers of telemon's own."""
    sandbox: Sandbox | None
    """Those servers; None where there are none."""
    lane_infos: tuple[LaneInfo, ...]
    facts: Mapping[str, object]
    """What a fair reading of the result must know: file system, processors, and what could mislead."""
    counters: ServerCounters
    """The servers' own, counting since the lanes were ready."""


def private_lanes(settings: config.RaceConfig) -> tuple[str, ...]:
    """The lanes that race on servers of telemon's own: those for which the settings name no others."""
    return tuple(lane for lane in settings.lanes if lane not in settings.endpoints)


def start_private_servers(
    settings: config.RaceConfig, on_progress: Narrate, closing: ExitStack
) -> Sandbox | None:
    """Private servers for the lanes that need them, ended by `closing`; None where no lane does.

    Raises RaceError, or config.ConfigError when a setting asks for what this machine does not have.
    """
    private = private_lanes(settings)
    if not private:
        return None
    sandbox = Sandbox(
        private,
        directory=settings.sandbox.directory,
        port=settings.sandbox.port,
        on_progress=on_progress,
    )
    closing.callback(sandbox.close)
    try:
        sandbox.start()
    except SandboxError as error:
        # Ports that were found, and not asked for, are nobody's wrong setting.
        asked = isinstance(error, PortInUse) and settings.sandbox.port is not None
        if asked or isinstance(error, UnusableDirectory):
            raise ConfigError(str(error)) from error
        raise RaceError(str(error)) from error
    return sandbox


def make_ready(
    settings: config.RaceConfig, sandbox: Sandbox | None, on_progress: Narrate, closing: ExitStack
) -> RaceServers:
    """Make the tables and the hot cars on the private servers in `sandbox`, and see that the servers which the settings
    name were prepared. There only the cache of lane `cached` is changed: telemon's own keys leave it and, where a
    filled start is asked for, every hot car is put into it. `closing` ends the connections that read the counters.

    Raises RaceError.
    """
    own, private = settings.endpoints, private_lanes(settings)
    notes: list[str] = []
    try:
        if own:
            on_progress("looking at the servers that are configured")
            check(own)
            own = resolve_cluster_modes(own)
            notes += shared_server_notes(own)
        everywhere = dict(own)
        if private and sandbox is not None:
            on_progress("making the tables and the hot cars")
            theirs = {lane: sandbox.endpoints[lane] for lane in private}
            seed_lanes(theirs, settings.seed)
            everywhere |= theirs
        endpoints = {lane: everywhere[lane] for lane in settings.lanes}
        for lane, at in endpoints.items():
            prepare_cache(at, settings, private=lane in private)
        beside = _notes_on(sandbox) if private else ()
        entered = lane_infos(endpoints, beside, private)
        sheets = read_lane_servers(endpoints, private)
    except (PreparationError, NotPreparedError) as error:
        raise RaceError(str(error)) from error
    counters = ServerCounters(endpoints)
    closing.callback(counters.close)
    counters.start()
    for lane, why in counters.unreadable.items():
        if lane in private:
            raise RaceError(f"lane {lane}: a server's counters cannot be read: {why}")
        notes.append(
            f"lane {lane}: its servers' own counters cannot be read ({why}); {DOCTOR_HINT}"
        )
    facts = {
        "servers": _whereabouts(endpoints, private),
        **machine_facts(),
        "lanes": sheets,
        "notes": [*beside, *notes],
    }
    if private and sandbox is not None:
        facts |= {"file_system": sandbox.file_system, "volatile": sandbox.volatile}
    return RaceServers(endpoints, private, sandbox, entered, facts, counters)


def _notes_on(sandbox: Sandbox | None) -> tuple[str, ...]:
    if sandbox is None or not sandbox.volatile:
        return ()
    where = sandbox.file_system
    return (f"data on {where}: memory, not a disk, so a commit costs nothing here",)


def _whereabouts(
    endpoints: Mapping[str, LaneEndpoints], private: tuple[str, ...]
) -> str | dict[str, str]:
    """Where the servers are: in a word when all are private, else by lane."""
    if len(private) == len(endpoints):
        return PRIVATE
    found = {}
    for lane, at in endpoints.items():
        servers = [f"{s.host}:{s.port}" for s in (at.mysql, at.redis) if s is not None]
        found[lane] = PRIVATE if lane in private else " and ".join(servers)
    return found
