"""Server process of the sandbox. It dies with the supervisor, and its log says why it died."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from engines.child_environment import program_environment
from engines.model.deaths import CAUSES, DeathCause, ProcessEnd
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
    r"^(\d+:\w \d+ \w+ \d+ [\d:.]+ [-.*#] |\d{4}-\d\d-\d\d [\d:]+ \d+ \[\w+\] "
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z \d+ \[\w+\] (\[MY-\d+\] )?(\[\w+\] )?)",
)
"""Prefix of each log line of Redis, MariaDB and MySQL: time, process or thread, severity, and MySQL's number and part
of the server."""

LOG_READ_BYTES = 262_144
"""How much of the end of a log is read. A server may have written without end. Less than two crash reports (Valkey 9
writes some 40 KB for each, and may crash in the first) would leave out the first line, which says why it crashed."""

LAST_LINES = 3
"""Number of lines of a log that tell of a death."""

REASON = re.compile(
    r"crashed by signal|got signal \d|assertion failed|can't recover|exiting|aborting|^\d+:\S .* # .*fatal",
    re.IGNORECASE,
)
"""Words of a line by which a server says why it ends, before a report of many lines."""

LINE_LENGTH = 300
"""A line of a log is cut to its last characters, this many."""

CAUSES_IN_LOG = (
    # Servers quote strerror(ENOSPC, EDQUOT, EFBIG, ENOMEM), or say it in words of their own. Where there was room for a
    # part of what it wrote, Redis says no more than that.
    (
        DeathCause.NO_SPACE,
        re.compile(
            r"no space left on device|short write while writing|disk quota exceeded|file too large"
            r"|disk (is )?full|err(no|or|code)(:| number)? (28|122|27)\b",
            re.IGNORECASE,
        ),
    ),
    (
        DeathCause.OUT_OF_MEMORY,
        re.compile(
            r"out of memory|cannot allocate memory|oom allocating|memory allocation failed"
            r"|err(no|or|code)(:| number)? 12\b",
            re.IGNORECASE,
        ),
    ),
)
"""How a log names the causes of death that are known. The first that it names counts."""

DISK_SIGNALS = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGXFSZ})
"""Signals by which a server ends that cannot write a file: its own abort, a mapped page without room, a file limit."""

FULL_BYTES = 65_536
"""A disk with less room for this user is full."""

CONTROL_GROUPS = Path("/proc/self/cgroup")
CONTROL_GROUP_MOUNT = Path("/sys/fs/cgroup")
VM_STATISTICS = Path("/proc/vmstat")
OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
"""The line of memory.events, memory.oom_control and /proc/vmstat that counts processes killed for lack of memory."""


class ServerProcess:
    """Process that is started at once, as the leader of its own session so that its forks can be killed with it.

    Neither Ctrl-C in the terminal nor the user's environment (MYSQL_HOME, passwords) reaches it. It inherits `carried`
    (see `SandboxDirectory`). `secret` is taken out of what is shown of its log. Raises SandboxError if it cannot be
    started.
    """

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        directory: Path,
        log: Path,
        *,
        carried: int | None,
        secret: str = "",
    ) -> None:
        self.title = title
        self._log = log
        self._secret = secret
        self._oom_kills = oom_kills()
        with log.open("ab") as output:
            # A server that is started again appends to the log of the one that died.
            self._log_from = output.seek(0, os.SEEK_END)
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=directory,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=() if carried is None else (carried,),
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
        """Send a signal to the process and its forks, unless the process has ended.

        Then its number may be that of a foreign process group by now, and the clean-up finds its forks.
        """
        if self.alive:
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
                    f"{self.title} was not ready after {START_WAIT_S:.0f} s: {self.exit_summary()}; {self.next_step()}"
                )
            await asyncio.sleep(POLL_EVERY_S)
        raise SandboxError(f"{self.title} did not start: {self.exit_summary()}; {self.next_step()}")

    def exit_summary(self) -> str:
        """Return one line with the cause, if it is known, the exit status or signal, and the telling log line."""
        cause, end = self.death_cause(), self.end
        parts = [] if cause is None else [CAUSES[cause]]
        if end.signal is not None:
            parts.append(f"killed by signal {end.signal} ({end.signal_name})")
        elif end.status is not None:
            parts.append(f"exit status {end.status}")
        return ": ".join(filter(None, (", ".join(parts), self.telling_log_line())))

    def next_step(self) -> str:
        """Return what the user can do if the process did not start."""
        if self.death_cause() is DeathCause.NO_SPACE:
            return f"make room in {self._log.parent.parent}, or set sandbox.directory to another directory"
        return NEXT_STEP

    @property
    def end(self) -> ProcessEnd:
        """Return how the process ended; nothing is known while it runs."""
        return ProcessEnd.of(self._process.poll())

    def death_cause(self) -> DeathCause | None:
        """Return why the process died, as far as its log or the kernel's counters say it; None if they do not."""
        log = "\n".join(self._log_lines())
        for cause, words in CAUSES_IN_LOG:
            if words.search(log):
                return cause
        end = self.end
        if end.signal == signal.SIGKILL and oom_kills() > self._oom_kills:
            return DeathCause.OUT_OF_MEMORY
        # On a full disk the log itself may lack what it would say.
        failed = end.signal in DISK_SIGNALS or (end.status or 0) > 0
        return DeathCause.NO_SPACE if failed and _full(self._log.parent) else None

    def telling_log_line(self) -> str:
        """Return the line of the log that says most, with at most `LINE_LENGTH` characters.

        It is the one that names a known cause; else the first error, because later ones follow from it, and the last
        one only says that the server gives up; else the last line.
        """
        lines = self._log_lines()
        for _, words in CAUSES_IN_LOG:
            named = [line for line in lines if words.search(line)]
            if named:
                return _cut(named[0])
        errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
        said = [line for line in errors if not re.search(r"\baborting$", line, re.IGNORECASE)]
        return _cut(
            next(iter(said), next(reversed(_important(lines) or lines), "it wrote nothing"))
        )

    def last_log_lines(self) -> tuple[str, ...]:
        """Return the last lines of the log, at most `LAST_LINES`; among them is the one that says most."""
        lines = self._log_lines()
        last = lines[-LAST_LINES:]
        reasons = [line for line in lines if REASON.search(line)]
        # A report of a crash may be followed by that of another, of which the first is the cause: Valkey 9 tests its
        # memory when it has run out of memory.
        causes = [line for line in reasons if any(words.search(line) for _, words in CAUSES_IN_LOG)]
        important = causes or reasons or _important(lines)
        if important and important[-1] not in last:
            last = [important[-1], *last[1:]]
        return tuple(_cut(line) for line in last)

    def _log_lines(self) -> list[str]:
        """Return the last lines that this process wrote, without empty ones and without the secret."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(self._log_from, log.seek(0, os.SEEK_END) - LOG_READ_BYTES))
                text = log.read(LOG_READ_BYTES).decode("utf-8", "replace")
        except OSError:
            return []
        if self._secret:
            text = text.replace(self._secret, "***")
        printable = (re.sub(r"[^\x20-\x7e]+", " ", line).strip() for line in text.splitlines())
        return [line for line in printable if line]


def _important(lines: Sequence[str]) -> list[str]:
    """Return the lines that Redis marks with #, and those with an error: MariaDB logs further lines after it."""
    return [line for line in lines if re.search(r"\berror\b|^\d+:\S .* # ", line, re.IGNORECASE)]


def _full(directory: Path) -> bool:
    """Return whether nothing can be written in `directory` for lack of room."""
    try:
        return shutil.disk_usage(directory).free < FULL_BYTES
    except OSError:
        return False


def _cut(line: str) -> str:
    return LOG_LINE_PREFIX.sub("", line)[-LINE_LENGTH:]


def oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory, in this control group if that is known.

    Otherwise in the whole system; 0 where neither is known. Only the growth of the number means something.
    """
    try:
        groups = CONTROL_GROUPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        groups = []
    counters = []
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers:
            counters.append(CONTROL_GROUP_MOUNT / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            counters.append(
                CONTROL_GROUP_MOUNT / "memory" / path.lstrip("/") / "memory.oom_control"
            )
    for counter in (*counters, VM_STATISTICS):
        with contextlib.suppress(OSError):
            found = OOM_KILLS.search(counter.read_text(encoding="ascii", errors="replace"))
            if found is not None:
                return int(found[1])
    return 0


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
