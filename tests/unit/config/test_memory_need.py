"""Memory that private servers need, and the sizes that fit into it."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.config.memory_need import (
    SIZES_BYTES,
    fitting_size_bytes,
    memory_step,
    needed_memory_bytes,
)
from engines.model.lanes import LANES

MIB = 1 << 20

SUBSETS = list(chain.from_iterable(combinations(LANES, count) for count in (1, 2, 3)))


def test_without_any_the_lanes_have_what_they_always_had() -> None:
    assert fitting_size_bytes(["mysql"], None) == 256 * MIB
    assert fitting_size_bytes(["mysql"], 64 << 30) == 256 * MIB


def test_what_races_need_is_known() -> None:
    every = ["mysql", "cached", "durable"]
    assert needed_memory_bytes(every, 256 * MIB) == 1_440 * MIB
    assert needed_memory_bytes(every, 64 * MIB) == 864 * MIB
    assert needed_memory_bytes(["mysql"], 64 * MIB) == 352 * MIB
    # The cluster has no size that could become smaller.
    assert {needed_memory_bytes(["durable"], size) for size in SIZES_BYTES} == {256 * MIB}


@given(
    lanes=st.sampled_from(SUBSETS),
    free_bytes=st.integers(0, 8 << 30),
    engine_processes=st.none() | st.integers(1, 64),
)
def test_what_is_needed_is_never_more_than_what_is_free(
    lanes: tuple[str, ...], free_bytes: int, engine_processes: int | None
) -> None:
    size_bytes = fitting_size_bytes(lanes, free_bytes, engine_processes)
    if size_bytes is None:
        assert needed_memory_bytes(lanes, SIZES_BYTES[-1], engine_processes) > free_bytes
        return
    assert needed_memory_bytes(lanes, size_bytes, engine_processes) <= free_bytes
    # None is smaller than it must be.
    larger = [size for size in SIZES_BYTES if size > size_bytes]
    assert all(needed_memory_bytes(lanes, size, engine_processes) > free_bytes for size in larger)


@pytest.mark.parametrize("lanes", SUBSETS)
def test_the_size_becomes_smaller_by_halves_down_to_a_floor(lanes: tuple[str, ...]) -> None:
    needed = [needed_memory_bytes(lanes, size) for size in SIZES_BYTES]
    if lanes != ("durable",):
        assert [fitting_size_bytes(lanes, free) for free in needed] == [*SIZES_BYTES]
    assert fitting_size_bytes(lanes, needed[-1] - 1) is None


def test_every_engine_process_counts() -> None:
    few, many = (needed_memory_bytes(["mysql"], 64 * MIB, count) for count in (2, 12))
    assert few == needed_memory_bytes(["mysql"], 64 * MIB)
    assert many - few == 10 * 32 * MIB


def test_fewer_lanes_are_no_advice_where_there_is_one() -> None:
    assert memory_step(["mysql", "durable"]) == (
        "end other programs, raise the memory limit of the control group, or race fewer lanes (--lanes)"
    )
    assert memory_step(["mysql"]) == (
        "end other programs, or raise the memory limit of the control group"
    )
