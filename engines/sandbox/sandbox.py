"""Private servers for a race: the interface of the sandbox to the rest of telemon."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal as signals
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from engines.config.disk_need import needed_bytes
from engines.config.memory_need import (
    SIZES_BYTES,
    fitting_size_bytes,
    memory_step,
    needed_memory_bytes,
)
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.host.control_groups import free_memory_bytes
from engines.host.open_files import raise_limit
from engines.model.caveats import OpenBusReason
from engines.model.deaths import DeathCause, ProcessEnd, ServerDeath
from engines.model.lanes import LANE_OF, LANES, SLOT_OF, Lane
from engines.sandbox import binaries, cleanup, mariadb, ports
from engines.sandbox import directory as directories
from engines.sandbox.directory import Marker
from engines.sandbox.errors import MissingBinary, PortInUse, SandboxError
from engines.sandbox.spec import SandboxSpec, death_of
from engines.sandbox.supervisor_client import Message, SupervisorClient

__all__ = ["MissingBinary", "PortInUse", "RunningServer", "Sandbox", "SandboxError"]

LEFT_ALONE_SHOWN = 3
"""How many directories that were left alone are named. More would hide the steps of the start."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Running server of the sandbox. `product` is "MariaDB", "MySQL", "Redis" or "Valkey"."""

    name: str
    pid: int
    port: int
    product: str
    version: str


