"""Popular keys: the seed selects them, alike for readers and writers of every lane."""

from __future__ import annotations

from collections import Counter
from itertools import count

from engines.workload.dataset import KeyRange
from engines.workload.key_distribution import KeyDistribution, popularity_order
from engines.workload.streams import BatchStream, Partition, read_key_stream

KEYS = KeyRange(1_000, 1_099)
ONE_HOT = KeyDistribution("hot-set", hot_keys=0.01, hot_operations=0.95)


def favourite(ids: list[int]) -> int:
    return Counter(ids).most_common(1)[0][0]


def test_readers_and_writers_prefer_the_key_that_the_seed_makes_popular() -> None:
    favourites = set()
    for seed in range(8):
        read = read_key_stream(seed, 0, 0, KEYS, ONE_HOT)
        batch = BatchStream(seed, Partition(), KEYS, 100, count(1), ONE_HOT).next()
        expected = KEYS.first + popularity_order(len(KEYS), seed)[0]
        assert favourite([read() for _ in range(100)]) == expected
        assert favourite([car_id for car_id, _, _ in batch]) == expected
        favourites.add(expected)
    assert len(favourites) > 1
