"""Private servers for a race, from start to the last file: what the rest of telemon sees of the sandbox."""

from __future__ import annotations

import contextlib
import os
import signal as signals
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.model.lanes import LANES
from engines.sandbox import binaries, mariadb, ports
from engines.sandbox import cleanup as remains
from engines.sandbox import directory as place
from engines.sandbox.errors import MissingBinary, PortInUse, SandboxError
from engines.sandbox.spec import SandboxSpec
from engines.sandbox.supervisor_client import Message, SupervisorClient

__all__ = ["MissingBinary", "PortInUse", "RunningServer", "Sandbox", "SandboxError"]


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of the sandbox as it runs now. `product` is "MariaDB", "MySQL", "Redis" or "Valkey"."""

    name: str
    pid: int
    port: int
    product: str
    version: str


class Sandbox:
    """Private servers for `lanes`: a MariaDB each for `mysql` and `cached`, a Redis as the cache of `cached`, and a
    Redis Cluster of three primaries for `durable`. They listen on loopback only, each with a password of its own.

    They belong to a keeper process and vanish with their directory when close() is called, when this process ends,
    however it ends, and when the keeper is killed. `directory` is where to make that directory (by default on a disk
    if there is one), `port` the first of six ports in a row (by default found by trying). Any thread may call; calls
    that wait for a server wait for each other, the rest return at once.
    """

    def __init__(
        self,
        lanes: Sequence[str],
        *,
        directory: Path | None = None,
        port: int | None = None,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        unknown = [lane for lane in lanes if lane not in LANES]
        if unknown or not lanes:
            raise ValueError(f"lanes {list(lanes)!r}: not one or several of {', '.join(LANES)}")
        self._lanes = tuple(lane for lane in LANES if lane in lanes)
        self._asked_directory = directory
        self._asked_port = port
        self._on_progress = on_progress
        self._supervisor: SupervisorClient | None = None
        self._directory: Path | None = None
        self._file_system = ""
        # Both are replaced whole, by the tether's thread only.
        self._described: Mapping[str, Message] = MappingProxyType({})
        self._down: Mapping[str, str | None] = MappingProxyType({})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the servers and return when all of them are ready, telling `on_progress` of each.

        Raises SandboxError (MissingBinary, PortInUse, UnusableDirectory) when that is not possible; nothing is left
        behind then, nor after a KeyboardInterrupt.
        """
        if self._supervisor is not None:
            raise RuntimeError("a sandbox starts once")
        found = binaries.find(self._lanes)
        under = place.base(self._asked_directory)
        order = SandboxSpec(self._lanes, under, self._asked_port, os.getpid(), found)
        try:
            self._supervisor = SupervisorClient(order.message(), self._on_event, self._clean_up)
            # While the servers start there is time for this.
            for swept in remains.remove_orphans([under, *place.default_bases()]):
                self._on_progress(f"removed {swept}, left by a telemon that was killed")
            self._await_ready(self._supervisor)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the servers and remove their directory; return when that is done. Again, it does nothing."""
        if self._supervisor is not None:
            self._supervisor.close()
        if self._directory is not None and self._directory.exists():
            self._clean_up()

    @property
    def directory(self) -> Path:
        """The directory of this sandbox, gone after close(). Known from start() on."""
        if self._directory is None:
            raise RuntimeError("the sandbox has not been started")
        return self._directory

    @property
    def file_system(self) -> str:
        """The type of the file system that the data lie on ("ext4", "tmpfs"); "" where that cannot be told."""
        return self._file_system

    @property
    def volatile(self) -> bool:
        """Whether the data lie in memory, where making a write durable costs nothing and means nothing."""
        return self._file_system in place.VOLATILE

    @property
    def note(self) -> str | None:
        """What must be said beside the numbers about where the data lie; None if nothing must."""
        if self.volatile:
            return (
                f"{self.directory.parent} is a {self._file_system}: fsync is free there and nothing is durable; "
                "set sandbox.directory to a directory on a disk"
            )
        if self._file_system in place.REMOTE:
            return (
                f"{self.directory.parent} is on {self._file_system}, a file system over the network; "
                "set sandbox.directory to a directory on a local disk"
            )
        return None

    @property
    def endpoints(self) -> Mapping[str, LaneEndpoints]:
        """Where each lane's servers are. They stay the same when a server is started again."""
        made = {
            "mysql": lambda: LaneEndpoints("mysql", mysql=self._mysql_at("mysql")),
            "cached": lambda: LaneEndpoints(
                "cached", mysql=self._mysql_at("cached-mysql"), redis=self._redis_at("cache")
            ),
            "durable": lambda: LaneEndpoints("durable", redis=self._redis_at("durable-1")),
        }
        return MappingProxyType({lane: made[lane]() for lane in self._lanes})

    @property
    def servers(self) -> Mapping[str, RunningServer]:
        """The servers by name: "mysql", "cached-mysql", "cache", "durable-1" to "durable-3", as far as asked for."""
        return MappingProxyType(
            {
                name: RunningServer(
                    name, told["pid"], told["port"], told["product"], told["version"]
                )
                for name, told in self._described.items()
            }
        )

    def admin_mysql(self, name: str) -> Path:
        """Return the Unix socket on which root signs in to the MySQL server `name` without a password.

        The API for fault injection and tests: a race never signs in as root. Raises ValueError for a Redis server.
        """
        socket_path = self._described[name]["socket"]
        if socket_path is None:
            raise ValueError(f"{name} is not a MySQL server")
        return Path(socket_path)

    def kill(self, name: str, signal: int = signals.SIGKILL) -> None:
        """Send a signal to a server and its forks; after SIGKILL return when it is dead. For fault tests.

        Raises SandboxError if there is no such server, or it is dead.
        """
        self._call({"do": "kill", "server": name, "signal": int(signal)})

    def start_server(self, name: str) -> None:
        """Start a dead server again, on its data and its port; return when it takes connections.

        A Redis may still be loading then, and a node of the cluster refuses writes for its first two seconds.
        The API for fault injection and tests: a race never restarts a server. Raises SandboxError if there is no such
        server, if it runs, or if it does not start.
        """
        self._call({"do": "start", "server": name})

    def died(self) -> Mapping[str, str]:
        """The servers that are dead though nobody asked for it, by name, each with how it ended in one line.

        One that is started again is no longer among them. Returns at once.
        """
        return MappingProxyType({name: how for name, how in self._down.items() if how is not None})

    def down(self) -> frozenset[str]:
        """All servers known to be dead, asked for or not. Returns at once."""
        return frozenset(self._down)

    def _await_ready(self, tether: SupervisorClient) -> None:
        while True:
            news = tether.next()
            match news["event"]:
                case "progress":
                    self._on_progress(news["text"])
                case "failed":
                    raise (PortInUse if news["kind"] == "port" else SandboxError)(news["text"])
                case "ready":
                    self._file_system = place.file_system(self.directory)
                    if self.note is not None:
                        self._on_progress(self.note)
                    return

    def _call(self, command: Message) -> None:
        if self._supervisor is None:
            raise SandboxError("the sandbox has not been started")
        self._supervisor.call(command)

    def _on_event(self, news: Message) -> None:
        """Take what the keeper says of its servers. Called in the order in which it happened."""
        match news["event"]:
            case "directory":
                self._directory = Path(news["path"])
            case "ready":
                self._described = _by_name(news["servers"])
                # Of an earlier try, on ports that somebody else then took.
                self._down = MappingProxyType({})
            case "died":
                how = None if news["expected"] else news["text"]
                self._down = MappingProxyType({**self._down, news["server"]: how})
            case "started":
                alive = news["server"]
                self._described = MappingProxyType({**self._described, alive["name"]: alive})
                others = {name: how for name, how in self._down.items() if name != alive["name"]}
                self._down = MappingProxyType(others)

    def _clean_up(self) -> None:
        """Do what the keeper no longer can."""
        how = "the process that keeps the sandbox was killed, and its servers with it"
        self._down = MappingProxyType({**dict.fromkeys(self._described, how), **self._down})
        if self._directory is not None:
            # What stays is found by the next sweep.
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                remains.reclaim(self._directory)

    def _mysql_at(self, name: str) -> MySQLEndpoint:
        told = self._described[name]
        return MySQLEndpoint(
            ports.HOST, told["port"], mariadb.USER, told["password"], mariadb.DATABASE
        )

    def _redis_at(self, name: str) -> RedisEndpoint:
        told = self._described[name]
        return RedisEndpoint(ports.HOST, told["port"], told["password"], cluster=name != "cache")


def _by_name(servers: Sequence[Message]) -> Mapping[str, Message]:
    return MappingProxyType({server["name"]: server for server in servers})
