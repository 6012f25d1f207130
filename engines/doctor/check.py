"""One thing that was looked at, and the clock that times it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import TypeAlias, TypeVar

from engines.text import one_line

Layer = TypeVar("Layer")

FINDING_LENGTH = 300
"""What a server says is shown up to this many characters."""

NO_SECRET_STEP = "make its source give the password by hand first, then run `telemon doctor` again"
"""The next step where a password cannot be had."""


class Status(StrEnum):
    """How a check ended. A race runs with warnings; what fails keeps it from running, or from being a fair one."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found, each part in one printable line.

    `endpoint` says whose check it is (empty: this machine's), `ms` how long it took (None: no time worth a number),
    `problem` is a word that stays the same between versions and empty where nothing is wrong, `next_step` what to do
    about it.
    """

    endpoint: str
    name: str
    status: Status
    finding: str
    ms: float | None = None
    problem: str = ""
    next_step: str = ""

    def to_json(self) -> dict[str, object]:
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
"""A layer's checks in their order. It returns what the next layer stands on, and None when that is not there."""


class CheckRunner:
    """Makes the checks of one endpoint. The milliseconds of each run from the end of the one before."""

    def __init__(self, endpoint: str = "") -> None:
        self.endpoint = endpoint
        self._since_s = perf_counter()

    def ok(self, name: str, finding: str) -> Check:
        return self._check(name, Status.OK, finding, "", "")

    def warn(self, name: str, problem: str, finding: str, next_step: str) -> Check:
        return self._check(name, Status.WARN, finding, problem, next_step)

    def fail(self, name: str, problem: str, finding: str, next_step: str) -> Check:
        return self._check(name, Status.FAIL, finding, problem, next_step)

    def _check(
        self, name: str, status: Status, finding: str, problem: str, next_step: str
    ) -> Check:
        now_s = perf_counter()
        ms, self._since_s = (now_s - self._since_s) * 1000, now_s
        text = one_line(" ".join(finding.split()))[:FINDING_LENGTH]
        return Check(self.endpoint, name, status, text, ms, problem, one_line(next_step))
