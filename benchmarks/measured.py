"""What the two sides of a pair reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Measured:
    """Throughput in operations, or rows, per second, and the median latency in us."""

    per_s: float
    p50_us: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Alternating measurements of telemon and a peer."""

    ours: Sequence[Measured]
    theirs: Sequence[Measured]

    @property
    def throughput_ratios(self) -> tuple[float, ...]:
        """Ours / theirs, pair by pair."""
        return tuple(our.per_s / their.per_s for our, their in self._each())

    @property
    def p50_ratios(self) -> tuple[float, ...]:
        """The ratios of median latencies, pair by pair."""
        return tuple(our.p50_us / their.p50_us for our, their in self._each())

    @property
    def throughput_ratio(self) -> float:
        """The median of the pairs' ratios: a slow spell of the machine is in both halves of a pair."""
        return median(self.throughput_ratios)

    @property
    def p50_ratio(self) -> float:
        """The median of the pairs' ratios of median latencies."""
        return median(self.p50_ratios)

    def _each(self) -> Iterator[tuple[Measured, Measured]]:
        return zip(self.ours, self.theirs, strict=True)
