"""The servers of one sandbox, from nothing to ready, and to nothing again."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engines.model.lanes import LANES, SLOT_OF
from engines.sandbox import mariadb, ports, redis_server
from engines.sandbox.binaries import Binaries
from engines.sandbox.directory import SandboxDirectory
from engines.sandbox.errors import NEXT_STEP, SandboxError
from engines.sandbox.process import ServerProcess
from engines.sandbox.spec import ServerSpec
from engines.wire.redis_info import product_and_version

CLUSTER_WAIT_S = 30.0

SURVIVABLE = frozenset({signal.SIGSTOP, signal.SIGCONT})
"""Signals after which a server is not expected to be dead."""


@dataclass(slots=True)
class ManagedServer:
    """A server that the keeper answers for. `expected` says that somebody asked for its death, `told` that its death
    has been told."""

    launch: ServerSpec
    child: ServerProcess | None = None
    product: str = ""
    version: str = ""
    expected: bool = False
    told: bool = False

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.alive

    def start(self) -> ServerProcess:
        command = (str(self.launch.program), *self.launch.arguments)
        self.child = ServerProcess(
            self.launch.title, command, self.launch.directory, self.launch.log
        )
        self.expected = self.told = False
        return self.child

    def exit_summary(self) -> str:
        """Which server died and how, in one line."""
        assert self.child is not None
        return f"{self.launch.title} died: {self.child.exit_summary()}"


class ServerGroup:
    """The servers for `numbered` (name to port) in `place`. `progress` hears of each that is ready."""

    def __init__(
        self,
        binaries: Binaries,
        place: SandboxDirectory,
        numbered: Mapping[str, int],
        progress: Callable[[str], None],
    ) -> None:
        self._binaries = binaries
        self._place = place
        self._progress = progress
        self._began_s = time.monotonic()
        self._installer: ServerProcess | None = None
        self._kept: dict[str, ManagedServer] = {}
        # The nodes of the cluster share one: a client signs in to all of them alike.
        shared = secrets.token_urlsafe(24)
        for name, port in numbered.items():
            slot = SLOT_OF[name]
            password = shared if slot.role == "store" else secrets.token_urlsafe(24)
            if slot.product == "mysql":
                assert binaries.mysql is not None
                launch = mariadb.server_spec(binaries.mysql, place, name, port, password)
            else:
                assert binaries.redis is not None
                launch = redis_server.server_spec(binaries.redis, place, name, port, password)
            self._kept[name] = ManagedServer(launch)

    @property
    def kept(self) -> Mapping[str, ManagedServer]:
        return self._kept

    async def start(self) -> None:
        """Start everything, and return when all of it is ready. Raises SandboxError, with whatever is up still up."""
        mysqls = [kept for kept in self._kept.values() if kept.launch.socket is not None]
        nodes = [kept for kept in self._kept.values() if LANES[kept.launch.lane].is_cluster]
        caches = [kept for name, kept in self._kept.items() if SLOT_OF[name].role == "cache"]
        redis_server.form_cluster(node.launch for node in nodes)
        # The cluster takes longest, and waits rather than works: MariaDB's tables are made meanwhile.
        for kept in (*nodes, *caches):
            kept.start()
        try:
            async with asyncio.TaskGroup() as group:
                if nodes:
                    group.create_task(self._await_cluster(nodes))
                for cache in caches:
                    group.create_task(self._await_redis(cache))
                if mysqls:
                    group.create_task(self._install(mysqls))
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    def start_again(self, name: str) -> ManagedServer:
        """Start a dead server again on its data. Raises SandboxError if it is not dead."""
        kept = self._known(name)
        if kept.alive:
            raise SandboxError(f"server {name} is running already")
        kept.start()
        return kept

    async def reachable(self, kept: ManagedServer) -> None:
        """Return when a server that was started takes connections. Raises SandboxError if it does not."""
        assert kept.child is not None
        if kept.launch.socket is not None:
            await kept.child.answers(lambda: mariadb.version(kept.launch))
        else:
            await kept.child.answers(lambda: redis_server.server_info(kept.launch))

    async def signal(self, name: str, number: int) -> None:
        """Send a signal to a server; after SIGKILL return when it is dead. Raises SandboxError."""
        kept = self._known(name)
        if kept.child is None or not kept.child.alive:
            raise SandboxError(f"server {name} is not running")
        kept.expected = number not in SURVIVABLE
        kept.child.signal(number)
        if number == signal.SIGKILL:
            await kept.child.ended()

    def newly_dead(self) -> list[ManagedServer]:
        """The servers that have died since the last call, whether or not somebody asked for it."""
        found = [
            kept for kept in self._kept.values() if kept.child and not kept.alive and not kept.told
        ]
        for kept in found:
            kept.told = True
        return found

    def foreign_port(self) -> int | None:
        """Once all are dead, a port of theirs on which somebody else listens."""
        taken = (
            kept.launch.port for kept in self._kept.values() if not ports.free(kept.launch.port)
        )
        return next(taken, None)

    def kill(self) -> None:
        """End every process, for certain."""
        children = [kept.child for kept in self._kept.values()] + [self._installer]
        alive = [child for child in children if child is not None]
        for child in alive:
            child.kill()
        for child in alive:
            child.wait(2.0)

    async def _install(self, mysqls: list[ManagedServer]) -> None:
        assert self._binaries.mysql is not None
        first = mysqls[0].launch
        command = mariadb.install(self._binaries.mysql, first.directory)
        log = self._place.root / "install.log"
        self._installer = ServerProcess("the MariaDB installer", command, self._place.root, log)
        if await self._installer.ended() != 0:
            raise SandboxError(
                "the data directory of MariaDB could not be made "
                f"({self._installer.exit_summary()}); {NEXT_STEP}"
            )
        for other in mysqls[1:]:
            mariadb.copy(first.directory, other.launch.directory)
        for kept in mysqls:
            kept.start()
        await asyncio.gather(*(self._await_mysql(kept) for kept in mysqls))

    async def _await_mysql(self, kept: ManagedServer) -> None:
        assert kept.child is not None
        kept.version = await kept.child.answers(lambda: mariadb.version(kept.launch))
        assert self._binaries.mysql is not None
        kept.product = "MariaDB" if self._binaries.mysql.installer else "MySQL"
        self._ready(f"{kept.product} {kept.version} for lane {kept.launch.lane} is ready")

    async def _await_redis(self, kept: ManagedServer) -> None:
        assert kept.child is not None
        info = await kept.child.answers(lambda: redis_server.server_info(kept.launch))
        kept.product, kept.version = product_and_version(info)
        if SLOT_OF[kept.launch.name].role == "cache":
            self._ready(
                f"{kept.product} {kept.version}, the cache of lane {kept.launch.lane}, is ready"
            )

    async def _await_cluster(self, nodes: list[ManagedServer]) -> None:
        await asyncio.gather(*(self._await_redis(node) for node in nodes))
        until = time.monotonic() + CLUSTER_WAIT_S
        for node in nodes:
            while not redis_server.cluster_ready(await redis_server.cluster_info(node.launch)):
                assert node.child is not None
                if not node.child.alive:
                    raise SandboxError(f"{node.exit_summary()}; {NEXT_STEP}")
                if time.monotonic() > until:
                    raise SandboxError(
                        f"the cluster of lane durable did not form within {CLUSTER_WAIT_S:.0f} s: "
                        f"{node.child.words()}; {NEXT_STEP}"
                    )
                await asyncio.sleep(0.02)
        product, version = nodes[0].product, nodes[0].version
        self._ready(
            f"{product} Cluster {version} of {len(nodes)} primaries for lane durable is ready"
        )

    def _ready(self, text: str) -> None:
        self._progress(f"{text} ({time.monotonic() - self._began_s:.1f} s)")

    def _known(self, name: str) -> ManagedServer:
        if name not in self._kept:
            raise SandboxError(f"there is no server {name}; there are {', '.join(self._kept)}")
        return self._kept[name]


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
