"""Key distributions against their theory: chi-squared on fixed seeds."""

from __future__ import annotations

from collections import Counter
from math import floor, isclose, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.workload.key_distribution import (
    TABLE_LIMIT,
    UNIFORM,
    KeyDistribution,
    popularity_order,
    sample_indices,
)

DRAWS = 200_000
KEYS = 1001

DISTRIBUTIONS = [
    KeyDistribution("uniform"),
    KeyDistribution("zipfian", exponent=0.99),
    KeyDistribution("zipfian", exponent=0.5),
    KeyDistribution("zipfian", exponent=1.5),
    KeyDistribution("hot-set", hot_keys=0.1, hot_operations=0.9),
    KeyDistribution("hot-set", hot_keys=0.2, hot_operations=0.8),
]


def limit(degrees: int) -> float:
    """What chi-squared stays below in 99.9 % of cases: Wilson and Hilferty's approximation (1931), z = 3.09."""
    return degrees * (1 - 2 / (9 * degrees) + 3.09 * sqrt(2 / (9 * degrees))) ** 3


def expected(distribution: KeyDistribution) -> list[float]:
    """Return the probability of each rank, from the definition of the distribution and not from its code."""
    if distribution.kind == "zipfian":
        harmonic = sum(1 / rank**distribution.exponent for rank in range(1, KEYS + 1))
        return [1 / rank**distribution.exponent / harmonic for rank in range(1, KEYS + 1)]
    if distribution.kind == "hot-set":
        hot = {0.1: 100, 0.2: 200}[distribution.hot_keys]
        return [distribution.hot_operations / hot] * hot + [
            (1 - distribution.hot_operations) / (KEYS - hot)
        ] * (KEYS - hot)
    return [1 / KEYS] * KEYS


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_draws_follow_the_theory(distribution: KeyDistribution) -> None:
    sample = sample_indices(distribution, KEYS, Random(20_260), seed=5)
    seen = Counter(sample() for _ in range(DRAWS))
    order = range(KEYS) if distribution.kind == "uniform" else popularity_order(KEYS, 5)
    squared, bins, pooled_seen, pooled_expected = 0.0, 0, 0, 0.0
    for index, probability in zip(order, expected(distribution), strict=True):
        pooled_seen += seen[index]
        pooled_expected += probability * DRAWS
        # Rare ranks are pooled: chi-squared needs about five expected samples in each bin.
        if pooled_expected >= 20:
            squared += (pooled_seen - pooled_expected) ** 2 / pooled_expected
            bins, pooled_seen, pooled_expected = bins + 1, 0, 0.0
    assert bins > 50
    assert squared < limit(bins - 1)


def test_the_limit_is_that_of_the_tables() -> None:
    # Chi-squared, 0.999 quantile: 149.45 for 100 degrees of freedom, 1,143.9 for 1,000.
    assert isclose(limit(100), 149.45, rel_tol=0.002)
    assert isclose(limit(1000), 1143.9, rel_tol=0.002)


@given(
    count=st.integers(1, 3000),
    kind=st.sampled_from(["uniform", "zipfian", "hot-set"]),
    exponent=st.floats(0.1, 3),
    hot_keys=st.floats(0.001, 1),
    hot_operations=st.floats(0, 1),
)
def test_every_index_is_in_range_and_the_weights_add_up(
    count: int, kind: str, exponent: float, hot_keys: float, hot_operations: float
) -> None:
    distribution = KeyDistribution(kind, exponent, hot_keys, hot_operations)  # type: ignore[arg-type]
    weights = distribution.weights(count)
    assert len(weights) == count
    assert isclose(sum(weights), 1.0, rel_tol=1e-9)
    sample = sample_indices(distribution, count, Random(1), seed=1)
    assert all(0 <= sample() < count for _ in range(50))


def test_the_same_seed_draws_the_same_and_popular_keys_are_the_same_for_every_stream() -> None:
    distribution = KeyDistribution("zipfian")
    first = sample_indices(distribution, KEYS, Random("a"), seed=7)
    again = sample_indices(distribution, KEYS, Random("a"), seed=7)
    assert [first() for _ in range(100)] == [again() for _ in range(100)]
    other = sample_indices(distribution, KEYS, Random("b"), seed=7)
    popular = Counter(other() for _ in range(5000)).most_common(1)[0][0]
    assert popular == popularity_order(KEYS, 7)[0]


def test_a_key_range_of_hundreds_of_millions_needs_no_table_of_them() -> None:
    sample = sample_indices(KeyDistribution("zipfian"), 900_000_000, Random(1), seed=1)
    samples = [sample() for _ in range(1000)]
    assert max(samples) < 900_000_000
    assert max(samples) > 100_000_000


@given(count=st.integers(TABLE_LIMIT + 1, 3 * TABLE_LIMIT))
@settings(max_examples=8, deadline=None)
def test_just_above_the_limit_the_table_spreads_over_all_keys(count: int) -> None:
    sample = sample_indices(KeyDistribution("hot-set"), count, Random(1), seed=1)
    samples = [sample() for _ in range(2000)]
    assert max(samples) < count
    # 20 % of the keys get 80 % of the operations, wherever they are: of 400 others at least one is in the last tenth.
    assert max(samples) > count * 0.9


@pytest.mark.parametrize("step", [1, 2, 7])
def test_a_uniform_sample_takes_every_step_with_equal_chance(step: int) -> None:
    sample = sample_indices(UNIFORM, 4, Random(3), seed=1, first=100, step=step)
    seen = Counter(sample() for _ in range(4_000))
    assert sorted(seen) == [100, 100 + step, 100 + 2 * step, 100 + 3 * step]
    assert min(seen.values()) > 850
    # It is the stream's own number, scaled: no table stands between.
    expected = Random(3).random()
    first = sample_indices(UNIFORM, 1_000_003, Random(3), seed=1, first=5, step=step)()
    assert first == 5 + step * floor(expected * 1_000_003)
