"""All servers of one sandbox: start, restart, signals and stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engines.endpoints.redaction import register
from engines.model.caveats import OpenBusReason
from engines.model.deaths import ServerDeath
from engines.model.lanes import LANES, SLOT_OF
from engines.sandbox import mariadb, ports, redis_server
from engines.sandbox.binaries import Binaries
from engines.sandbox.cluster import bus
from engines.sandbox.directory import SandboxDirectory
from engines.sandbox.errors import NEXT_STEP, SandboxError
from engines.sandbox.process import ServerProcess
from engines.sandbox.spec import ServerSpec
from engines.wire.redis_info import product_and_version

CLUSTER_WAIT_S = 30.0
"""Seconds that the cluster may take to accept writes on every slot."""

SURVIVABLE = frozenset({signal.SIGSTOP, signal.SIGCONT})
"""Signals after which a server is not expected to be dead."""


@dataclass(slots=True)
class ManagedServer:
    """Server that the supervisor manages.

    `carried` is what its processes inherit, see `SandboxDirectory`. `expected` is true if its death was requested.
    `reported` is true once its death was reported.
    """

    spec: ServerSpec
    carried: int | None = None
    process: ServerProcess | None = None
    product: str = ""
    version: str = ""
    expected: bool = False
    reported: bool = False

    @property
    def alive(self) -> bool:
        """Return whether the server runs."""
        return self.process is not None and self.process.alive

    def start(self) -> ServerProcess:
        """Start the server process and return it. Raises SandboxError if the program cannot be started."""
        spec = self.spec
        self.process = ServerProcess(
            spec.title,
            (str(spec.program), *spec.arguments),
            spec.directory,
            spec.log,
            carried=self.carried,
            secret=spec.password,
        )
        self.expected = self.reported = False
        return self.process

    def exit_summary(self) -> str:
        """Return one line with the server's title and how it ended."""
        assert self.process is not None
        return f"{self.spec.title} died: {self.process.exit_summary()}"

    def death(self, at_utc_s: float) -> ServerDeath:
        """Return the death of the server, which was noticed at `at_utc_s`."""
        assert self.process is not None
        return ServerDeath(
            self.spec.lane,
            self.spec.name,
            self.spec.title,
            at_utc_s,
            self.process.end,
            self.process.death_cause(),
            self.process.last_log_lines(),
        )


