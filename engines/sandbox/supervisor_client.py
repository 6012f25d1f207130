"""Start the sandbox supervisor and talk to it over a socket pair."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from engines import child_environment
from engines.host.captured_output import CapturedOutput
from engines.paths import search_path
from engines.sandbox.errors import SandboxError

SUPERVISOR = "engines.sandbox.supervisor"
"""Module that the supervisor process runs."""

ANSWER_WAIT_S = 60.0
"""Seconds to wait for an answer.

Longer than any wait inside the supervisor, so that the supervisor can report what was too slow.
"""

END_WAIT_S = 5.0
"""Seconds that the supervisor may take to remove the sandbox before it is killed."""

STDERR_READ_BYTES = 8_192
"""How much of the end of stderr is read for the last line."""

Message = Mapping[str, Any]


class SupervisorClient:
    """Supervisor process, started at once with `spec_message`.

    The supervisor and its servers end when close() is called and when this process ends. `on_event` is called with each
    event, in order, from a thread of this object. `on_break` is called from it if the supervisor ends without a call to
    close(). Events that answer a request also go to next().
    """

    ANSWERS = frozenset({"progress", "ready", "failed", "done", "refused"})
    """Events that go to next()."""

    def __init__(
        self,
        spec_message: Message,
        on_event: Callable[[Message], None],
        on_break: Callable[[], None],
    ) -> None:
        self._on_event = on_event
        self._on_break = on_break
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._call_lock = threading.Lock()
        # A signal handler may call close() while close() runs.
        self._close_lock = threading.RLock()
        self._closed = False
        self._stderr = CapturedOutput("sandbox stderr")
        self._channel, far_end = socket.socketpair()
        try:
            with far_end:
                self._process = subprocess.Popen(
                    # -P: do not import from a directory "engines" in the user's working directory.
                    [sys.executable, "-P", "-m", SUPERVISOR, str(far_end.fileno())],
                    pass_fds=(far_end.fileno(),),
                    env={
                        **child_environment.python_environment(search_path()),
                        **child_environment.of_names(child_environment.DIRECTORY_NAMES),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._stderr.fileno(),
                    # The terminal's signals must not reach it.
                    start_new_session=True,
                )
        except BaseException:
            self._channel.close()
            self._stderr.close()
            raise
        self._send(spec_message)
        self._listener = threading.Thread(target=self._listen, name="sandbox", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Return the supervisor's process id."""
        return self._process.pid

    def call(self, command: Message) -> Message:
        """Send a command and return its answer. Raises SandboxError if the supervisor refuses it or has ended."""
        with self._call_lock:
            self._send(command)
            answer = self.next()
        if answer["event"] == "refused":
            raise SandboxError(answer["text"])
        return answer

    def next(self) -> Message:
        """Return the next answer. Blocks for up to `ANSWER_WAIT_S`.

        Raises SandboxError if the supervisor has ended or does not answer.
        """
        try:
            answer = self._answers.get(timeout=ANSWER_WAIT_S)
        except queue.Empty:
            raise SandboxError(f"the sandbox did not answer within {ANSWER_WAIT_S:.0f} s") from None
        if answer is None:
            # Let the next caller get the same answer.
            self._answers.put(None)
            raise SandboxError(f"the sandbox is gone{self._last_stderr_line()}")
        return answer

    def close(self) -> None:
        """Stop the supervisor and its servers. Return when that is done. Further calls do nothing."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_WR)
            try:
                self._process.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if threading.current_thread() is not self._listener:
                self._listener.join(END_WAIT_S)
            self._channel.close()
            self._stderr.close()

    def _send(self, message: Message) -> None:
        # A supervisor that has ended does not answer either, and `next` reports that.
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self._on_event(message)
                if message["event"] in self.ANSWERS:
                    self._answers.put(message)
        if not self._closed:
            # Its socket closes a moment before the process has ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_WAIT_S)
            self._on_break()
        self._answers.put(None)

    def _last_stderr_line(self) -> str:
        """Return the last line that a failed supervisor wrote to stderr, with a leading ": ", or ""."""
        lines = self._stderr.tail(STDERR_READ_BYTES).splitlines()
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")
