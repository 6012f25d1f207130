"""Duplicate fills: of n readers that miss a car together, n - 1."""

from engines.fills import Fills


def test_one_miss_after_another_is_no_duplicate() -> None:
    fills = Fills()
    assert not fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=20)
    assert not fills.begin(1, missed_from_ns=30)


def test_a_fill_beside_another_is_a_duplicate() -> None:
    fills = Fills()
    assert not fills.begin(1, missed_from_ns=10)
    assert fills.begin(1, missed_from_ns=11)
    assert not fills.begin(2, missed_from_ns=11)
    fills.end(1, now_ns=20)
    fills.end(1, now_ns=21)


def test_a_miss_from_before_the_other_fill_ended_is_a_duplicate() -> None:
    fills = Fills()
    fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=20)
    assert fills.begin(1, missed_from_ns=15)


def test_a_fill_that_came_to_nothing_leaves_no_trace() -> None:
    fills = Fills()
    fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=None)
    assert not fills.begin(1, missed_from_ns=5)
