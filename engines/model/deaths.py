"""Deaths of processes: typed facts on an engine process or a private server that ended unasked.

`engines.results.death_text` makes the sentences.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

from engines.model.roles import Role


class DeathCause(StrEnum):
    """Why a process died, where that is known beyond its signal or exit status.

    `hung`: telemon killed it, because it did not end when it was told to. `closed`: telemon killed it, because it had
    closed its channel and did not end. `no_space`: the disk, or a quota on it, was full. `out_of_memory`: it could get
    no more memory, or the kernel ended it for the lack of it. `supervisor_died`: it was killed with the sandbox's
    supervisor.
    """

    HUNG = "hung"
    CLOSED = "closed"
    NO_SPACE = "no_space"
    OUT_OF_MEMORY = "out_of_memory"
    SUPERVISOR_DIED = "supervisor_died"


class Manner(StrEnum):
    """How a process came to its end, as far as its signal or exit status tells.

    `killed`: by SIGKILL, which the kernel sends for lack of memory, and anybody may. `crashed`: by a signal for a fault
    of the program itself. `over_limit`: by a signal for a limit of the system. `signalled`: by any other signal, which
    somebody sent. `failed`: by itself, with an exit status other than 0. `left`: by itself, with exit status 0.
    """

    KILLED = "killed"
    CRASHED = "crashed"
    OVER_LIMIT = "over_limit"
    SIGNALLED = "signalled"
    FAILED = "failed"
    LEFT = "left"
    UNKNOWN = "unknown"


CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"})
"""Signals for a fault of the program itself (signal(7), those with a core dump that nobody types)."""

LIMITS = frozenset({"SIGXCPU", "SIGXFSZ"})
"""Signals for a limit of processor time or file size (setrlimit(2))."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended: by a signal, or by itself with an exit status. Both are None if it is not known."""

    status: int | None = None
    signal: int | None = None

    @staticmethod
    def of(returncode: int | None) -> ProcessEnd:
        """Return the end that `subprocess.Popen.returncode` stands for."""
        if returncode is None:
            return ProcessEnd()
        return ProcessEnd(signal=-returncode) if returncode < 0 else ProcessEnd(status=returncode)

    @property
    def signal_name(self) -> str | None:
        """Return the name of the signal ("SIGKILL"); None without a signal, its number for one without a name."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"SIG{self.signal}"

    @property
    def manner(self) -> Manner:
        """Return what kind of end this is."""
        name = self.signal_name
        if name is None:
            if self.status is None:
                return Manner.UNKNOWN
            return Manner.FAILED if self.status else Manner.LEFT
        if name in CRASHES:
            return Manner.CRASHED
        if name in LIMITS:
            return Manner.OVER_LIMIT
        return Manner.KILLED if name == "SIGKILL" else Manner.SIGNALLED


@dataclass(frozen=True, slots=True)
class EngineDeath:
    """An engine process that ended unasked, the `number`th (from 1) of its lane and role.

    `last_words` is the last line that it wrote to its stderr, "" for none.
    """

    lane: str
    role: Role
    number: int
    at_utc_s: float
    end: ProcessEnd
    cause: DeathCause | None = None
    last_words: str = ""


@dataclass(frozen=True, slots=True)
class ServerDeath:
    """A private server that ended unasked. `title` names it for people, `last_lines` are the last of its log."""

    lane: str
    server: str
    title: str
    at_utc_s: float
    end: ProcessEnd
    cause: DeathCause | None = None
    last_lines: tuple[str, ...] = ()


Death = EngineDeath | ServerDeath
"""Every kind of death."""
