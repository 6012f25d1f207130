"""Server process of the sandbox. It dies with the supervisor, and its log can be read after its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from engines.child_environment import program_environment
from engines.sandbox.errors import NEXT_STEP, SandboxError

Result = TypeVar("Result")

PR_SET_PDEATHSIG = 1
"""Option of prctl(2), from linux/prctl.h."""

START_WAIT_S = 30.0
"""Seconds that a server may take to become ready."""

POLL_EVERY_S = 0.01
"""Seconds between two checks for readiness or exit."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of the servers, appended to the user's: the installer script needs standard tools."""


LOG_LINE_PREFIX = re.compile(
    r"^(\d+:\w \d+ \w+ \d+ [\d:.]+ [-.*#] |\d{4}-\d\d-\d\d [\d:]+ \d+ \[\w+\] )",
)
"""Prefix of each log line of Redis and MariaDB: time, process and severity."""


class ServerProcess:
    """Process that is started at once, as the leader of its own session so that its forks can be killed with it.

    Neither Ctrl-C in the terminal nor the user's environment (MYSQL_HOME, passwords) reaches it. Raises SandboxError if
    it cannot be started.
    """

    def __init__(self, title: str, command: Sequence[str], directory: Path, log: Path) -> None:
        self.title = title
        self._log = log
        with log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=directory,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    # Safe here because the supervisor has only one thread.
                    preexec_fn=_set_death_signal(os.getpid()),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise SandboxError(f"{title} could not be started: {error}; {NEXT_STEP}") from None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Return whether the process is running."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the process and its forks."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """Kill the process and its forks with SIGKILL. All of its data is discarded, so no clean shutdown is needed."""
        self.signal(signal.SIGKILL)

    def wait(self, within_s: float) -> None:
        """Block until the process has ended, for at most `within_s` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)

    async def wait_for_exit(self) -> int:
        """Wait until the process ends. Return its exit status, negative for a signal."""
        while (status := self._process.poll()) is None:
            await asyncio.sleep(POLL_EVERY_S)
        return status

    async def poll_until_ready(self, probe: Callable[[], Awaitable[Result | None]]) -> Result:
        """Call `probe` until it returns a result other than None, and return that.

        Raises SandboxError if the process ends first or is not ready within `START_WAIT_S`.
        """
        deadline_s = time.monotonic() + START_WAIT_S
        while self.alive:
            result = await probe()
            if result is not None:
                return result
            if time.monotonic() > deadline_s:
                raise SandboxError(
                    f"{self.title} was not ready after {START_WAIT_S:.0f} s: {self.last_log_line()}; {NEXT_STEP}"
                )
            await asyncio.sleep(POLL_EVERY_S)
        raise SandboxError(f"{self.title} did not start: {self.exit_summary()}; {NEXT_STEP}")

    def exit_summary(self) -> str:
        """Return one line with the exit status or signal, and the last log line."""
        status = self._process.poll()
        if status is None:
            return self.last_log_line()
        exit_text = f"exit status {status}" if status >= 0 else f"signal {-status}"
        return f"{exit_text}: {self.last_log_line()}"

    def last_log_line(self) -> str:
        """Return the last relevant line of the log, with at most 300 characters."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16_384))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        printable = [re.sub(r"[^\x20-\x7e]+", " ", line).strip() for line in lines]
        # Redis marks important lines with #. MariaDB logs further lines after the error.
        important = [
            line for line in printable if re.search(r"\berror\b|^\d+:\S .* # ", line, re.IGNORECASE)
        ]
        last = next((line for line in reversed(important or printable) if line), "it wrote nothing")
        return LOG_LINE_PREFIX.sub("", last)[-300:]


def _environment() -> dict[str, str]:
    """Return the environment of a server: that of any program, with an English log."""
    inherited = program_environment()
    path = os.pathsep.join(part for part in (inherited.get("PATH"), SYSTEM_PATH) if part)
    return {**inherited, "PATH": path, "LC_ALL": "C"}


def _set_death_signal(parent_pid: int) -> Callable[[], None] | None:
    """Return a function for the child to call before exec: the kernel then kills it when the supervisor is killed.

    None on systems other than Linux.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os._exit(1)

    return before_exec
