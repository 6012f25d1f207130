"""Network distance of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

from engines.backends.server_facts import time_pings_ns
from engines.doctor.check import Check, CheckRunner

NAME = "round trip"
"""Name of the check."""

PING_COUNT = 50
"""Number of pings. The p99 is the largest of them."""

FAR_MS = 2.0
"""Median round trip in ms that causes a warning.

Inside an availability zone a round trip takes a few tenths of a millisecond, and between zones one to two.
"""


def round_trips_ms(ping: Callable[[], object]) -> list[float]:
    """Return the durations of `PING_COUNT` pings in ms, in ascending order."""
    return sorted(duration_ns / 1e6 for duration_ns in time_pings_ns(ping, PING_COUNT))


def percentile_ms(took_ms: list[float], percent: int) -> float:
    """Return the smallest value of an ascending list that `percent` percent of all values do not exceed."""
    return took_ms[max(0, ceil(len(took_ms) * percent / 100) - 1)]


def check_round_trip(runner: CheckRunner, took_ms: list[float], where: str = "") -> Iterator[Check]:
    """Check the durations of pings. `where` is appended to the finding."""
    p50, p99 = percentile_ms(took_ms, 50), percentile_ms(took_ms, 99)
    finding = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms over {len(took_ms)} pings{where}"
    if p50 > FAR_MS:
        yield runner.warn(
            NAME,
            "far_away",
            finding,
            "run telemon in the server's own availability zone; every operation of the race waits this long",
        )
    else:
        yield runner.ok(NAME, finding)
