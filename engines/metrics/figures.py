"""Table of the figures of a result: what can be read off the stats of a role, and how it is named.

The JSON, the result's table, the comparison of heats and `telemon config --figures` iterate over `FIGURES`. It is read
once per frame and result, never per operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from functools import partial
from operator import attrgetter
from typing import Literal

from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import IntervalStats
from engines.model.roles import ROLES, Role

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
"""Percentiles of every latency distribution in JSON and table. Schema 1 of the JSON needs these four."""

BRIEF_PERCENTILES = (50.0, 99.0)
"""Percentiles where there is room for two: in heats, in the lines of intervals and on the screen.

They must be among `PERCENTILES`.
"""

READ: tuple[Role, ...] = ("read",)


class Unit(StrEnum):
    """Unit of a figure's value. It selects the number format of the JSON here, that of text in `tui.draw.format`."""

    COUNT = "count"
    PER_S = "1/s"
    S = "s"
    US = "us"
    SHARE = "share"

    def rounded(self, value: float) -> float:
        """Return `value` as precise as the JSON has it; a count stays a whole number."""
        return value if self is Unit.COUNT else round(value, _DECIMALS[self])


_DECIMALS = {Unit.PER_S: 1, Unit.S: 3, Unit.US: 1, Unit.SHARE: 4}


