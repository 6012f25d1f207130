"""Statistics merge as their fields declare, at once or one by one."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.metrics.merge import COUNTER, RunningTotal, merge
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.metrics.stats import CacheStats, ClientStats, IntervalStats, RoleStats
from tests.support.frames import latencies

small = st.integers(0, 99)
distributions = st.builds(latencies, st.lists(st.integers(1, 10**6), max_size=5))
works = st.builds(
    RoleStats,
    operations=small,
    rows=small,
    service=distributions,
    response=st.none() | distributions,
    failures=distributions,
    errors=st.dictionaries(st.sampled_from("abc"), small),
    interval_s=small.map(float),
    scheduling_delay=st.builds(SchedulingDelay, small, small),
)


@given(parts=st.lists(works, max_size=5))
def test_adding_up_one_by_one_is_merging_at_once(parts: list[RoleStats]) -> None:
    total = RunningTotal(RoleStats)
    for part in parts:
        total.add(part)
    interval_s = sum(part.interval_s for part in parts)
    assert total.value() == merge(RoleStats, parts, interval_s=interval_s)
    assert total.number("interval_s") == interval_s


@given(kept=st.lists(works, max_size=3), dropped=st.lists(works, max_size=3))
def test_subtracting_is_as_if_a_part_had_never_been_added(
    kept: list[RoleStats], dropped: list[RoleStats]
) -> None:
    total, expected = (RunningTotal(RoleStats, distributions=False) for _ in range(2))
    for part in (*dropped, *kept):
        total.add(part)
    for part in dropped:
        total.subtract(part)
    for part in kept:
        expected.add(part)
    found, wanted = total.value(), expected.value()
    assert replace(found, errors={}) == replace(wanted, errors={})
    assert {kind: n for kind, n in found.errors.items() if n} == {
        kind: n for kind, n in wanted.errors.items() if n
    }


def test_a_total_without_distributions_has_all_the_rest() -> None:
    total = RunningTotal(RoleStats, distributions=False)
    total.add(RoleStats(1, 2, latencies([3]), latencies([4]), latencies([5]), {"x": 6}, 7.0))
    assert total.value() == RoleStats(1, 2, errors={"x": 6}, interval_s=7.0)


def test_the_parts_of_an_interval_merge_by_their_own_rules() -> None:
    parts = [IntervalStats(RoleStats(rows=1), CacheStats(hits=2)) for _ in range(3)]
    work = merge(RoleStats, (part.work for part in parts), interval_s=1.0)
    assert merge(IntervalStats, parts, work=work) == IntervalStats(
        RoleStats(rows=3, interval_s=1.0), CacheStats(hits=6)
    )


def test_what_has_no_rule_must_be_given() -> None:
    with pytest.raises(TypeError, match=r"RoleStats\.interval_s cannot be merged"):
        merge(RoleStats, [RoleStats()])
    with pytest.raises(TypeError, match=r"ClientStats\.cpu_share cannot be merged"):
        merge(ClientStats, [ClientStats()])
    with pytest.raises(TypeError, match=r"ClientStats\.cpu_share is not summed"):
        RunningTotal(ClientStats).value()


def test_extremes_cannot_be_taken_back() -> None:
    total = RunningTotal(RoleStats)
    total.add(RoleStats(service=latencies([1])))
    with pytest.raises(TypeError):
        total.subtract(RoleStats(service=latencies([1])))


@pytest.mark.parametrize("kind", [RoleStats, CacheStats, ClientStats, IntervalStats])
def test_every_field_declares_how_it_merges(kind: type) -> None:
    assert all("merge" in each.metadata for each in fields(kind))


def test_a_new_counter_is_one_line() -> None:
    @dataclass(frozen=True, slots=True)
    class Retries:
        retries: int = field(default=0, metadata=COUNTER)

    assert merge(Retries, [Retries(1), Retries(2)]) == Retries(3)
    total = RunningTotal(Retries)
    total.add(Retries(4))
    total.add(Retries(5))
    total.subtract(Retries(4))
    assert total.value() == Retries(5)


def test_a_field_without_a_declaration_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Undeclared:
        retries: int = 0

    with pytest.raises(KeyError):
        merge(Undeclared, [])
