"""A process of the sandbox: it dies with the keeper, and what it wrote is there to be read."""

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

from engines.sandbox.errors import NEXT_STEP, SandboxError

Result = TypeVar("Result")

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""

START_WAIT_S = 30.0

POLL_EVERY_S = 0.01

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


LOG_LINE_PREFIX = re.compile(
    r"^(\d+:\w \d+ \w+ \d+ [\d:.]+ [-.*#] |\d{4}-\d\d-\d\d [\d:]+ \d+ \[\w+\] )",
)
"""What Redis and MariaDB write before each line: when, who, and how grave."""


class ServerProcess:
    """A process started at once, leader of a session of its own so that its forks can be ended with it.

    Neither a Ctrl-C in the terminal nor the user's environment (MYSQL_HOME, passwords) reaches it.
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
                    # Safe here: the keeper has one thread.
                    preexec_fn=_set_death_signal(os.getpid()),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise SandboxError(f"{title} could not be started: {error}; {NEXT_STEP}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the process and to what it has forked."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End the process, for certain and at once: all that it knows is thrown away anyway."""
        self.signal(signal.SIGKILL)

    def wait(self, within_s: float) -> None:
        """Block until the process has ended, or `within_s` have passed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)

    async def wait_for_exit(self) -> int:
        """Wait for the process to end by itself; its exit status, negative for a signal."""
        while (status := self._process.poll()) is None:
            await asyncio.sleep(POLL_EVERY_S)
        return status

    async def poll_until_ready(self, probe: Callable[[], Awaitable[Result | None]]) -> Result:
        """Ask until there is an answer. Raises SandboxError if the process ends first or takes too long."""
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
        """How the process ended, and its last words, in one line."""
        status = self._process.poll()
        if status is None:
            return self.last_log_line()
        exit_text = f"exit status {status}" if status >= 0 else f"signal {-status}"
        return f"{exit_text}: {self.last_log_line()}"

    def last_log_line(self) -> str:
        """The last thing worth reading in what the process wrote, in one line of at most 300 characters."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16_384))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        printable = [re.sub(r"[^\x20-\x7e]+", " ", line).strip() for line in lines]
        # Redis marks what matters with a #, and MariaDB says more after the error.
        important = [
            line for line in printable if re.search(r"\berror\b|^\d+:\S .* # ", line, re.IGNORECASE)
        ]
        last = next((line for line in reversed(important or printable) if line), "it wrote nothing")
        return LOG_LINE_PREFIX.sub("", last)[-300:]


def _environment() -> dict[str, str]:
    path = os.pathsep.join(part for part in (os.environ.get("PATH"), SYSTEM_PATH) if part)
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
    return {"PATH": path, "LC_ALL": "C", **kept}


def _set_death_signal(parent_pid: int) -> Callable[[], None] | None:
    """For a child to call before it becomes the program: the kernel kills it when the keeper is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os._exit(1)

    return before_exec
