"""Counting of operations that complete in the same wake-up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.driver.collector import StatsCollector
from engines.driver.outcome import completed

HIT, MISS, NOTHING = (
    completed(rows=1, hits=1),
    completed(rows=1, misses=1, fills=1),
    completed(skipped=3),
)

wake_ups = st.lists(
    st.lists(st.tuples(st.integers(0, 10**10), st.sampled_from((HIT, MISS, NOTHING))), min_size=1),
    max_size=5,
)


@given(wake_ups)
def test_operations_of_one_wake_up_are_counted_by_their_results(
    wake_ups: list[list[tuple[int, object]]],
) -> None:
    collector = StatsCollector()
    for wake_up in wake_ups:
        collector.add([took_ns for took_ns, _ in wake_up], [outcome for _, outcome in wake_up])  # type: ignore[misc]
    stats = collector.take(1.0)
    ended = [outcome for wake_up in wake_ups for _, outcome in wake_up]
    hits, misses, nothing = (ended.count(outcome) for outcome in (HIT, MISS, NOTHING))
    assert stats.work.operations == len(ended)
    assert stats.work.rows == hits + misses
    assert stats.cache.hits == hits
    assert stats.cache.misses == stats.cache.fills == misses
    assert stats.cache.skipped == 3 * nothing
    assert stats.work.service.count == len(ended)
    assert stats.work.service.sum_ns == sum(
        took_ns for wake_up in wake_ups for took_ns, _ in wake_up
    )
