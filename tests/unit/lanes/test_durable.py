"""Programs of a durable cluster: the requests of a batch by shard, and what each answer comes to."""

from __future__ import annotations

from itertools import count
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.durable import read_durable, set_request, write_durable, write_durable_deck
from engines.wire import resp
from engines.workload.dataset import ALL_KEYS, TelemetryPool
from engines.workload.namespace import Namespace
from engines.workload.streams import BatchStream, Partition
from tests.support.lane_context import lane_context
from tests.support.lane_program import (
    NEVER_SENT,
    SENT,
    TELEMETRY,
    A,
    B,
    Batches,
    C,
    Played,
    keys,
    refused,
)

SHARDS = {"a:1": range(5_461), "b:1": range(5_461, 10_923), "c:1": range(10_923, 16_384)}


class FakeSession:
    """A session whose connections are their addresses."""

    connections = {address: address for address in SHARDS}  # noqa: RUF012 - never changed


@given(st.integers(1, 300), st.integers(1, 10**9), st.integers(0, 10**6))
def test_a_batch_is_the_sets_of_its_rows_each_to_the_shard_of_its_key(
    rows: int, first_version: int, seed: int
) -> None:
    slot_map = SlotMap([SlotRange(s.start, s.stop - 1, a) for a, s in SHARDS.items()], lambda: None)
    telemetry = TelemetryPool(seed)
    context = lane_context(slot_map, telemetry)

    def batches() -> BatchStream:
        return BatchStream(seed, Partition(), ALL_KEYS, rows, count(first_version))

    pack: Any = hiredis.pack_command  # its stub takes tuples of one
    expected: dict[str, list[bytes]] = {}
    for car_id, sample, version in batches().next():
        name = f"telemon:{car_id}".encode()
        (write_node,) = (address for address, slots in SHARDS.items() if key_slot(name) in slots)
        value = b"%d:%b:%d" % (car_id, telemetry.payload[sample], version)
        expected.setdefault(write_node, []).append(pack((b"SET", name, value)))
    session: Any = FakeSession
    requests: Any = next(write_durable(session, batches(), context))
    assert {connection: (request, due) for connection, request, due in requests} == {
        address: (b"".join(sets), len(sets)) for address, sets in expected.items()
    }


ON_C, ON_B, ON_A, ALSO_ON_C = 50_000_000, 50_000_001, 50_000_003, 50_000_004
"""Cars by the node of their key: slots 14452, 10325, 2071 and 14576 (redis.crc.key_slot)."""

BATCH = [(ON_C, 1, 11), (ON_B, 2, 12), (ON_A, 3, 13), (ALSO_ON_C, 4, 14)]
NEXT = [(ON_A, 5, 15)]


def set_of(row: tuple[int, int, int]) -> bytes:
    car_id, sample, version = row
    value = b"%d:%b:%d" % (car_id, TELEMETRY.payload[sample], version)
    pack: Any = hiredis.pack_command
    packed: bytes = pack((b"SET", b"telemon:%d" % car_id, value))
    return packed


def get(car_id: int) -> bytes:
    return resp.get(b"telemon:%d" % car_id)


def row(car_id: int) -> bytes:
    return b"%d:1000:90:80:40:5" % car_id


def written() -> Played:
    """A batch of four rows on three nodes is on its way."""
    played = Played(write_durable, Batches(BATCH, NEXT))
    assert [(str(node), wanted) for node, _, wanted in played.step] == [(C, 2), (B, 1), (A, 1)]
    return played


def is_next(played: Played) -> bool:
    """Whether the next batch is on its way."""
    ((node, request, wanted),) = played.step
    return (str(node), request, wanted) == (A, set_of(NEXT[0]), 1)


@pytest.mark.parametrize("ok", [[resp.ALL_OK, b"OK", b"OK"], [[b"OK", b"OK"], [b"OK"], b"OK"]])
def test_a_batch_is_acknowledged_when_every_set_in_it_is(ok: Any) -> None:
    played = written()
    played.answer(ok)
    assert played.completed() == {"rows": 4}
    assert (played.acknowledged, played.given_up, played.refreshes) == ([BATCH], [], 0)
    assert is_next(played)


