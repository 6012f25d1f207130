"""Statistics of the operations of one engine process, per interval."""

from __future__ import annotations

from engines.driver.outcome import Completed
from engines.endpoints.redaction import redact
from engines.metrics.histogram import Histogram
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats


class StatsCollector:
    """Counts the operations of one role of one lane; the reactor adds to it and `take` empties it."""

    __slots__ = ("errors", "failures", "outcomes", "response", "service")

    def __init__(self) -> None:
        self.outcomes: dict[Completed, int] = {}
        self.service = Histogram()
        self.response = Histogram()
        self.failures = Histogram()
        self.errors: dict[str, int] = {}

    def add(self, service_ns: list[int], outcomes: list[Completed]) -> None:
        """Count operations that completed in the same wake-up; both lists have the same length, at least 1.

        `service_ns` holds their service times and `outcomes` their results.
        """
        self.service.record_all(service_ns)
        # Performance: usually all results are the same object, so they are counted with one
        # `list.count`.
        first = outcomes[0]
        same = outcomes.count(first)
        counts = self.outcomes
        counts[first] = counts.get(first, 0) + same
        if same != len(outcomes):
            for outcome in outcomes:
                if outcome is not first:
                    counts[outcome] = counts.get(outcome, 0) + 1

    def count_failure(self, kind: str) -> None:
        """Count one failed operation under its error kind."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def take(self, interval_s: float, *, paced: bool = False) -> IntervalStats:
        """Return the statistics since the last `take` as those of an interval of `interval_s`, and reset them.

        Response times are included if the load was `paced` (open loop) or if any were recorded.
        """
        response = self.response.take()
        outcomes = self.outcomes.items()
        stats = IntervalStats(
            work=RoleStats(
                operations=sum(count for _, count in outcomes),
                rows=sum(outcome.rows * count for outcome, count in outcomes),
                service=self.service.take(),
                response=response if paced or response.count else None,
                failures=self.failures.take(),
                # A Redis server names its errors itself, and may name one after what it was sent.
                errors={redact(kind): count for kind, count in self.errors.items()},
                interval_s=interval_s,
                wrong_content=sum(outcome.wrong_content * count for outcome, count in outcomes),
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
