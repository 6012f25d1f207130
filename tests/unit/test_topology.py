"""Who owns a slot."""

import pytest

from engines.topology import SLOTS, SlotRange, Topology


def topology(*ranges: SlotRange) -> Topology:
    return Topology(ranges, refresh=lambda: None)


def test_every_slot_of_a_range_has_its_owner_ends_included() -> None:
    nodes = topology(SlotRange(0, 5460, "a:1"), SlotRange(5461, SLOTS - 1, "b:1"))
    assert nodes.owner[0] == nodes.owner[5460] == "a:1"
    assert nodes.owner[5461] == nodes.owner[SLOTS - 1] == "b:1"
    assert len(nodes.owner) == SLOTS


def test_an_update_is_in_place_and_leaves_uncovered_slots_with_their_last_owner() -> None:
    nodes = topology(SlotRange(0, 5460, "a:1"), SlotRange(5461, SLOTS - 1, "b:1"))
    owner = nodes.owner
    nodes.update([SlotRange(0, 99, "b:1")])
    assert owner is nodes.owner
    assert owner[99] == "b:1"
    assert owner[100] == "a:1"
    assert nodes.addresses() == {"a:1", "b:1"}


def test_a_cluster_that_serves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="serves no slot"):
        topology()
