"""The handle of an engine process in the race that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress

from engines.child_environment import TLS_NAMES, of_names, python_environment
from engines.endpoints.credential_sources import CredentialSource
from engines.endpoints.redaction import foreign_text
from engines.host.captured_output import CapturedOutput
from engines.ipc.channel import Channel
from engines.ipc.messages import (
    AcknowledgedRows,
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
from engines.model.deaths import DeathCause, EngineDeath, ProcessEnd
from engines.model.roles import Role
from engines.paths import PACKAGE_ROOT
from engines.race.report_queue import ReportQueue
from engines.sandbox.process import oom_kills

END_WAIT_S = 1.0
"""How long a process that has closed its channel may take to end, in seconds. With less, an interpreter on a busy
machine is killed before it has written why it ends."""

FAREWELL_WAIT_S = 0.3
"""How long a process whose race is gone may take to end, in seconds. It only tells its servers, without waiting."""

STDERR_READ_BYTES = 8_192
"""How much of the end of stderr is read for the last words. A process may have written without end."""

FATAL = "Fatal Python error: "
"""Start of the line by which the interpreter says why it aborts. Its stack follows, whose last line says nothing."""


class EngineProcess:
    """The handle of a process that drives one role of one lane, or a part of its connections.

    Creating the object starts the interpreter, which loads while the servers start. `assign` sends it its work. Raises
    OSError if no process can be started, and releases everything then.
    """

    def __init__(
        self, lane: str, role: Role, process: int, secrets: Collection[CredentialSource] = ()
    ) -> None:
        """Start the process, the one with index `process` of its lane and role.

        `secrets` are the sources of the passwords with which it signs in. It receives the variables of the environment
        that these need, and no others that may hold a secret.
        """
        self.lane = lane
        self.role = role
        self.number = process + 1
        self.name = f"{lane}/{role}" + (f"-{process + 1}" if process else "")
        self._oom_kills = oom_kills()
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                self._stderr = CapturedOutput(f"{self.name} stderr")
                undo.callback(self._stderr.close)
                self._process = self._spawn(theirs, secrets)
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
        self.death: EngineDeath | None = None
        """How it died, if it did not end in order."""
        self.ended_ns: int | None = None
        """Time at which it ended in order."""
        self.reports = ReportQueue()
        self.node_counts: CountsByNode = {}
        """Counts of each Redis node, complete once it is over."""
        self.versions: dict[int, int] = {}
        self.acknowledged = AcknowledgedRows((), ())
        """Acknowledged rows to read back, complete once it is over."""

    def _spawn(
        self, channel: socket.socket, secrets: Collection[CredentialSource]
    ) -> subprocess.Popen[bytes]:
        path = os.environ.get("PYTHONPATH")
        environment: dict[str, str] = of_names(TLS_NAMES)
        for source in secrets:
            environment |= source.environment()
        # Last: a source may name everything, and what makes it an engine process goes before.
        environment |= python_environment(os.pathsep.join(filter(None, [str(PACKAGE_ROOT), path])))
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
            stderr=self._stderr.fileno(),
            env=environment,
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
            elif isinstance(message, AcknowledgedRows):
                self.acknowledged = message
        if self.channel.closed and not self.over:
            cause = None
            try:
                self._process.wait(timeout=END_WAIT_S)
            except subprocess.TimeoutExpired:
                cause = DeathCause.CLOSED
            self._end(cause)

    def abandon(self) -> None:
        """Kill a process that does not answer."""
        self._end(DeathCause.HUNG)

    def _end(self, cause: DeathCause | None) -> None:
        """Note the death of the process; kill it if it has not ended."""
        self.over = True
        if self._process.poll() is None:
            self._process.kill()
        how = ProcessEnd.of(self._process.returncode)
        if cause is None and how.signal == signal.SIGKILL and oom_kills() > self._oom_kills:
            cause = DeathCause.OUT_OF_MEMORY
        self.death = EngineDeath(
            self.lane,
            self.role,
            self.number,
            time.time(),
            how,
            cause,
            self._last_words(),
        )

    def _last_words(self) -> str:
        """Return the last line that the process wrote to stderr; "" for none."""
        text = self._stderr.tail(STDERR_READ_BYTES)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(FATAL)]
        return foreign_text((fatal or lines or [""])[-1])

    def close(self) -> None:
        """End the process if it still runs, and block until it is gone.

        A process that is not over is killed: nobody waits for its reports, and it may still be loading its modules. One
        that has begun to connect ends by itself before, and tells the servers.
        """
        self.channel.close()
        if not self.over:
            if self.open_progress is not None or self.ready:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=FAREWELL_WAIT_S)
            self._process.kill()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()