class Sandbox:
    """Private servers for `lanes`.

    Lanes `mysql` and `cached` get a MariaDB (or MySQL) each, `cached` also a Redis as its cache, and `durable` a Redis
    Cluster of three primaries. All servers listen on loopback only, each with its own password.

    A supervisor process owns them. They and their directory are removed when close() is called, when this process ends
    in any way, and when the supervisor is killed. `directory` is the parent of that directory (default: on a disk if
    there is one). It must have room for `room_bytes` (default: what the lanes need for a race of preset fair). `port`
    is the first of nine consecutive ports (default: found by trying).

    Buffer pools and cache become smaller, all alike, where less memory is free than the servers and `engine_processes`
    (default: one per lane and role) need.

    Methods may be called from any thread. Calls that wait for a server are serialized; all others return at once.
    """

    def __init__(
        self,
        lanes: Collection[str],
        *,
        directory: Path | None = None,
        port: int | None = None,
        on_progress: Callable[[str], None] = lambda _: None,
        room_bytes: int | None = None,
        engine_processes: int | None = None,
    ) -> None:
        unknown = [lane for lane in lanes if lane not in LANES]
        if unknown or not lanes:
            raise ValueError(f"lanes {list(lanes)!r}: not one or several of {', '.join(LANES)}")
        self._lanes = tuple(lane for lane in LANES if lane in lanes)
        self._asked_directory = directory
        self._asked_port = port
        self._room_bytes = needed_bytes(self._lanes) if room_bytes is None else room_bytes
        self._engine_processes = engine_processes
        self._on_progress = on_progress
        self._supervisor: SupervisorClient | None = None
        self._directory: Path | None = None
        self._marker: Marker | None = None
        self._file_system = ""
        self._size_bytes = SIZES_BYTES[0]
        self._open_bus: OpenBusReason | None = None
        # These are replaced, never changed, and only by the supervisor client's thread.
        self._server_messages: Mapping[str, Message] = MappingProxyType({})
        self._down: frozenset[str] = frozenset()
        self._deaths: tuple[ServerDeath, ...] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the servers and return when all of them are ready. Report each to `on_progress`.

        Raises SandboxError (MissingBinary, PortInUse, UnusableDirectory) if that fails. Nothing is left behind then,
        nor after a KeyboardInterrupt.
        """
        if self._supervisor is not None:
            raise RuntimeError("a sandbox starts once")
        # The servers inherit it.
        raise_limit()
        programs = binaries.find(self._lanes)
        base = directories.base(self._asked_directory)
        _require_room(base, self._room_bytes)
        self._size_bytes = _fitting_size_bytes(self._lanes, self._engine_processes)
        if self._size_bytes < SIZES_BYTES[0]:
            self._on_progress(
                f"little memory is free: buffer pools and cache are {self._size_bytes >> 20} MiB each, "
                f"not {SIZES_BYTES[0] >> 20}"
            )
        spec = SandboxSpec(
            self._lanes, base, self._asked_port, os.getpid(), programs, self._size_bytes
        )
        try:
            self._supervisor = SupervisorClient(spec.message(), self._on_event, self._on_break)
            # Do this while the servers start: it costs no extra time.
            self._report_sweep(cleanup.remove_orphans([base, *directories.default_bases()]))
            self._await_ready(self._supervisor)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the servers and remove their directory. Return when that is done. Further calls do nothing."""
        if self._supervisor is not None:
            self._supervisor.close()
        if self._directory is not None and self._directory.exists():
            self._clean_up()

    @property
    def directory(self) -> Path:
        """Return the directory of this sandbox; close() removes it.

        Known from start() on. Raises RuntimeError before.
        """
        if self._directory is None:
            raise RuntimeError("the sandbox has not been started")
        return self._directory

    @property
    def file_system(self) -> str:
        """Return the type of the file system of the data ("ext4", "tmpfs"); "" if it is unknown."""
        return self._file_system

    @property
    def volatile(self) -> bool:
        """Return whether the data is in memory, where a durable write costs nothing and guarantees nothing."""
        return self._file_system in directories.VOLATILE

    @property
    def size_bytes(self) -> int:
        """Return the size of each buffer pool and of the cache in bytes. Known from start() on."""
        return self._size_bytes

    @property
    def open_bus(self) -> OpenBusReason | None:
        """Return why the bus of the cluster is open to other users of this machine; None if it is not.

        Known from start() on. None without a cluster, too.
        """
        return self._open_bus

    @property
    def note(self) -> str | None:
        """Return a note on the location of the data that must accompany the results, or None."""
        if self.volatile:
            return (
                f"{self.directory.parent} is a {self._file_system}: fsync is free there and nothing is durable; "
                "set sandbox.directory to a directory on a disk"
            )
        if self._file_system in directories.REMOTE:
            return (
                f"{self.directory.parent} is on {self._file_system}, a file system over the network; "
                "set sandbox.directory to a directory on a local disk"
            )
        return None

    @property
    def endpoints(self) -> Mapping[str, LaneEndpoints]:
        """Return the endpoints of each lane. They stay the same when a server is restarted."""
        return MappingProxyType({lane: self._endpoints_of(LANES[lane]) for lane in self._lanes})

    @property
    def servers(self) -> Mapping[str, RunningServer]:
        """Return the requested servers by name: "mysql", "cached-mysql", "cache", "durable-1" to "durable-3"."""
        return MappingProxyType(
            {
                name: RunningServer(
                    name, server["pid"], server["port"], server["product"], server["version"]
                )
                for name, server in self._server_messages.items()
            }
        )

    def admin_mysql(self, name: str) -> Path:
        """Return the Unix socket on which root signs in to the MySQL server `name` without a password.

        The API for fault injection and tests: a race never signs in as root. Raises ValueError for a Redis server.
        """
        socket_path = self._server_messages[name]["socket"]
        if socket_path is None:
            raise ValueError(f"{name} is not a MySQL server")
        return Path(socket_path)

    def kill(self, name: str, signal: int = signals.SIGKILL) -> None:
        """Send a signal to a server and its forks. After SIGKILL, return when it is dead. For fault tests.

        Raises SandboxError if there is no such server or if it is dead.
        """
        self._call({"do": "kill", "server": name, "signal": int(signal)})

    def start_server(self, name: str) -> None:
        """Restart a dead server with its data and port. Return when it accepts connections.

        A Redis may still be loading then, and a node of the cluster refuses writes for its first two seconds.
        The API for fault injection and tests: a race never restarts a server. Raises SandboxError if there is no such
        server, if it runs, or if it does not start.
        """
        self._call({"do": "start", "server": name})

    @property
    def deaths(self) -> tuple[ServerDeath, ...]:
        """Return every death of a server that nobody asked for, in order, also of servers that run again."""
        return self._deaths

    def down(self) -> frozenset[str]:
        """Return the names of all servers known to be dead, expected or not. Returns at once."""
        return self._down

    def _await_ready(self, supervisor: SupervisorClient) -> None:
        while True:
            message = supervisor.next()
            match message["event"]:
                case "progress":
                    self._on_progress(message["text"])
                case "failed":
                    raise (PortInUse if message["kind"] == "port" else SandboxError)(
                        message["text"]
                    )
                case "ready":
                    self._file_system = directories.file_system(self.directory)
                    if self.note is not None:
                        self._on_progress(self.note)
                    return

    def _call(self, command: Message) -> None:
        if self._supervisor is None:
            raise SandboxError("the sandbox has not been started")
        self._supervisor.call(command)

    def _on_event(self, message: Message) -> None:
        """Update the state from an event of the supervisor. Called in the order of the events."""
        match message["event"]:
            case "directory":
                self._directory = Path(message["path"])
                self._marker = Marker.of(message["marker"])
            case "ready":
                self._server_messages = _by_name(message["servers"])
                reason = message["open_bus"]
                self._open_bus = None if reason is None else OpenBusReason(reason)
                # Forget deaths of an earlier start, whose ports were taken by a foreign process.
                self._down = frozenset()
                self._deaths = ()
            case "died":
                self._down = self._down | {message["server"]}
                if message["death"] is not None:
                    self._deaths = (*self._deaths, death_of(message["death"]))
            case "started":
                started = message["server"]
                self._server_messages = MappingProxyType(
                    {**self._server_messages, started["name"]: started}
                )
                self._down = self._down - {started["name"]}

    def _on_break(self) -> None:
        """Note the deaths of all servers after the supervisor was killed, and remove the sandbox."""
        how = ProcessEnd(signal=signals.SIGKILL)
        killed = tuple(
            ServerDeath(
                LANE_OF[name],
                name,
                server["title"],
                time.time(),
                how,
                DeathCause.SUPERVISOR_DIED,
            )
            for name, server in self._server_messages.items()
            if name not in self._down
        )
        self._down = self._down | {death.server for death in killed}
        self._deaths = (*self._deaths, *killed)
        self._clean_up()

    def _clean_up(self) -> None:
        """Remove what the supervisor left of the sandbox."""
        if self._directory is not None and self._marker is not None:
            # The next clean-up finds what remains.
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                cleanup.reclaim(self._directory, self._marker)

    def _report_sweep(self, sweep: cleanup.Sweep) -> None:
        """Report the directories that a clean-up removed, and the first of those that it left alone."""
        for removed in sweep.removed:
            self._on_progress(f"removed {removed}, left by a telemon that was killed")
        for left in sweep.left_alone[:LEFT_ALONE_SHOWN]:
            self._on_progress(
                f"left {left.path} alone: {left.reason}; if it is of no use to you, remove it"
            )
        if len(sweep.left_alone) > LEFT_ALONE_SHOWN:
            self._on_progress(f"and {len(sweep.left_alone) - LEFT_ALONE_SHOWN} more directories")

    def _endpoints_of(self, lane: Lane) -> LaneEndpoints:
        first = {slot.product: slot.sandbox[0] for slot in lane.servers}
        return LaneEndpoints(
            lane.id,
            mysql=self._mysql_at(first["mysql"]) if lane.has_mysql else None,
            redis=self._redis_at(first["redis"]) if lane.has_redis else None,
        )

    def _mysql_at(self, name: str) -> MySQLEndpoint:
        server = self._server_messages[name]
        return MySQLEndpoint(
            ports.HOST, server["port"], mariadb.USER, server["password"], mariadb.DATABASE
        )

    def _redis_at(self, name: str) -> RedisEndpoint:
        server, slot = self._server_messages[name], SLOT_OF[name]
        return RedisEndpoint(
            ports.HOST,
            server["port"],
            server["password"],
            cluster=slot.role == "store",
            nodes=tuple(f"{ports.HOST}:{self._server_messages[n]['port']}" for n in slot.sandbox),
            product=server["product"],
        )


