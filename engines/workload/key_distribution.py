"""Key distributions: uniform, zipfian, or a hot set."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor
from random import Random
from typing import Literal

DistributionKind = Literal["uniform", "zipfian", "hot-set"]

KINDS: tuple[DistributionKind, ...] = ("uniform", "zipfian", "hot-set")
"""All kinds, in the order in which the help lists them."""


@dataclass(frozen=True, slots=True)
class KeyDistribution:
    """How operations are distributed over keys.

    - `uniform`: every key has the same probability.
    - `zipfian`: the key of rank r has a probability proportional to 1 / r**exponent. 0.99 is YCSB's constant (B. F.
      Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", 2010).
    - `hot-set`: the fraction `hot_keys` of the keys gets the fraction `hot_operations` of the operations; both parts
      are uniform.
    """

    kind: DistributionKind = "uniform"
    exponent: float = 0.99
    hot_keys: float = 0.2
    hot_operations: float = 0.8

    def weights(self, count: int) -> list[float]:
        """Return the probability of each of `count` keys, most popular first; the sum is 1."""
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
"""The default distribution."""

TABLE_LIMIT = 100_000
"""Above this number of keys, a distribution that is not uniform selects only every n-th key, because a table of all
keys would be too large."""


def popularity_order(count: int, seed: int) -> list[int]:
    """Return the key indices from 0 to `count` - 1, most popular first.

    The order is a shuffle that depends on `seed` and `count` only, so it is equal in every lane. It spreads popular
    keys over the key range and the shards. With another text in `Random` the same `seed` would give another order.
    """
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
    """Return a function that samples one of the `count` numbers `first`, `first` + `step`, ...

    The sample follows `distribution` and uses the random numbers of `stream`. `seed` decides which of the numbers are
    popular; a uniform distribution does not use it. If there are more than `TABLE_LIMIT` numbers, a distribution that
    is not uniform samples only every n-th of them, evenly spaced over all: at most `TABLE_LIMIT`, more than half of it.
    """
    random = stream.random
    if distribution.kind == "uniform":
        # Performance: `floor` costs half as much as `int`, which is called as a type.
        if step == 1:
            return lambda: first + floor(random() * count)
        return lambda: first + step * floor(random() * count)
    every = ceil(count / TABLE_LIMIT)
    ranked = ceil(count / every)
    order = popularity_order(ranked, seed)
    stride = step * every
    bounds = list(accumulate(distribution.weights(ranked)))
    last = ranked - 1
    return lambda: first + stride * order[min(bisect_right(bounds, random()), last)]
