"""Merging of statistics: each field of a dataclass declares once, in its metadata, how its values add up.

`merge` makes one object out of several; `RunningTotal` adds them up one by one. A new field needs its declaration and
nothing else: `retries: int = field(default=0, metadata=COUNTER)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from engines.metrics.histogram import DistributionSum, LatencyDistribution

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


class FieldMerge:
    """Rule by which the values of one field add up. This one is for numbers; the others override what differs.

    A running total starts as `start()`. `add` and `subtract` return the new total, which may be the same object,
    changed. `read` returns the total as a value of the field.
    """

    is_distribution = False
    """Whether the field holds latencies, which a total of counts leaves out."""

    is_given = False
    """Whether only the caller of `merge` knows the merged value, and must give it."""

    is_summed = True
    """Whether a running total adds the values up. If not, the caller of `RunningTotal.value` must give the value."""

    def merged(self, values: Sequence[Any]) -> Any:
        """Return one value out of several."""
        return sum(values)

    def start(self) -> Any:
        """Return the total of nothing."""
        return 0

    def add(self, total: Any, value: Any) -> Any:
        """Return the total with `value`."""
        return total + value

    def subtract(self, total: Any, value: Any) -> Any:
        """Return the total without `value`, which was added before."""
        return total - value

    def read(self, total: Any) -> Any:
        """Return the total as a value of the field."""
        return total


class _Seconds(FieldMerge):
    """Rule for the length of an interval in s. A running total adds it up; `merge` must be given it."""

    is_given = True

    def start(self) -> Any:
        return 0.0


class _Given(FieldMerge):
    """Rule for a field that has no rule of its own."""

    is_given = True
    is_summed = False


class _CountsByKind(FieldMerge):
    """Rule for a mapping from names to counts, which add up name by name."""

    def merged(self, values: Sequence[Any]) -> Any:
        total = self.start()
        for value in values:
            total = self.add(total, value)
        return total

    def start(self) -> Any:
        return {}

    def add(self, total: Any, value: Any) -> Any:
        for name, count in value.items():
            total[name] = total.get(name, 0) + count
        return total

    def subtract(self, total: Any, value: Any) -> Any:
        for name, count in value.items():
            left = total.get(name, 0) - count
            if left:
                total[name] = left
            else:
                total.pop(name, None)
        return total

    def read(self, total: Any) -> Any:
        return dict(total)


class _Distribution(FieldMerge):
    """Rule for a latency distribution that is empty where no part has a value."""

    is_distribution = True

    def merged(self, values: Sequence[Any]) -> Any:
        return LatencyDistribution.merged(values)

    def start(self) -> Any:
        return DistributionSum()

    def add(self, total: Any, value: Any) -> Any:
        total.add(value)
        return total

    def read(self, total: Any) -> Any:
        return total.latencies()


class _OptionalDistribution(_Distribution):
    """Rule for a latency distribution that is None where no part has one."""

    def merged(self, values: Sequence[Any]) -> Any:
        kept = [value for value in values if value is not None]
        return LatencyDistribution.merged(kept) if kept else None

    def start(self) -> Any:
        return None

    def add(self, total: Any, value: Any) -> Any:
        if value is None:
            return total
        return super().add(DistributionSum() if total is None else total, value)

    def read(self, total: Any) -> Any:
        return None if total is None else super().read(total)


class _Nested(FieldMerge):
    """Rule for a field that is itself a dataclass of declared fields."""

    def __init__(self, kind: type[DataclassInstance]) -> None:
        self._kind = kind

    def merged(self, values: Sequence[Any]) -> Any:
        return merge(self._kind, values)

    def start(self) -> Any:
        return RunningTotal(self._kind)

    def add(self, total: Any, value: Any) -> Any:
        total.add(value)
        return total

    def subtract(self, total: Any, value: Any) -> Any:
        total.subtract(value)
        return total

    def read(self, total: Any) -> Any:
        return total.value()


Metadata = Mapping[str, FieldMerge]
"""Metadata of a dataclass field: its rule."""

_RULE = "merge"

COUNTER: Metadata = {_RULE: FieldMerge()}
"""Declares a number that adds up."""

SECONDS: Metadata = {_RULE: _Seconds()}
"""Declares the length of an interval in s. A running total adds it up; `merge` must be given it."""

COUNTS_BY_KIND: Metadata = {_RULE: _CountsByKind()}
"""Declares a mapping from names to counts, which add up name by name."""

DISTRIBUTION: Metadata = {_RULE: _Distribution()}
"""Declares a latency distribution, which is empty by default."""

OPTIONAL_DISTRIBUTION: Metadata = {_RULE: _OptionalDistribution()}
"""Declares a latency distribution, which is None by default: "not measured"."""

GIVEN: Metadata = {_RULE: _Given()}
"""Declares a field whose merged value only the caller knows."""


def nested(kind: type[DataclassInstance]) -> Metadata:
    """Return the metadata of a field that is a `kind`, whose own fields are declared."""
    return {_RULE: _Nested(kind)}


@cache
def declared(kind: type[DataclassInstance]) -> Mapping[str, FieldMerge]:
    """Return the rules of a dataclass by field name. Raises KeyError for a field without a declaration."""
    return {each.name: each.metadata[_RULE] for each in fields(kind)}


def merge(kind: type[S], parts: Iterable[S], **given: Any) -> S:
    """Merge each field of `parts` by the rule that `kind` declares for it, and return the merged object.

    Without parts, every field has the value of its rule for nothing (0, or an empty distribution). `given` holds
    values by field name, which replace what the rule would give. Fields declared `SECONDS` or `GIVEN` must be in it.
    Raises TypeError if one of them is not, and KeyError for a field of `kind` without a declaration.

    Performance: merging four intervals of a role takes 80 us, nearly all of it in the buckets of the distributions;
    four empty ones take 8 us (timeit, CPython 3.11).
    """
    kept = tuple(parts)
    for name, rule in declared(kind).items():
        if name not in given:
            if rule.is_given:
                raise TypeError(f"{kind.__name__}.{name} cannot be merged and must be given")
            given[name] = rule.merged([getattr(part, name) for part in kept])
    return kind(**given)


class RunningTotal(Generic[S]):
    """Sum of objects of one kind that come one by one.

    With `distributions=False` it leaves latency distributions out. It then holds a few numbers only, and parts can be
    subtracted again.
    """

    def __init__(self, kind: type[S], *, distributions: bool = True) -> None:
        self._kind = kind
        rules = declared(kind).items()
        self._given = tuple(name for name, rule in rules if not rule.is_summed)
        self._rules = tuple(
            (name, rule)
            for name, rule in rules
            if rule.is_summed and (distributions or not rule.is_distribution)
        )
        self._totals: dict[str, Any] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything that was added."""
        self._totals = {name: rule.start() for name, rule in self._rules}

    def add(self, part: S) -> None:
        """Add `part`."""
        totals = self._totals
        for name, rule in self._rules:
            totals[name] = rule.add(totals[name], getattr(part, name))

    def subtract(self, part: S) -> None:
        """Take out `part`, which was added before.

        Raises TypeError where there are distributions: their extremes cannot be taken back.
        """
        totals = self._totals
        for name, rule in self._rules:
            totals[name] = rule.subtract(totals[name], getattr(part, name))

    def number(self, name: str) -> float:
        """Return the sum of the number `name` so far, in its unit, without making the other fields.

        Raises KeyError for a field that is not summed.
        """
        total: float = self._totals[name]
        return total

    def value(self, **given: Any) -> S:
        """Return the sum so far; adding goes on afterwards.

        `given` holds fields that are given, by name. Raises TypeError where a field that must be given is not.
        """
        for name in self._given:
            if name not in given:
                raise TypeError(f"{self._kind.__name__}.{name} is not summed and must be given")
        for name, rule in self._rules:
            if name not in given:
                given[name] = rule.read(self._totals[name])
        return self._kind(**given)