def _require_room(base: Path, needed: int) -> None:
    """Raise SandboxError if the disk of `base` has not `needed` bytes of room for this user."""
    try:
        free = shutil.disk_usage(base).free
    except OSError:
        return  # Whatever is wrong with it, the attempt to make the sandbox says more.
    if free < needed:
        raise SandboxError(
            f"{base} has {free / 1e6:,.0f} MB free, and the private servers need {needed / 1e6:,.0f} MB; "
            "make room there, set sandbox.directory to another directory, or race fewer lanes (--lanes)"
        )


def _fitting_size_bytes(lanes: Collection[str], engine_processes: int | None) -> int:
    """Return the size of buffer pools and cache that fits into the memory that is free.

    Raises SandboxError if not even the smallest does.
    """
    free = free_memory_bytes()
    size_bytes = fitting_size_bytes(lanes, free, engine_processes)
    if size_bytes is None:
        assert free is not None
        needed = needed_memory_bytes(lanes, SIZES_BYTES[-1], engine_processes)
        raise SandboxError(
            f"{free / 1e6:,.0f} MB of memory are free for telemon, and the race with its private servers needs "
            f"{needed / 1e6:,.0f} MB; {memory_step(lanes)}"
        )
    return size_bytes


def _by_name(servers: Sequence[Message]) -> Mapping[str, Message]:
    return MappingProxyType({server["name"]: server for server in servers})