class Shown(Flag):
    """Places where a figure is shown. `HEATS` is the comparison of heats, in JSON and table."""

    JSON = auto()
    TABLE = auto()
    HEATS = auto()


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is read off the stats of a role in an interval, however long.

    `name` is unique. `label` is what the table calls it. `value` returns None where nothing was measured. Figures of
    one `group` stand together; a figure with a `key` is in the JSON object of its group (`service_us.p50`), any other
    is under its own name. The group of a latency is the name of its field in `RoleStats`.
    """

    name: str
    label: str
    unit: Unit
    roles: tuple[Role, ...]
    better: Literal["higher", "lower", "neither"]
    help: str
    value: Callable[[IntervalStats], float | None]
    shown: Shown = Shown.JSON | Shown.TABLE
    group: str = ""
    key: str = ""

    @property
    def json_path(self) -> tuple[str, ...]:
        """Return the keys that lead to the figure in the JSON of a role."""
        return (f"{self.group}_{self.unit}", self.key) if self.key else (self.name,)


def percentile_us(latencies: LatencyDistribution | None, percent: float) -> float | None:
    """Return a percentile in us; None where there is no value."""
    return latencies.percentile_us(percent) if latencies is not None and latencies.count else None


def percentile_key(percent: float) -> str:
    """Return the name of a percentile in JSON: "p50", "p999"."""
    return f"p{percent:g}".replace(".", "")


def percentiles(
    group: str, about: str, shown: Shown, *, label: str = "", prefix: str | None = None
) -> Iterator[Figure]:
    """Yield the figures of a latency distribution: minimum, mean, `PERCENTILES` and maximum.

    `group` is the field of `RoleStats`. `about` says in the help what it measures. Minimum and mean are in JSON only;
    of the others only `BRIEF_PERCENTILES` are compared in heats. `label` begins the labels, `prefix` the names; the
    prefix is by default the group.
    """
    prefix = f"{group}_" if prefix is None else prefix
    json_only, without_heats = shown & Shown.JSON, shown & ~Shown.HEATS

    def figure(key: str, text: str, what: str, read: Reading, shown: Shown) -> Figure:
        return Figure(
            name=f"{prefix}{key}_us",
            label=f"{label}{text}",
            unit=Unit.US,
            roles=ROLES,
            better="lower",
            help=f"{what} {about}",
            value=partial(_reading, group, read),
            shown=shown,
            group=group,
            key=key,
        )

    yield figure("min", "min", "Minimum of the", attrgetter("min_us"), json_only)
    yield figure("mean", "mean", "Mean of the", attrgetter("mean_us"), json_only)
    for percent in PERCENTILES:
        yield figure(
            percentile_key(percent),
            f"p{percent:g}",
            f"{percent:g}th percentile of the",
            partial(LatencyDistribution.percentile_us, percent=percent),
            shown if percent in BRIEF_PERCENTILES else without_heats,
        )
    yield figure("max", "max", "Maximum of the", attrgetter("max_us"), without_heats)


Reading = Callable[[LatencyDistribution], float]
"""What is read off a distribution that has values."""


def _reading(group: str, read: Reading, stats: IntervalStats) -> float | None:
    latencies: LatencyDistribution | None = getattr(stats.work, group)
    return read(latencies) if latencies is not None and latencies.count else None


EVERYWHERE = Shown.JSON | Shown.TABLE | Shown.HEATS

FIGURES: list[Figure] = [
    Figure(
        "rows", "rows", Unit.COUNT, ROLES, "higher", "Acknowledged rows.", lambda stats: stats.work.rows
    ),
    Figure(
        "rows_per_s", "rows/s", Unit.PER_S, ROLES, "higher",
        "Acknowledged rows per second of measured time.",
        lambda stats: stats.work.rows_per_s, EVERYWHERE,
    ),
    Figure(
        "operations", "operations", Unit.COUNT, ROLES, "higher",
        "Acknowledged operations; a write is a batch of rows.",
        lambda stats: stats.work.operations,
    ),
    Figure(
        "measured_s", "measured", Unit.S, ROLES, "neither",
        "Measured time: the sum of the true lengths of the intervals.",
        lambda stats: stats.work.interval_s, Shown.JSON,
    ),
    Figure(
        "errors", "errors", Unit.COUNT, ROLES, "lower",
        "Failed operations; in JSON by kind.",
        lambda stats: stats.work.failed,
    ),
    *percentiles("service", "service times: reply minus send.", EVERYWHERE, prefix=""),
    *percentiles(
        "response", "response times of an open loop: reply minus due time.", EVERYWHERE,
        label="response ",
    ),
    *percentiles("failures", "durations of failed operations.", Shown.JSON, label="failures "),
    Figure(
        "processor_wait_us", "processor wait", Unit.US, ROLES, "lower",
        "Mean time for which telemon was ready to run and waited for a processor.",
        lambda stats: stats.work.scheduling_delay.mean_us, Shown.JSON,
    ),
    Figure(
        "hits", "hits", Unit.COUNT, READ, "higher", "Reads that the cache answered.",
        lambda stats: stats.cache.hits, group="cache",
    ),
    Figure(
        "misses", "misses", Unit.COUNT, READ, "lower", "Reads that the cache did not answer.",
        lambda stats: stats.cache.misses, group="cache",
    ),
    Figure(
        "hit_ratio", "hit ratio", Unit.SHARE, READ, "higher", "Hits per read, from 0 to 1.",
        lambda stats: stats.cache.hit_ratio, group="cache",
    ),
    Figure(
        "fills", "fills", Unit.COUNT, READ, "neither", "Misses that were written to the cache.",
        lambda stats: stats.cache.fills, group="cache",
    ),
    Figure(
        "duplicate_fills", "duplicate fills", Unit.COUNT, READ, "lower",
        "Fills that another reader had begun at the same time.",
        lambda stats: stats.cache.duplicate_fills, group="cache",
    ),
    Figure(
        "skipped", "skipped ids", Unit.COUNT, READ, "lower", "Ids that no back end had.",
        lambda stats: stats.cache.skipped, group="cache",
    ),
    Figure(
        "wrong_content", "wrong content", Unit.COUNT, READ, "lower",
        "Reads whose reply was no row of the car asked for; they are neither rows nor hits.",
        lambda stats: stats.work.wrong_content,
    ),
]  # fmt: skip
"""Every figure, in the order of the JSON. Renaming one or changing its order changes schema 1 of the JSON.

The table puts rates first and errors last in each role.
"""


def figures_of(role: Role, place: Shown) -> list[Figure]:
    """Return the figures of a role that are shown in one place, in the order of `FIGURES`."""
    return [each for each in FIGURES if role in each.roles and place in each.shown]
