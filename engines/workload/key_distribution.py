"""Which key comes next: uniform, zipfian, or a hot set."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from math import floor
from random import Random
from typing import Literal

DistributionKind = Literal["uniform", "zipfian", "hot-set"]

KINDS: tuple[DistributionKind, ...] = ("uniform", "zipfian", "hot-set")


@dataclass(frozen=True, slots=True)
class KeyDistribution:
    """How operations are spread over keys.

    `uniform`: every key is as likely. `zipfian`: the key of rank r is drawn in proportion to 1 / r**exponent (0.99 is
    YCSB's constant; B. F. Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", 2010). `hot-set`: the share
    `hot_keys` of the keys gets the share `hot_operations` of the operations, both parts evenly.
    """

    kind: DistributionKind = "uniform"
    exponent: float = 0.99
    hot_keys: float = 0.2
    hot_operations: float = 0.8

    def weights(self, count: int) -> list[float]:
        """The probability of each of `count` keys, most popular first; they add up to 1."""
        if self.kind == "zipfian":
            raw = [rank**-self.exponent for rank in range(1, count + 1)]
            total = sum(raw)
            return [weight / total for weight in raw]
        hot = max(1, round(count * self.hot_keys)) if self.kind == "hot-set" else count
        if hot >= count:
            return [1 / count] * count
        cold = count - hot
        return [self.hot_operations / hot] * hot + [(1 - self.hot_operations) / cold] * cold


UNIFORM = KeyDistribution()

TABLE_LIMIT = 100_000
"""Over more keys than these a shape that is not uniform picks every n-th key only: a table of all is too large."""


def popularity_order(count: int, seed: int) -> list[int]:
    """Which key has which rank: a fixed shuffle, so that popular keys lie all over the fleet and over the shards, the
    same ones in every lane."""
    order = list(range(count))
    Random(f"{seed}:ranking:{count}").shuffle(order)
    return order


def sample_indices(
    distribution: KeyDistribution,
    count: int,
    stream: Random,
    seed: int,
    first: int = 0,
    step: int = 1,
) -> Callable[[], int]:
    """Draws one of the `count` numbers `first`, `first` + `step`, ... by `shape`, with the random numbers of `stream`.

    See `TABLE_LIMIT` for large fleets.
    """
    random = stream.random
    if distribution.kind == "uniform":
        # `floor` costs half of `int`, which is called as the type that it is.
        if step == 1:
            return lambda: first + floor(random() * count)
        return lambda: first + step * floor(random() * count)
    ranked = min(count, TABLE_LIMIT)
    order = popularity_order(ranked, seed)
    stride = step * (count // ranked)
    bounds = list(accumulate(distribution.weights(ranked)))
    last = ranked - 1
    return lambda: first + stride * order[min(bisect_right(bounds, random()), last)]
