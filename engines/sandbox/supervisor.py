"""The process that keeps a sandbox, and takes it away when nobody wants it any more.

`python -m engines.sandbox.supervisor FD` is started by Tether, and talks with it over the socket FD, one JSON object to
a line. First it is told what to start (an Order); then it says what happens (`event`: directory, progress, ready,
failed, died, started), and takes commands (`do`: kill, start), each answered by done or refused. When the other end
closes, for whatever reason, it kills the servers, removes the directory and ends. It does nothing else, so that
nothing else can end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from engines.sandbox import cleanup as remains
from engines.sandbox import directory as places
from engines.sandbox import ports
from engines.sandbox.directory import SandboxDirectory
from engines.sandbox.errors import NEXT_STEP, PortInUse, SandboxError
from engines.sandbox.server_group import ManagedServer, ServerGroup
from engines.sandbox.spec import SandboxSpec

STARTS = 3
"""How often to begin again when a stranger was quicker to take a port that had just been free."""

Message = dict[str, Any]


class Supervisor:
    """Keeps one sandbox for the other end of `channel`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._unwanted = asyncio.Event()
        self._commands: asyncio.Queue[Message] = asyncio.Queue()
        self._servers: ServerGroup | None = None
        self._place: SandboxDirectory | None = None

    async def keep(self) -> None:
        """Return when nobody wants the sandbox any more, or it could not be started, and nothing of it is left."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        line = await reader.readline()
        if not line:
            return
        order = SandboxSpec.of(json.loads(line))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._look_for_dead)
        self._watch(order.parent)
        listening = asyncio.create_task(self._listen(reader))
        unwanted = asyncio.create_task(self._unwanted.wait())
        working = asyncio.create_task(self._work(order))
        try:
            await asyncio.wait({working, unwanted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, unwanted, listening):
                task.cancel()
            await asyncio.gather(working, unwanted, listening, return_exceptions=True)
            self._clear()
        if not working.cancelled() and (error := working.exception()) is not None:
            kind = "port" if isinstance(error, PortInUse) else "sandbox"
            self._tell({"event": "failed", "kind": kind, "text": _error_json(error, order)})
        with contextlib.suppress(OSError):
            await self._writer.drain()
        self._writer.close()

    async def _work(self, order: SandboxSpec) -> None:
        servers = await self._start(order)
        self._tell({"event": "ready", "servers": [_described(k) for k in servers.kept.values()]})
        while True:
            command = await self._commands.get()
            name = command["server"]
            try:
                if command["do"] == "start":
                    kept = servers.start_again(name)
                    # Before anything can be told of its death.
                    self._tell({"event": "started", "server": _described(kept)})
                    await servers.reachable(kept)
                else:
                    await servers.signal(name, command["signal"])
                    self._look_for_dead()
            except SandboxError as error:
                self._tell({"event": "refused", "text": str(error)})
            else:
                self._tell({"event": "done"})

    async def _start(self, order: SandboxSpec) -> ServerGroup:
        for start in range(1, STARTS + 1):
            numbered = ports.choose(ports.names(order.lanes), order.port)
            self._place = places.make(order.under)
            self._tell({"event": "directory", "path": str(self._place.root)})
            servers = ServerGroup(order.binaries, self._place, numbered, self._progress)
            self._servers = servers
            try:
                await servers.start()
            except SandboxError:
                servers.kill()
                foreign = servers.foreign_port()
                if foreign is None:
                    raise
                if order.port is not None or start == STARTS:
                    raise PortInUse(
                        f"port {foreign} was taken while the sandbox started; set another sandbox.port"
                    ) from None
                self._clear()
            else:
                return servers
        raise AssertionError("every start ends in a return or an error")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                self._commands.put_nowait(json.loads(line))
        self._unwanted.set()

    def _watch(self, parent: int) -> None:
        """Notice the end of `parent` even if a child that it forked still holds its end of the channel."""
        if os.getppid() != parent:
            self._unwanted.set()
        elif hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                watched = os.pidfd_open(parent)
                asyncio.get_running_loop().add_reader(watched, self._unwanted.set)

    def _look_for_dead(self) -> None:
        if self._servers is not None:
            for kept in self._servers.newly_dead():
                self._tell(
                    {
                        "event": "died",
                        "server": kept.launch.name,
                        "expected": kept.expected,
                        "text": kept.exit_summary(),
                    }
                )

    def _clear(self) -> None:
        if self._servers is not None:
            self._servers.kill()
        if self._place is not None:
            try:
                remains.reclaim(self._place.root)
            except (OSError, subprocess.SubprocessError):
                remains.remove(self._place.root)  # Those that it started are dead already.
            os.close(self._place.lock)
        self._servers = self._place = None

    def _progress(self, text: str) -> None:
        self._tell({"event": "progress", "text": text})

    def _tell(self, message: Message) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")


def _error_json(error: BaseException, order: SandboxSpec) -> str:
    if isinstance(error, SandboxError):
        return str(error)
    if isinstance(error, OSError):
        return (
            f"the sandbox could not be made in {order.under}: {error.strerror}; "
            "make room there, or set sandbox.directory to another directory"
        )
    return f"the sandbox failed: {error!r}; {NEXT_STEP}"


def _described(kept: ManagedServer) -> Message:
    launch = kept.launch
    return {
        "name": launch.name,
        "pid": kept.child.pid if kept.child is not None else 0,
        "port": launch.port,
        "product": kept.product,
        "version": kept.version,
        "password": launch.password,
        "socket": launch.socket and str(launch.socket),
    }


def main() -> None:
    """Keep the sandbox that the other end of the socket named on the command line asks for."""
    # Only the other end's closing ends this process. A handler and not SIG_IGN, which servers would inherit.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _ignore_signals)
    os.umask(0o077)
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.setblocking(False)

    async def keep() -> None:
        await Supervisor(channel).keep()

    asyncio.run(keep())


def _ignore_signals(*_: object) -> None:
    pass


if __name__ == "__main__":
    main()
