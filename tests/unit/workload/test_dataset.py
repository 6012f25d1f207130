"""The readings that writers send: what they are taken from, and how they are written."""

from __future__ import annotations

from engines.workload.dataset import POOL_SIZE, TelemetryPool, payload


def test_readings_are_within_their_bounds_and_reach_them() -> None:
    readings = [tuple(map(int, sample.split(b","))) for sample in TelemetryPool(1).sql]
    assert len(readings) == POOL_SIZE
    bounds = [(min(column), max(column)) for column in zip(*readings, strict=True)]
    rpm, *others = bounds
    assert others == [(60, 99), (80, 120), (30, 150)]
    # 3,251 values, of which 4,096 samples miss some; of each end one of the ten nearest is there.
    assert 750 <= rpm[0] < 760
    assert 3_990 < rpm[1] <= 4_000


def test_the_same_seed_gives_the_same_readings_and_another_others() -> None:
    first, same, other = TelemetryPool(1), TelemetryPool(1), TelemetryPool(2)
    assert first.sql == same.sql != other.sql
    assert [sample.replace(b":", b",") for sample in first.payload] == list(first.sql)


def test_a_payload_is_the_car_its_readings_and_the_version() -> None:
    assert payload(50_000_000, b"1:2:3:4", 9) == b"50000000:1:2:3:4:9"