def test_a_batch_that_one_node_refuses_in_part_is_not_acknowledged() -> None:
    played = written()
    played.answer([[b"OK", refused("OOM no")], b"OK", refused("MISCONF no")])
    # The first refusal is the result; a second one is not looked at.
    assert played.failed() == "redis_oom"
    assert (played.acknowledged, played.given_up) == ([], [])
    assert played.session[C].answered == -1
    assert is_next(played)


@pytest.mark.parametrize(("lost", "given_up"), [(SENT, [[BATCH[0], BATCH[3]]]), (NEVER_SENT, [])])
def test_the_rows_of_a_node_that_was_lost_are_in_doubt_if_they_were_sent(
    lost: Any, given_up: Any
) -> None:
    played = written()
    played.answer([lost, b"OK", b"OK"])
    assert played.failed() == lost.kind
    assert (played.acknowledged, played.given_up, played.refreshes) == ([], given_up, 1)
    assert is_next(played)


def test_every_node_that_was_lost_leaves_its_rows_in_doubt() -> None:
    played = written()
    played.answer([SENT, SENT, b"OK"])
    assert played.failed() == "redis_lost_connection"
    assert played.given_up == [[BATCH[0], BATCH[3]], [BATCH[1]]]
    assert played.refreshes == 2


def test_a_redirected_row_of_a_batch_is_sent_again_alone() -> None:
    played = written()
    played.answer([[b"OK", refused(f"MOVED 14576 {A}")], b"OK", b"OK"])
    assert played.asked == (A, set_of(BATCH[3]))
    played.answer(b"OK")
    assert played.completed() == {"rows": 4}
    assert (played.acknowledged, played.given_up, played.redirects) == ([BATCH], [], 1)


@pytest.mark.parametrize(("lost", "given_up"), [(SENT, [[BATCH[3]]]), (NEVER_SENT, [])])
def test_a_redirected_row_whose_node_is_lost_is_in_doubt_if_it_was_sent(
    lost: Any, given_up: Any
) -> None:
    played = written()
    played.answer([[b"OK", refused(f"MOVED 14576 {A}")], b"OK", b"OK"])
    played.answer(lost)
    assert played.failed() == lost.kind
    assert (played.acknowledged, played.given_up) == ([], given_up)


def test_after_a_failure_no_other_row_is_redirected() -> None:
    played = written()
    played.answer([[refused("OOM no"), refused(f"MOVED 14576 {A}")], b"OK", b"OK"])
    assert played.failed() == "redis_oom"
    assert played.redirects == 0


@pytest.mark.parametrize("program", [write_durable, write_durable_deck])
def test_a_write_that_is_abandoned_while_it_waits_is_given_up(program: Any) -> None:
    played = Played(program, Batches(BATCH, NEXT))
    played.abandon()
    assert (played.acknowledged, played.given_up) == ([], [BATCH])


def test_a_batch_of_the_deck_is_one_set_after_the_other() -> None:
    played = Played(write_durable_deck, Batches(BATCH, NEXT))
    for node, sent in zip((C, B, A, C), BATCH, strict=True):
        assert played.asked == (node, set_of(sent))
        assert played.acknowledged == []
        played.answer(b"OK")
    assert played.completed() == {"rows": 4}
    assert (played.acknowledged, played.given_up) == ([BATCH], [])
    assert played.asked == (A, set_of(NEXT[0]))


@pytest.mark.parametrize(
    ("reply", "kind", "given_up"),
    [
        (refused("OOM no"), "redis_oom", []),
        (SENT, "redis_lost_connection", [BATCH]),
        (NEVER_SENT, "redis_cannot_connect", []),
        (None, "unexpected_reply", []),
    ],
    ids=["refused", "sent", "never sent", "nil"],
)
def test_a_set_of_the_deck_that_fails_ends_its_batch(reply: Any, kind: str, given_up: Any) -> None:
    played = Played(write_durable_deck, Batches(BATCH, NEXT))
    played.answer(b"OK")
    played.answer(reply)
    assert played.failed() == kind
    assert (played.acknowledged, played.given_up) == ([], given_up)
    assert played.asked == (A, set_of(NEXT[0]))


