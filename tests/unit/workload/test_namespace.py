"""Names of a namespace: those that a telemon uses, and none that another one does."""

from __future__ import annotations

from itertools import combinations

import pytest

from engines.workload.dataset import ALL_KEYS, HOT_KEYS
from engines.workload.namespace import DEFAULT, Namespace
from engines.workload.redis_keys import redis_key

BLUE = Namespace("blue")


def test_the_default_names_are_those_of_back_ends_that_were_prepared_before() -> None:
    assert DEFAULT.table == "cars"
    assert redis_key(50_000_000, DEFAULT.key_prefix) == b"telemon:50000000"


def test_another_namespace_has_names_of_its_own() -> None:
    assert BLUE.table == "cars_blue"
    assert redis_key(50_000_000, BLUE.key_prefix) == b"telemon:blue:50000000"


def test_no_two_namespaces_have_a_name_in_common() -> None:
    spaces = [Namespace(name) for name in ("", "blue", "lease", "marker", "doctor", "blue_1", "b")]
    for one, two in combinations(spaces, 2):
        assert one.table != two.table
        names = [
            {space.marker_key, space.lease_key, redis_key(ALL_KEYS.first, space.key_prefix)}
            for space in (one, two)
        ]
        assert not names[0] & names[1]
        for name in names[1]:
            assert one.car_of(name) is None


@pytest.mark.parametrize("space", [DEFAULT, BLUE])
def test_only_the_cars_that_races_write_have_keys(space: Namespace) -> None:
    prefix = space.key_prefix
    assert space.car_of(redis_key(HOT_KEYS.first, prefix)) == HOT_KEYS.first
    assert space.car_of(redis_key(ALL_KEYS.last, prefix)) == ALL_KEYS.last
    for name in (
        b"42",
        b"49999999",
        b"50050001",
        b"050000000",
        b"5e7",
        b"",
        b"+50000000",
        b"doctor:1",
    ):
        assert space.car_of(prefix + name) is None, name
    assert space.car_of(b"other:50000000") is None
    assert space.car_of(prefix.upper() + b"50000000") is None
