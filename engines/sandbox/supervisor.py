"""Process that owns a sandbox and removes it when it is no longer needed.

`SupervisorClient` starts `python -m engines.sandbox.supervisor FD` and talks to it over the socket FD, one JSON object
per line. The first line is a SandboxSpec. The supervisor then sends events (`event`: directory, progress, ready,
failed, died, started) and accepts commands (`do`: kill, start), each answered by done or refused. When the other end
closes for any reason, it kills the servers, removes the directory and exits. It does nothing else, so nothing else can
make it fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from engines.endpoints.redaction import foreign_text
from engines.sandbox import cleanup, ports
from engines.sandbox import directory as directories
from engines.sandbox.directory import SandboxDirectory
from engines.sandbox.errors import NEXT_STEP, PortInUse, SandboxError
from engines.sandbox.server_group import ManagedServer, ServerGroup
from engines.sandbox.spec import SandboxSpec, death_message

STARTS = 3
"""Number of starts before giving up when foreign processes take a port that was free a moment before."""

Message = dict[str, Any]


class Supervisor:
    """Owner of one sandbox for the process at the other end of `channel`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._stop_requested = asyncio.Event()
        self._commands: asyncio.Queue[Message] = asyncio.Queue()
        self._group: ServerGroup | None = None
        self._directory: SandboxDirectory | None = None

    async def run(self) -> None:
        """Serve the sandbox. Return when it is no longer needed or could not be started, and all of it is removed."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        line = await reader.readline()
        if not line:
            return
        spec = SandboxSpec.of(json.loads(line))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._report_dead)
        self._stop_when_parent_ends(spec.parent)
        listening = asyncio.create_task(self._listen(reader))
        stop_requested = asyncio.create_task(self._stop_requested.wait())
        serving = asyncio.create_task(self._serve(spec))
        try:
            await asyncio.wait({serving, stop_requested}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, stop_requested, listening):
                task.cancel()
            await asyncio.gather(serving, stop_requested, listening, return_exceptions=True)
            self._clean_up()
        if not serving.cancelled() and (error := serving.exception()) is not None:
            kind = "port" if isinstance(error, PortInUse) else "sandbox"
            self._send({"event": "failed", "kind": kind, "text": _error_json(error, spec)})
        with contextlib.suppress(OSError):
            await self._writer.drain()
        self._writer.close()

    async def _serve(self, spec: SandboxSpec) -> None:
        group = await self._start(spec)
        self._send(
            {
                "event": "ready",
                "servers": [_server_json(server) for server in group.servers.values()],
                "open_bus": group.open_bus,
            }
        )
        while True:
            command = await self._commands.get()
            name = command["server"]
            try:
                if command["do"] == "start":
                    server = group.restart(name)
                    # Send this before any event about its death.
                    self._send({"event": "started", "server": _server_json(server)})
                    await group.wait_until_reachable(server)
                else:
                    await group.signal(name, command["signal"])
                    self._report_dead()
            except SandboxError as error:
                self._send({"event": "refused", "text": str(error)})
            else:
                self._send({"event": "done"})

    async def _start(self, spec: SandboxSpec) -> ServerGroup:
        for start in range(1, STARTS + 1):
            port_by_name = ports.choose(ports.names(spec.lanes), spec.port)
            self._directory = directories.make(spec.base)
            self._send(
                {
                    "event": "directory",
                    "path": str(self._directory.root),
                    "marker": self._directory.marker.message(),
                }
            )
            group = ServerGroup(
                spec.binaries, self._directory, port_by_name, self._progress, spec.size_bytes
            )
            self._group = group
            try:
                await group.start()
            except SandboxError:
                group.kill()
                taken = group.foreign_port()
                if taken is None:
                    raise
                if spec.port is not None or start == STARTS:
                    raise PortInUse(
                        f"port {taken} was taken while the sandbox started; set another sandbox.port"
                    ) from None
                self._clean_up()
            else:
                return group
        raise AssertionError("every start ends in a return or an error")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                self._commands.put_nowait(json.loads(line))
        self._stop_requested.set()

    def _stop_when_parent_ends(self, parent: int) -> None:
        """Detect the end of `parent` even if a child that it forked still holds its end of the channel."""
        if os.getppid() != parent:
            self._stop_requested.set()
        elif hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(parent)
                asyncio.get_running_loop().add_reader(pidfd, self._stop_requested.set)

    def _report_dead(self) -> None:
        if self._group is not None:
            for server in self._group.newly_dead():
                death = None if server.expected else death_message(server.death(time.time()))
                self._send({"event": "died", "server": server.spec.name, "death": death})

    def _clean_up(self) -> None:
        if self._group is not None:
            self._group.kill()
        if self._directory is not None:
            root, marker = self._directory.root, self._directory.marker
            try:
                cleanup.reclaim(root, marker)
            except (OSError, subprocess.SubprocessError):
                cleanup.remove(root, marker)  # The servers it started are dead already.
            self._directory.close()
        self._group = self._directory = None

    def _progress(self, text: str) -> None:
        self._send({"event": "progress", "text": text})

    def _send(self, message: Message) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")


def _error_json(error: BaseException, spec: SandboxSpec) -> str:
    if isinstance(error, SandboxError):
        return str(error)
    if isinstance(error, OSError):
        return (
            f"the sandbox could not be made in {spec.base}: {_reason(error)}; "
            "make room there, or set sandbox.directory to another directory"
        )
    return f"the sandbox failed: {type(error).__name__}: {foreign_text(error)}; {NEXT_STEP}"


def _reason(error: OSError) -> str:
    """Return why a file could not be written. An error of `shutil.copytree` is a list of (from, to, reason)."""
    if isinstance(error, shutil.Error):
        failed: Sequence[tuple[str, str, str]] = error.args[0]
        return (
            re.sub(r"^\[Errno \d+\] ", "", foreign_text(failed[0][2]))
            if failed
            else "a copy failed"
        )
    return error.strerror or foreign_text(error) or type(error).__name__


def _server_json(server: ManagedServer) -> Message:
    spec = server.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "pid": server.process.pid if server.process is not None else 0,
        "port": spec.port,
        "product": server.product,
        "version": server.version,
        "password": spec.password,
        "socket": spec.socket and str(spec.socket),
    }


def main() -> None:
    """Run the supervisor on the socket whose descriptor is the first command-line argument."""
    # Only closing the other end stops this process. SIG_IGN would be inherited by the servers; a
    # handler is not.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _ignore_signals)
    os.umask(0o077)
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.setblocking(False)

    async def run() -> None:
        await Supervisor(channel).run()

    asyncio.run(run())


def _ignore_signals(*_: object) -> None:
    pass


if __name__ == "__main__":
    main()