def test_a_redirected_set_of_the_deck_is_followed() -> None:
    played = Played(write_durable_deck, Batches(BATCH, NEXT))
    played.answer(refused(f"MOVED 14452 {B}"))
    assert played.asked == (B, set_of(BATCH[0]))
    played.answer(b"OK")
    assert played.asked == (B, set_of(BATCH[1]))
    assert (played.redirects, played.session[C].answered) == (1, -1)


def test_a_set_has_the_slot_of_its_key() -> None:
    assert set_request(BATCH[0], TELEMETRY, b"telemon:") == (14452, set_of(BATCH[0]))


def test_a_read_is_one_get_and_its_result_comes_with_the_next() -> None:
    played = Played(read_durable, keys(ON_C, ON_B, ON_A, ON_A, ON_C))
    assert played.asked == (C, get(ON_C))
    assert played.is_first_request
    played.answer(row(ON_C))
    assert played.ended == {"rows": 1, "hits": 1}
    assert played.asked == (B, get(ON_B))
    played.answer(None)
    assert played.ended == {"misses": 1}
    assert (played.session[B].misses, played.session[C].misses) == (1, 0)
    assert played.asked == (A, get(ON_A))
    played.answer(row(ON_B))
    assert played.ended == {"wrong_content": 1}
    played.answer(refused("LOADING wait"))
    assert played.failed() == "redis_loading"
    assert played.asked == (C, get(ON_C))
    assert played.is_first_request
    assert played.refreshes == 1


@pytest.mark.parametrize("junk", [b"", b"OK", row(ON_B), b"50000000", b"50000000;"])
def test_what_is_no_row_of_the_car_is_no_hit(junk: bytes) -> None:
    played = Played(read_durable, keys(ON_C, ON_C))
    played.answer(junk)
    assert played.ended == {"wrong_content": 1}


def test_a_redirected_read_is_followed_and_a_miss_counted_where_it_ended() -> None:
    played = Played(read_durable, keys(ON_C, ON_C))
    played.answer(refused(f"MOVED 14452 {A}"))
    assert played.asked == (A, get(ON_C))
    played.answer(None)
    assert played.ended == {"misses": 1}
    assert (played.session[A].misses, played.session[C].misses) == (1, 0)
    assert played.asked == (A, get(ON_C))


def test_a_request_that_was_built_before_is_the_one_that_is_sent() -> None:
    played = Played(read_durable, keys(ON_C, ON_C))
    built = played.context.gets[ON_C]
    assert list(played.context.gets) == [ON_C]
    played.context.gets[ON_C] = (built[0], b"the one of the cache", *built[2:])
    played.answer(row(ON_C))
    assert played.asked == (C, b"the one of the cache")


def test_every_miss_of_a_node_is_counted() -> None:
    played = Played(read_durable, keys(ON_C, ALSO_ON_C, ON_C))
    for _ in range(3):
        played.answer(None)
    assert played.session[C].misses == 3


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_refusal_counts_whatever_the_nodes_before_and_behind_it_say(place: int) -> None:
    played = written()
    answers: list[Any] = [resp.ALL_OK, b"OK", resp.ALL_OK]
    answers[place] = [refused("OOM no"), b"OK"] if place == 0 else refused("OOM no")
    played.answer(answers)
    assert played.failed() == "redis_oom"
    assert played.acknowledged == []


def test_a_row_that_is_sent_again_goes_to_the_key_of_its_namespace() -> None:
    blue = Namespace("blue")
    slot, request = set_request(BATCH[0], TELEMETRY, blue.key_prefix)
    name = blue.key_prefix + b"%d" % BATCH[0][0]
    assert slot == key_slot(name)
    assert name in request
