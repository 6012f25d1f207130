"""An engine process, as the race that started it sees it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack

from engines.ipc.channel import Channel
from engines.ipc.messages import (
    AcknowledgedVersions,
    EngineSpec,
    HeatDone,
    IntervalReport,
    NodeCountsReport,
    NotReady,
    OverheadMeasured,
    Ready,
    StartMeasuring,
)
from engines.metrics.node_counts import CountsByNode
from engines.model.roles import Role
from engines.paths import PACKAGE_ROOT
from engines.race.report_queue import ReportQueue


class EngineProcess:
    """The process that drives one role of one lane, or its share of it.

    The interpreter starts with the object, so that it is there when the servers are; `assign` tells it what to do.
    Raises OSError when no process can be started, and leaves nothing behind then.
    """

    def __init__(self, lane: str, role: Role, process: int) -> None:
        self.lane = lane
        self.role = role
        self.name = f"{lane}/{role}" + (f"-{process + 1}" if process else "")
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                self._complaint = undo.enter_context(tempfile.TemporaryFile())
                self._process = self._spawned(theirs)
            undo.pop_all()
        self.channel = Channel(ours)
        self.ready = False
        self.not_ready: NotReady | None = None
        self.overhead_us: float | None = None
        """What telemon itself costs an operation, once it has been measured."""
        self.heat_finished = False
        """Whether it is back at the start line after a heat."""
        self.over = False
        """Whether its last delta is in, or it died."""
        self.died: str | None = None
        """How it died, when it did not end in order: by itself, or because it did not answer."""
        self.ended_ns: int | None = None
        """When it ended, in order."""
        self.reports = ReportQueue()
        self.node_counts: CountsByNode = {}
        """What it had of each Redis node, once it is over."""
        self.versions: dict[int, int] = {}

    def _spawned(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        path = os.environ.get("PYTHONPATH")
        return subprocess.Popen(
            # -P: a folder named "engines" where telemon happens to be started must not be taken for telemon's.
            [
                sys.executable,
                "-P",
                "-m",
                "engines.process",
                str(channel.fileno()),
                self.name,
            ],
            pass_fds=(channel.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # The screen is drawn on stderr: what an engine has to complain of is kept for its cause of death.
            stderr=self._complaint,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_ROOT), path]))},
            # Away from the terminal's Ctrl-C: the race stops its engines itself, in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def assign(self, spec: EngineSpec) -> None:
        """Send the process its share of the work."""
        self.channel.send(spec)

    def send(self, message: object) -> None:
        """Send a message unless the process is over. Does not block."""
        if not self.over:
            self.channel.send(message)

    def start_measuring(self, message: StartMeasuring) -> None:
        """Release the process from the start barrier. Its last heat no longer counts as finished."""
        self.heat_finished = False
        self.send(message)

    def receive(self) -> None:
        """Take in what has arrived; notice the process's death."""
        for message in self.channel.receive():
            if isinstance(message, IntervalReport):
                self.reports.add(message)
                if message.last:
                    self.over, self.ended_ns = True, message.ended_ns
            elif isinstance(message, Ready):
                self.ready = True
            elif isinstance(message, NotReady):
                self.not_ready = message
            elif isinstance(message, HeatDone):
                self.heat_finished = True
            elif isinstance(message, OverheadMeasured):
                self.overhead_us = message.overhead_us
            elif isinstance(message, NodeCountsReport):
                self.node_counts = message.node_counts
            elif isinstance(message, AcknowledgedVersions):
                self.versions = dict(message.versions)
        if self.channel.closed and not self.over:
            self.over = True
            self.died = self._cause_of_death()

    def _cause_of_death(self) -> str:
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        if status < 0:
            return f"signal {-status}"
        self._complaint.seek(0)
        lines = self._complaint.read().decode(errors="replace").strip().splitlines()
        return f"exit code {status}" + (f": {lines[-1]}" if lines else "")

    def abandon(self, reason: str) -> None:
        """Give up on a process that does not answer."""
        self.over = True
        self.died = reason
        self._process.kill()

    def close(self) -> None:
        """End the process, if it has not ended, and wait for it."""
        self.channel.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaint.close()
