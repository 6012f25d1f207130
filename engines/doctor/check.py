"""Result of one check, and the runner that times checks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import TypeAlias, TypeVar

from engines.endpoints.redaction import foreign_text, redact
from engines.text import one_line

Layer = TypeVar("Layer")

NO_SECRET_STEP = "make its source give the password by hand first, then run `telemon doctor` again"
"""Next step when a password cannot be fetched."""

CHECK_LIMIT_S = 15.0
"""Total time in seconds of one check of a server, whatever each of its reads takes. A check that asks many nodes has
more."""

CHECK_REPLY_S = 0.2
"""Seconds by which each reply of a Redis node extends a check: a ping of many far nodes is slow and does not hang."""

SLOW_STEP = "look into the server's log and at the way to it: a race would wait as long"
"""Next step for a server that answers, but too slowly to be checked."""

SILENT_STEP = (
    "something else listens there, or the server hangs: check the port, then the server itself"
)
"""Next step for a server that accepts a connection and sends nothing."""

HUNG_UP_STEP = "behind a tunnel or a proxy: its far end does not reach the server; else look into the server's log"
"""Next step for a server that closes a connection before it sends anything."""

BROKEN_OFF_STEP = "run `telemon doctor` again; if it stays, look into the server's log"
"""Next step for a server that stops answering after sign-in."""

UNKNOWN_ERROR_STEP = "look the error up in the manual of the server"
"""Next step for an error that telemon does not know."""


class Status(StrEnum):
    """Result of a check.

    With warnings a race can run. A failure prevents it from running, or from being fair.
    """

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """Finding of one check. Each text is one printable line.

    `endpoint` names the server; empty for this machine. `ms` is the duration; None if there is none worth showing.
    `problem` is a word that stays the same between versions; empty if nothing is wrong. `next_step` says how to fix it.
    """

    endpoint: str
    name: str
    status: Status
    finding: str
    ms: float | None = None
    problem: str = ""
    next_step: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the check as an object of the JSON output."""
        return {
            "endpoint": self.endpoint,
            "check": self.name,
            "verdict": self.status.value,
            "ms": None if self.ms is None else round(self.ms, 3),
            "found": self.finding,
            "problem": self.problem,
            "next_step": self.next_step,
        }


Checks: TypeAlias = Generator[Check, None, Layer | None]
"""Checks of one layer, in order. Returns the value that the next layer needs, or None if it is not available."""


class CheckRunner:
    """Factory for the checks of one endpoint. The duration of each check starts at the end of the previous one."""

    def __init__(self, endpoint: str = "") -> None:
        self.endpoint = endpoint
        self._since_s = perf_counter()

    def ok(self, name: str, finding: str) -> Check:
        """Return a passed check."""
        return self._check(name, Status.OK, finding, "", "")

    def warn(self, name: str, problem: str, finding: str, next_step: str) -> Check:
        """Return a check with a warning."""
        return self._check(name, Status.WARN, finding, problem, next_step)

    def fail(self, name: str, problem: str, finding: str, next_step: str) -> Check:
        """Return a failed check."""
        return self._check(name, Status.FAIL, finding, problem, next_step)

    def _check(
        self, name: str, status: Status, finding: str, problem: str, next_step: str
    ) -> Check:
        now_s = perf_counter()
        ms, self._since_s = (now_s - self._since_s) * 1000, now_s
        # Most findings quote the server.
        text, step = foreign_text(finding), one_line(redact(next_step))
        return Check(self.endpoint, name, status, text, ms, problem, step)
