"""Owners of slots."""

import pytest

from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.wire.resp import SLOTS


def topology(*ranges: SlotRange) -> SlotMap:
    return SlotMap(ranges, refresh=lambda: None)


def test_every_slot_of_a_range_has_its_owner_ends_included() -> None:
    nodes = topology(SlotRange(0, 5460, "a:1"), SlotRange(5461, SLOTS - 1, "b:1"))
    assert nodes.write_node[0] == nodes.write_node[5460] == "a:1"
    assert nodes.write_node[5461] == nodes.write_node[SLOTS - 1] == "b:1"
    assert len(nodes.write_node) == SLOTS


def test_an_update_is_in_place_and_leaves_uncovered_slots_with_their_last_owner() -> None:
    nodes = topology(SlotRange(0, 5460, "a:1"), SlotRange(5461, SLOTS - 1, "b:1"))
    owner = nodes.write_node
    nodes.update([SlotRange(0, 99, "b:1")])
    assert owner is nodes.write_node
    assert owner[99] == "b:1"
    assert owner[100] == "a:1"
    assert nodes.addresses() == {"a:1", "b:1"}


def test_a_cluster_that_serves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="serves no slot"):
        topology()


def test_writes_go_to_the_primary_and_reads_to_the_requested_replica() -> None:
    two = SlotRange(0, 5460, "a:1", ("b:1", "c:1"))
    none = SlotRange(5461, SLOTS - 1, "d:1")
    for replica, reader in ((0, "b:1"), (1, "c:1"), (2, "b:1")):
        nodes = SlotMap([two, none], lambda: None, replica)
        assert (nodes.write_node[0], nodes.read_node[0]) == ("a:1", reader)
        # If there is no replica, the primary answers.
        assert (nodes.write_node[5461], nodes.read_node[5461]) == ("d:1", "d:1")
        assert nodes.addresses() == {"a:1", "d:1", reader}
    nodes = topology(two, none)
    assert nodes.read_node is nodes.write_node
    assert nodes.addresses() == {"a:1", "d:1"}


def test_a_slot_that_moved_is_written_and_read_where_it_went_until_the_cluster_says_more() -> None:
    ranges = [SlotRange(0, SLOTS - 1, "a:1", ("b:1",))]
    nodes = SlotMap(ranges, lambda: None, 0)
    reader = nodes.read_node
    nodes.move(7, "z:1")
    assert (nodes.write_node[7], nodes.read_node[7]) == ("z:1", "z:1")
    assert (nodes.write_node[8], nodes.read_node[8]) == ("a:1", "b:1")
    nodes.update([SlotRange(7, 7, "z:1", ("y:1",))])
    assert (nodes.write_node[7], nodes.read_node[7]) == ("z:1", "y:1")
    assert nodes.read_node is reader