class ServerGroup:
    """Servers in `port_by_name` (server name to port) of the sandbox in `directory`.

    `progress` is called with a line for each server that is ready. `size_bytes` is the size of each buffer pool and of
    the cache.
    """

    def __init__(
        self,
        binaries: Binaries,
        directory: SandboxDirectory,
        port_by_name: Mapping[str, int],
        progress: Callable[[str], None],
        size_bytes: int,
    ) -> None:
        self._binaries = binaries
        self._directory = directory
        self._progress = progress
        self._began_s = time.monotonic()
        self._installer: ServerProcess | None = None
        self._servers: dict[str, ManagedServer] = {}
        self.open_bus: OpenBusReason | None = None
        """Why the bus of the cluster is not encrypted; None if it is, or if there is no cluster."""
        # Cluster nodes share one password: a client signs in to all of them with the same.
        shared = secrets.token_urlsafe(24)
        for name, port in port_by_name.items():
            slot = SLOT_OF[name]
            password = shared if slot.role == "store" else secrets.token_urlsafe(24)
            register(password)
            if slot.product == "mysql":
                assert binaries.mysql is not None
                spec = mariadb.server_spec(
                    binaries.mysql, directory, name, port, password, size_bytes
                )
            else:
                assert binaries.redis is not None
                spec = redis_server.server_spec(
                    binaries.redis, directory, name, port, password, size_bytes
                )
            self._servers[name] = ManagedServer(spec, directory.carried)

    @property
    def servers(self) -> Mapping[str, ManagedServer]:
        """Return the servers by name."""
        return self._servers

    async def start(self) -> None:
        """Start all servers and return when all are ready.

        Raises SandboxError; servers started by then keep running.
        """
        mysql_servers = [
            server for server in self._servers.values() if server.spec.socket is not None
        ]
        nodes = [server for server in self._servers.values() if LANES[server.spec.lane].is_cluster]
        caches = [
            server for server in self._servers.values() if SLOT_OF[server.spec.name].role == "cache"
        ]
        try:
            async with asyncio.TaskGroup() as group:
                # Start the cluster first: it takes longest but mostly waits, while MariaDB's tables
                # are created.
                if nodes:
                    group.create_task(self._start_cluster(nodes))
                for cache in caches:
                    cache.start()
                    group.create_task(self._await_redis(cache))
                if mysql_servers:
                    group.create_task(self._install(mysql_servers))
        except BaseExceptionGroup as failures:
            raise _first_error(failures) from None

    def restart(self, name: str) -> ManagedServer:
        """Restart a dead server with its data and return it. Raises SandboxError if it is not dead."""
        server = self._server(name)
        if server.alive:
            raise SandboxError(f"server {name} is running already")
        server.start()
        return server

    async def wait_until_reachable(self, server: ManagedServer) -> None:
        """Return when a started server accepts connections. Raises SandboxError if it does not."""
        assert server.process is not None
        if server.spec.socket is not None:
            await self._mysql_version(server)
        else:
            await server.process.poll_until_ready(lambda: redis_server.server_info(server.spec))

    async def signal(self, name: str, number: int) -> None:
        """Send a signal to a server; after SIGKILL, return when it is dead.

        Raises SandboxError if it is not running.
        """
        server = self._server(name)
        if server.process is None or not server.process.alive:
            raise SandboxError(f"server {name} is not running")
        server.expected = number not in SURVIVABLE
        server.process.signal(number)
        if number == signal.SIGKILL:
            await server.process.wait_for_exit()

    def newly_dead(self) -> list[ManagedServer]:
        """Return the servers that have died since the last call, expected or not."""
        found = [
            server
            for server in self._servers.values()
            if server.process and not server.alive and not server.reported
        ]
        for server in found:
            server.reported = True
        return found

    def foreign_port(self) -> int | None:
        """Return a port of a server on which a foreign process listens, or None. Call when all servers are dead."""
        needed = [server.spec.port for server in self._servers.values()]
        for server in self._servers.values():
            if SLOT_OF[server.spec.name].role == "store":
                needed += ports.cluster_ports(server.spec.port)
        return next((port for port in needed if not ports.free(port)), None)

    def kill(self) -> None:
        """Kill every process. Blocks until they have ended, for at most 2 s each."""
        processes = [server.process for server in self._servers.values()] + [self._installer]
        alive = [process for process in processes if process is not None]
        for process in alive:
            process.kill()
        for process in alive:
            process.wait(2.0)

    async def _install(self, mysql_servers: list[ManagedServer]) -> None:
        assert self._binaries.mysql is not None
        first = mysql_servers[0].spec
        command = mariadb.install(self._binaries.mysql, first.directory)
        log = self._directory.root / "install.log"
        product = self._binaries.mysql.product
        self._installer = ServerProcess(
            f"the {product} installer",
            command,
            self._directory.root,
            log,
            carried=self._directory.carried,
        )
        if await self._installer.wait_for_exit() != 0:
            raise SandboxError(
                f"the data directory of {product} could not be made "
                f"({self._installer.exit_summary()}); {self._installer.next_step()}"
            )
        for other in mysql_servers[1:]:
            mariadb.copy(first.directory, other.spec.directory)
        for server in mysql_servers:
            server.start()
        await asyncio.gather(*(self._await_mysql(server) for server in mysql_servers))

    async def _await_mysql(self, server: ManagedServer) -> None:
        server.version = await self._mysql_version(server)
        assert self._binaries.mysql is not None
        server.product = self._binaries.mysql.product
        self._report_ready(
            f"{server.product} {server.version} for lane {server.spec.lane} is ready"
        )

    async def _mysql_version(self, server: ManagedServer) -> str:
        """Return the version of a MySQL server when its account can sign in. Raises SandboxError if that fails."""
        process, spec = server.process, server.spec
        assert process is not None
        version = await process.poll_until_ready(lambda: mariadb.version(spec))
        if spec.authority is not None:
            await process.poll_until_ready(lambda: mariadb.remember_account(spec))
        return version

    async def _await_redis(self, server: ManagedServer) -> None:
        assert server.process is not None
        info = await server.process.poll_until_ready(lambda: redis_server.server_info(server.spec))
        server.product, server.version = product_and_version(info)
        if SLOT_OF[server.spec.name].role == "cache":
            self._report_ready(
                f"{server.product} {server.version}, the cache of lane {server.spec.lane}, is ready"
            )

    async def _start_cluster(self, nodes: list[ManagedServer]) -> None:
        secured = await bus.secure(
            nodes[0].spec.program, self._directory.root, self._directory.carried
        )
        if isinstance(secured, bus.BusCertificate):
            for node in nodes:
                redis_server.encrypt_bus(node.spec, secured)
        else:
            self.open_bus = secured
        redis_server.form_cluster((node.spec for node in nodes), encrypted=self.open_bus is None)
        for node in nodes:
            node.start()
        await self._await_cluster(nodes)

    async def _await_cluster(self, nodes: list[ManagedServer]) -> None:
        await asyncio.gather(*(self._await_redis(node) for node in nodes))
        deadline_s = time.monotonic() + CLUSTER_WAIT_S
        for node in nodes:
            while not redis_server.cluster_ready(await redis_server.cluster_info(node.spec)):
                assert node.process is not None
                if not node.process.alive:
                    raise SandboxError(f"{node.exit_summary()}; {node.process.next_step()}")
                if time.monotonic() > deadline_s:
                    raise SandboxError(
                        f"the cluster of lane durable did not form within {CLUSTER_WAIT_S:.0f} s: "
                        f"{node.process.telling_log_line()}; {NEXT_STEP}"
                    )
                await asyncio.sleep(0.02)
        product, version = nodes[0].product, nodes[0].version
        self._report_ready(
            f"{product} Cluster {version} of {len(nodes)} primaries for lane durable is ready"
        )

    def _report_ready(self, text: str) -> None:
        self._progress(f"{text} ({time.monotonic() - self._began_s:.1f} s)")

    def _server(self, name: str) -> ManagedServer:
        if name not in self._servers:
            raise SandboxError(f"there is no server {name}; there are {', '.join(self._servers)}")
        return self._servers[name]


def _first_error(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first_error(first) if isinstance(first, BaseExceptionGroup) else first
