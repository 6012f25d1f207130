"""The handle of an engine process in the race that started it."""

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
    OpenProgress,
    OverheadMeasured,
    Ready,
    StartMeasuring,
)
from engines.metrics.node_counts import CountsByNode
from engines.model.roles import Role
from engines.paths import PACKAGE_ROOT
from engines.race.report_queue import ReportQueue


class EngineProcess:
    """The handle of a process that drives one role of one lane, or a part of its connections.

    Creating the object starts the interpreter, which loads while the servers start. `assign` sends it its work. Raises
    OSError if no process can be started, and releases everything then.
    """

    def __init__(self, lane: str, role: Role, process: int) -> None:
        self.lane = lane
        self.role = role
        self.name = f"{lane}/{role}" + (f"-{process + 1}" if process else "")
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                self._stderr = undo.enter_context(tempfile.TemporaryFile())
                self._process = self._spawn(theirs)
            undo.pop_all()
        self.channel = Channel(ours)
        self.ready = False
        self.not_ready: NotReady | None = None
        self.open_progress: OpenProgress | None = None
        self.overhead_us: float | None = None
        """Client overhead per operation, None before it is measured."""
        self.heat_finished = False
        """True if it waits at the start barrier after a heat."""
        self.over = False
        """True if its last report was received, or it died."""
        self.died: str | None = None
        """Cause of death if it did not end in order."""
        self.ended_ns: int | None = None
        """Time at which it ended in order."""
        self.reports = ReportQueue()
        self.node_counts: CountsByNode = {}
        """Counts of each Redis node, complete once it is over."""
        self.versions: dict[int, int] = {}

    def _spawn(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        path = os.environ.get("PYTHONPATH")
        return subprocess.Popen(
            # -P: Python must not import a folder "engines" of the current directory.
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
            # The screen is drawn on stderr. The stderr of an engine process is kept for its cause of death.
            stderr=self._stderr,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_ROOT), path]))},
            # Ctrl-C must not reach the process: the race stops its engine processes in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Return the process id."""
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
        """Receive the messages that have arrived, and detect the death of the process. Does not block."""
        for message in self.channel.receive():
            if isinstance(message, IntervalReport):
                self.reports.add(message)
                if message.last:
                    self.over, self.ended_ns = True, message.ended_ns
            elif isinstance(message, Ready):
                self.ready = True
            elif isinstance(message, NotReady):
                self.not_ready = message
            elif isinstance(message, OpenProgress):
                self.open_progress = message
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
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f"exit code {status}" + (f": {lines[-1]}" if lines else "")

    def abandon(self, reason: str) -> None:
        """Kill a process that does not answer."""
        self.over = True
        self.died = reason
        self._process.kill()

    def close(self) -> None:
        """End the process if it still runs, and block until it is gone.

        A process that is not over is killed: nobody waits for its reports, and it may still be loading its modules.
        """
        self.channel.close()
        if not self.over:
            self._process.kill()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()
