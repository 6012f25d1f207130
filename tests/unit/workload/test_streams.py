"""Rows, key streams and how the cars are dealt out."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.workload.dataset import (
    ALL_KEYS,
    HOT_KEYS,
    POOL_SIZE,
    KeyRange,
    TelemetryPool,
    payload,
)
from engines.workload.streams import BatchStream, Partition, read_key_stream
from tests.support.stored_versions import version_of


def batches(seed: int = 7, share: Partition | None = None, rows: int = 100) -> BatchStream:
    return BatchStream(seed, share or Partition(), ALL_KEYS, rows, count(2))


@given(
    cars=st.integers(1, 300),
    processes=st.integers(1, 5),
    connections=st.integers(1, 7),
)
def test_every_car_is_in_exactly_one_share(cars: int, processes: int, connections: int) -> None:
    fleet = KeyRange(50_000_000, 50_000_000 + cars - 1)
    dealt: Counter[int] = Counter()
    for process in range(processes):
        for connection in range(connections):
            share = Partition(process, processes, connection, connections)
            dealt.update(
                fleet.first + share.offset + share.stride * index
                for index in range(share.size(fleet))
            )
    assert dealt == Counter(range(fleet.first, fleet.last + 1))


@given(seed=st.integers(), process=st.integers(0, 2), connection=st.integers(0, 3))
def test_a_batch_stays_in_its_share_in_key_order_with_growing_versions(
    seed: int, process: int, connection: int
) -> None:
    share = Partition(process, 3, connection, 4)
    stream = batches(seed, share)
    versions: dict[int, int] = {}
    for _ in range(3):
        batch = stream.next()
        cars = [car_id for car_id, _, _ in batch]
        assert len(batch) == 100
        assert cars == sorted(cars)
        for car_id, reading, version in batch:
            assert car_id in ALL_KEYS
            assert (car_id - ALL_KEYS.first - share.offset) % share.stride == 0
            assert 0 <= reading < POOL_SIZE
            assert version > versions.get(car_id, 0)
            versions[car_id] = version


def test_readings_come_in_turn_and_versions_without_a_gap_whoever_writes() -> None:
    versions = count(2)
    one, two = (BatchStream(7, Partition(0, 1, n, 2), ALL_KEYS, 100, versions) for n in (0, 1))
    one.rows = 3_000
    rows = [one.next(), two.next(), one.next()]
    assert [version for batch in rows for _, _, version in batch] == list(range(2, 2 + 6_100))
    first = [reading for batch in (rows[0], rows[2]) for _, reading, _ in batch]
    assert first == [number % POOL_SIZE for number in range(6_000)]
    assert [reading for _, reading, _ in rows[1]] == list(range(977, 1_077))


def test_same_seed_same_stream_and_another_seed_another() -> None:
    first, again, other = (batches(seed) for seed in (7, 7, 8))
    same = [first.next() for _ in range(5)]
    assert same == [again.next() for _ in range(5)]
    assert same != [other.next() for _ in range(5)]


def test_reader_keys_cover_the_hot_cars_evenly_and_repeat_with_the_seed() -> None:
    draw = read_key_stream(7, 0, 0, HOT_KEYS)
    drawn = [draw() for _ in range(200_000)]
    again = read_key_stream(7, 0, 0, HOT_KEYS)
    assert drawn[:100] == [again() for _ in range(100)]
    seen = Counter(drawn)
    assert set(seen) == set(range(HOT_KEYS.first, HOT_KEYS.last + 1))
    # Chi-squared with 1,000 degrees of freedom: 99.9 % of uniform draws stay below 1,143.
    expected = len(drawn) / len(HOT_KEYS)
    assert sum((n - expected) ** 2 / expected for n in seen.values()) < 1_143


def test_two_connections_ask_for_different_cars() -> None:
    one, two = read_key_stream(7, 0, 0, HOT_KEYS), read_key_stream(7, 0, 1, HOT_KEYS)
    assert [one() for _ in range(20)] != [two() for _ in range(20)]


def test_readings_are_in_range_and_alike_in_both_forms() -> None:
    readings = TelemetryPool(3)
    assert len(readings.sql) == len(readings.payload) == POOL_SIZE
    for sql, text in zip(readings.sql, readings.payload, strict=True):
        rpm, water_temp, oil_temp, oil_pressure = (int(part) for part in sql.split(b","))
        assert 750 <= rpm <= 4000
        assert 60 <= water_temp <= 99
        assert 80 <= oil_temp <= 120
        assert 30 <= oil_pressure <= 150
        assert text == sql.replace(b",", b":")


def test_payload_and_its_version() -> None:
    assert payload(50_000_000, b"750:60:80:30", 12) == b"50000000:750:60:80:30:12"
    assert version_of(b"50000000:750:60:80:30:12") == 12
    with pytest.raises(ValueError, match="invalid literal"):
        version_of(b"50000000:x")
