"""The sample of acknowledged rows: bounded, from every connection, the newest version of each car."""

from __future__ import annotations

from engines.consistency.acknowledged import SAMPLED_BATCHES, UNANSWERED_BATCHES, AcknowledgedRecord


def batch(first_car: int, first_version: int, rows: int = 3) -> list[tuple[int, int, int]]:
    return [(first_car + number, number, first_version + number) for number in range(rows)]


def test_the_last_batch_of_every_connection_is_in_the_sample() -> None:
    record = AcknowledgedRecord(1)
    for connection in range(50):
        acknowledged = record.for_connection()
        for number in range(4):
            acknowledged(batch(1_000 * connection, 100 * number))
    rows = record.rows(1_000)
    assert len(rows) == 150
    assert {car_id // 1_000 for car_id, _, _ in rows} == set(range(50))
    assert all(version >= 300 for _, _, version in rows)
    # A smaller sample leaves out no connection either.
    assert {car_id // 1_000 for car_id, _, _ in record.rows(100)} == set(range(50))


def test_a_sample_is_no_larger_than_asked() -> None:
    record = AcknowledgedRecord(1)
    acknowledged = record.for_connection()
    for number in range(3_000):
        acknowledged(batch(1_000 * number, 100 * number, rows=100))
        record.sample()
    for limit in (2, 10, 1_000):
        assert limit // 2 <= len(record.rows(limit)) <= limit
    assert len(record._sampled) == SAMPLED_BATCHES


def test_the_course_of_a_race_is_sampled_evenly() -> None:
    record = AcknowledgedRecord(1)
    acknowledged = record.for_connection()
    for number in range(2_400):
        acknowledged(batch(1_000 * number, 100 * number))
        record.sample()
    tenths = [0] * 10
    for car_id, _, _ in record.rows(100_000):
        tenths[car_id // 240_000] += 1
    assert min(tenths) > 24  # 72 on average


def test_of_a_car_written_several_times_the_newest_version_is_kept() -> None:
    record = AcknowledgedRecord(1)
    acknowledged = record.for_connection()
    for number in range(10):
        acknowledged([(7, 0, number), (7, 1, 100 + number)])
        record.sample()
    assert [(car_id, version) for car_id, _, version in record.rows(1_000)] == [(7, 109)]


def test_what_was_written_before_a_new_partition_stays_in_the_sample() -> None:
    record = AcknowledgedRecord(1)
    record.for_connection()(batch(10, 1))
    record.end_partition()
    record.for_connection()(batch(20, 4))
    assert {car_id for car_id, _, _ in record.rows(1_000)} == {10, 11, 12, 20, 21, 22}


def test_batches_without_an_answer_are_remembered_by_their_versions() -> None:
    record = AcknowledgedRecord(1)
    record.give_up([])
    for number in range(UNANSWERED_BATCHES + 5):
        record.give_up(batch(1, 10 * number))
    assert len(record.unanswered) == UNANSWERED_BATCHES
    assert record.unanswered[-1] == (
        10 * (UNANSWERED_BATCHES + 4),
        10 * (UNANSWERED_BATCHES + 4) + 2,
    )


def test_nothing_acknowledged_is_an_empty_sample() -> None:
    record = AcknowledgedRecord(1)
    record.for_connection()
    record.sample()
    assert record.rows(1_000) == ()
    assert record.unanswered == ()
