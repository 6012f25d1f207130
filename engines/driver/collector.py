"""What the operations of one engine came to since it was last asked."""

from __future__ import annotations

from engines.driver.outcome import Completed
from engines.metrics.histogram import Histogram
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats


class StatsCollector:
    """Counts one role of one lane in one engine process. The reactor fills it, `take` empties it."""

    __slots__ = ("errors", "failures", "outcomes", "response", "service")

    def __init__(self) -> None:
        self.outcomes: dict[Completed, int] = {}
        self.service = Histogram()
        self.response = Histogram()
        self.failures = Histogram()
        self.errors: dict[str, int] = {}

    def add(self, took_ns: list[int], outcomes: list[Completed]) -> None:
        """Count operations that have ended at one time, one at least: their service times, and how each ended."""
        self.service.record_all(took_ns)
        # Most often all ended alike.
        first = outcomes[0]
        same = outcomes.count(first)
        counts = self.outcomes
        counts[first] = counts.get(first, 0) + same
        if same != len(outcomes):
            for outcome in outcomes:
                if outcome is not first:
                    counts[outcome] = counts.get(outcome, 0) + 1

    def count_failure(self, kind: str) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def take(self, interval_s: float, *, paced: bool = False) -> IntervalStats:
        """What was counted since the last take, as the work of an interval of that length; with response times if it
        was `paced`."""
        response = self.response.take()
        outcomes = self.outcomes.items()
        stats = IntervalStats(
            work=RoleStats(
                operations=sum(count for _, count in outcomes),
                rows=sum(outcome.rows * count for outcome, count in outcomes),
                service=self.service.take(),
                response=response if paced or response.count else None,
                failures=self.failures.take(),
                errors=self.errors,
                interval_s=interval_s,
            ),
            cache=CacheStats(
                hits=sum(outcome.hits * count for outcome, count in outcomes),
                misses=sum(outcome.misses * count for outcome, count in outcomes),
                fills=sum(outcome.fills * count for outcome, count in outcomes),
                duplicate_fills=sum(outcome.duplicate_fills * count for outcome, count in outcomes),
                skipped=sum(outcome.skipped * count for outcome, count in outcomes),
            ),
        )
        self.outcomes = {}
        self.errors = {}
        return stats
