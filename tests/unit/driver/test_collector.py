"""What the operations that end in one turn of the loop are counted as."""

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

turns = st.lists(
    st.lists(st.tuples(st.integers(0, 10**10), st.sampled_from((HIT, MISS, NOTHING))), min_size=1),
    max_size=5,
)


@given(turns)
def test_every_operation_of_a_turn_is_counted_as_what_it_was(
    turns: list[list[tuple[int, object]]],
) -> None:
    tally = StatsCollector()
    for turn in turns:
        tally.add([took_ns for took_ns, _ in turn], [outcome for _, outcome in turn])  # type: ignore[misc]
    counted = tally.take(1.0)
    ended = [outcome for turn in turns for _, outcome in turn]
    hits, misses, nothing = (ended.count(outcome) for outcome in (HIT, MISS, NOTHING))
    assert counted.work.operations == len(ended)
    assert counted.work.rows == hits + misses
    assert counted.cache.hits == hits
    assert counted.cache.misses == counted.cache.fills == misses
    assert counted.cache.skipped == 3 * nothing
    assert counted.work.service.count == len(ended)
    assert counted.work.service.sum_ns == sum(took_ns for turn in turns for took_ns, _ in turn)
