"""What ties a keeper to this process: the process itself, and the socket between the two."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any

from engines.paths import search_path
from engines.sandbox.errors import SandboxError

SUPERVISOR = "engines.sandbox.supervisor"

ANSWER_WAIT_S = 60.0
"""More than any wait of the keeper's own, so that it is the keeper who says what was too slow."""

END_WAIT_S = 5.0

Message = Mapping[str, Any]


class SupervisorClient:
    """A keeper, started at once with `order`. It ends, and its servers with it, when close() is called and when this
    process ends.

    `on_event` is called from a thread of this object's own with each event, in order; `on_break` when the keeper has
    ended though close() was not called. Events that answer something go to next() besides.
    """

    ANSWERS = frozenset({"progress", "ready", "failed", "done", "refused"})

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
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the keeper
        self._channel, far_end = socket.socketpair()
        try:
            with far_end:
                self._process = subprocess.Popen(
                    # -P: a directory "engines" where the user happens to be is not ours.
                    [sys.executable, "-P", "-m", SUPERVISOR, str(far_end.fileno())],
                    pass_fds=(far_end.fileno(),),
                    env={**os.environ, "PYTHONPATH": search_path()},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._stderr,
                    # Out of reach of the terminal's signals.
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
        """The keeper's."""
        return self._process.pid

    def call(self, command: Message) -> Message:
        """Have the keeper do something, and return its answer. Raises SandboxError if it refuses, or is gone."""
        with self._call_lock:
            self._send(command)
            answer = self.next()
        if answer["event"] == "refused":
            raise SandboxError(answer["text"])
        return answer

    def next(self) -> Message:
        """The next answer; waits for it. Raises SandboxError if the keeper is gone or silent."""
        try:
            answer = self._answers.get(timeout=ANSWER_WAIT_S)
        except queue.Empty:
            raise SandboxError(f"the sandbox did not answer within {ANSWER_WAIT_S:.0f} s") from None
        if answer is None:
            # For the next one to ask.
            self._answers.put(None)
            raise SandboxError(f"the sandbox is gone{self._last_stderr_line()}")
        return answer

    def close(self) -> None:
        """End the keeper and all that it keeps; return when that is done. Again, it does nothing."""
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
        # A keeper that is gone does not answer either, and that is where it is noticed.
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
            # Its socket closes a moment before it has ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_WAIT_S)
            self._on_break()
        self._answers.put(None)

    def _last_stderr_line(self) -> str:
        """What a keeper that failed wrote about it."""
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")
