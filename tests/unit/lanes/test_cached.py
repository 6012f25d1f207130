"""The programs that read through a cache, played by hand: hit, miss, fill, and everything that can go wrong between."""

from __future__ import annotations

from typing import Any

import pytest

from engines.lanes.cached import read_cached, read_cached_deck
from engines.lanes.content import ABSENT, row_payload
from engines.lanes.context import MYSQL_ADDRESS
from engines.wire import mysql, resp
from engines.wire.dialect import ConnectionLost
from engines.wire.mysql_packet import MySQLErrorReply
from engines.workload.namespace import Namespace
from tests.support.lane_program import SENT, A, B, C, Played, keys, refused, selected

CAR, OTHER, THIRD, FOURTH = 50_000_000, 50_000_001, 50_000_003, 50_000_004
NODE = {CAR: C, OTHER: B, THIRD: A, FOURTH: C}
"""By the key's slot: 14452, 10325, 2071 and 14576 (redis.crc.key_slot)."""

DEADLOCK = MySQLErrorReply(1213, "40001", "Deadlock found")
BOTH = pytest.mark.parametrize("program", [read_cached, read_cached_deck])


def row(car_id: int, version: int = 5) -> bytes:
    return b"%d:1000:90:80:40:%d" % (car_id, version)


def get(car_id: int) -> tuple[str, bytes]:
    return NODE[car_id], resp.get(b"telemon:%d" % car_id)


def select(car_id: int) -> tuple[str, bytes]:
    text = (
        b"SELECT avg(rpm) rpm, avg(water_temp) water_temp, avg(oil_temp) oil_temp, "
        b"avg(oil_pressure) oil_pressure, max(version) version, sum(car_id) car_id "
        b"FROM cars WHERE car_id = %d" % car_id
    )
    return MYSQL_ADDRESS, mysql.query(text)


def fill(car_id: int, version: int = 5) -> tuple[str, bytes]:
    name, value = b"telemon:%d" % car_id, row(car_id, version)
    return NODE[car_id], b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$2\r\nPX\r\n$3\r\n777\r\n" % (
        len(name), name, len(value), value,
    )  # fmt: skip


def counts(played: Played, address: str) -> tuple[int, int, int]:
    node = played.session[address]
    return node.answered, node.misses, node.fills


@BOTH
def test_a_hit_is_one_get_and_a_miss_is_a_get_a_select_and_a_set(program: Any) -> None:
    played = Played(program, keys(CAR, OTHER, THIRD))
    assert MYSQL_ADDRESS in played.session  # connected before the first miss
    assert played.asked == get(CAR)
    assert played.is_first_request
    played.answer(row(CAR))
    assert played.ended == {"rows": 1, "hits": 1}
    assert played.asked == get(OTHER)
    played.answer(None)
    assert played.asked == select(OTHER)
    assert played.is_first_request
    played.answer(selected(9))
    assert played.asked == fill(OTHER, 9)
    played.answer(b"OK")
    assert played.ended == {"rows": 1, "misses": 1, "fills": 1}
    assert played.asked == get(THIRD)
    assert counts(played, B) == (0, 1, 1)
    assert counts(played, C) == (0, 0, 0)


@BOTH
@pytest.mark.parametrize("junk", [row(OTHER), b"", b"OK", b"50000000", b"5000000"])
def test_what_is_no_row_of_the_car_is_no_hit(program: Any, junk: bytes) -> None:
    played = Played(program, keys(CAR, OTHER))
    played.answer(junk)
    assert played.ended == {"wrong_content": 1}
    assert played.asked == get(OTHER)


@BOTH
@pytest.mark.parametrize(
    ("reply", "kind"),
    [(refused("LOADING wait"), "redis_loading"), (SENT, "redis_lost_connection")],
)
def test_a_get_that_fails_is_no_miss(program: Any, reply: Any, kind: str) -> None:
    played = Played(program, keys(CAR, OTHER, THIRD))
    played.answer(row(CAR))
    played.answer(reply)
    assert played.failed() == kind
    assert played.refreshes == 1
    assert played.asked == get(THIRD)
    assert played.is_first_request  # the hit was told before
    assert played.session[B].misses == 0


@BOTH
def test_a_select_that_fails_fills_nothing(program: Any) -> None:
    played = Played(program, keys(CAR, OTHER))
    played.answer(None)
    played.answer(DEADLOCK)
    assert played.failed() == "mysql_1213_deadlock"
    assert played.asked == get(OTHER)
    assert counts(played, C) == (0, 1, 0)


@BOTH
@pytest.mark.parametrize(
    "answer", [[], selected(5) * 2, [(b"x", b"1", b"1", b"1", b"1", b"%d" % CAR)]]
)
def test_what_mysql_answers_and_is_no_row_is_not_cached(program: Any, answer: Any) -> None:
    played = Played(program, keys(CAR, OTHER, THIRD))
    played.answer(None)
    played.answer(answer)
    assert played.ended == {"misses": 1, "wrong_content": 1}
    assert played.asked == get(OTHER)
    played.answer(row(OTHER))
    assert played.ended == {"rows": 1, "hits": 1}


def test_a_car_that_is_nowhere_ends_the_read() -> None:
    played = Played(read_cached, keys(CAR, OTHER, THIRD))
    played.answer(None)
    played.answer(ABSENT)
    assert played.ended == {"misses": 1, "skipped": 1}
    played.answer(row(OTHER))
    assert played.ended == {"rows": 1, "hits": 1}  # counted anew


HIT, FILLED, JUNK_IN_CACHE, JUNK_IN_MYSQL = "hit", "filled", "junk in the cache", "junk in MySQL"


@pytest.mark.parametrize(
    ("end", "result"),
    [
        (HIT, {"rows": 1, "hits": 1, "skipped": 2}),
        (FILLED, {"rows": 1, "misses": 1, "fills": 1, "skipped": 2}),
        (JUNK_IN_CACHE, {"wrong_content": 1, "skipped": 2}),
        (JUNK_IN_MYSQL, {"misses": 1, "wrong_content": 1, "skipped": 2}),
    ],
)
def test_the_deck_reads_on_until_a_car_exists(end: str, result: dict[str, int]) -> None:
    played = Played(read_cached_deck, keys(CAR, OTHER, THIRD, FOURTH, CAR))
    for car_id, following in ((CAR, OTHER), (OTHER, THIRD)):
        assert played.asked == get(car_id)
        played.answer(None)
        assert played.asked == select(car_id)
        played.answer(ABSENT)
        assert played.asked == get(following)
        assert played.is_first_request
    if end in (HIT, JUNK_IN_CACHE):
        played.answer(row(THIRD) if end == HIT else b"junk")
    else:
        played.answer(None)
        played.answer(selected(5) if end == FILLED else [])
        if end == FILLED:
            played.answer(b"OK")
    assert played.ended == result
    played.answer(row(FOURTH))
    assert played.ended == {"rows": 1, "hits": 1}  # counted anew


def test_the_search_of_the_deck_ends_with_the_race() -> None:
    played = Played(read_cached_deck, keys(CAR, OTHER, THIRD))
    played.answer(None)
    played.answer(ABSENT)
    played.issuing = False
    played.answer(None)
    played.answer(ABSENT)
    assert played.ended == {"misses": 1, "skipped": 2}
    played.answer(row(THIRD))
    assert played.ended == {"rows": 1, "hits": 1}


GET, SELECT, SET = "GET", "SELECT", "SET"


@pytest.mark.parametrize("failing", [GET, SELECT, SET])
def test_a_failure_ends_the_search_of_the_deck_and_its_count(failing: str) -> None:
    played = Played(read_cached_deck, keys(CAR, OTHER, THIRD))
    played.answer(None)
    played.answer(ABSENT)
    answers: Any = {GET: [SENT], SELECT: [None, DEADLOCK], SET: [None, selected(5), SENT]}[failing]
    for answer in answers:
        played.answer(answer)
    assert played.failed() == (
        "mysql_1213_deadlock" if failing == SELECT else "redis_lost_connection"
    )
    assert played.is_first_request
    played.answer(row(THIRD))
    assert played.ended == {"rows": 1, "hits": 1}


@BOTH
def test_a_fill_that_fails_is_no_fill_and_no_row(program: Any) -> None:
    played = Played(program, keys(CAR, OTHER, CAR))
    played.answer(None)
    played.answer(selected(5))
    played.answer(refused("OOM command not allowed"))
    assert played.failed() == "redis_oom"
    assert counts(played, C) == (-1, 1, 0)  # an error reply is no answer
    assert played.asked == get(OTHER)
    # And it is not in flight any more: the next fill of that car is the only one.
    played.answer(row(OTHER))
    played.answer(None)
    played.session.began_ns = 0
    played.answer(selected(5))
    played.answer(b"OK")
    assert played.ended == {"rows": 1, "misses": 1, "fills": 1}


def lost_or_strange(reply: Any) -> str:
    played = Played(read_cached, keys(CAR, OTHER))
    played.answer(None)
    played.answer(selected(5))
    played.answer(reply)
    assert played.session[C].fills == 0
    return played.failed()


def test_only_ok_is_an_answer_to_a_fill() -> None:
    assert lost_or_strange(None) == "unexpected_reply"
    assert lost_or_strange(b"QUEUED") == "unexpected_reply"
    assert lost_or_strange(ConnectionLost("redis_timeout")) == "redis_timeout"


@pytest.mark.parametrize(
    "answer", [b"OK", refused("OOM x"), None], ids=["filled", "failed", "abandoned"]
)
def test_a_fill_beside_another_of_the_same_car_is_a_duplicate_and_ends_as_one(answer: Any) -> None:
    played = Played(read_cached, keys(CAR, CAR, CAR))
    other = played.context.fills
    played.answer(None)
    assert other.begin(CAR, 0) is False  # another session's
    played.answer(selected(5))
    if answer is None:
        played.abandon()
    else:
        played.answer(answer)
    if answer == b"OK":
        assert played.ended == {"rows": 1, "misses": 1, "fills": 1, "duplicate_fills": 1}
    # One fill is in flight, the other session's: no more and no fewer.
    other.end(CAR, None)
    with pytest.raises(KeyError):
        other.end(CAR, None)


def test_a_finished_fill_makes_those_that_missed_before_it_duplicates() -> None:
    played = Played(read_cached, keys(CAR, CAR))
    played.answer(None)
    played.answer(selected(5))
    played.answer(b"OK")
    assert played.context.fills.begin(CAR, 0) is True  # missed before the fill ended
    assert played.context.fills.begin(OTHER, 0) is False


def test_a_redirected_get_is_followed_and_counted_where_it_ended() -> None:
    played = Played(read_cached, keys(CAR, CAR))
    played.answer(refused(f"MOVED 14452 {A}"))
    assert played.asked == (A, get(CAR)[1])
    played.answer(None)
    assert counts(played, A) == (0, 1, 0)
    assert counts(played, C) == (-1, 0, 0)
    assert played.asked == select(CAR)
    played.answer(selected(5))
    assert played.asked == (A, fill(CAR)[1])  # the slot has moved
    played.answer(b"OK")
    assert counts(played, A) == (0, 1, 1)
    assert played.ended == {"rows": 1, "misses": 1, "fills": 1}
    assert played.asked == (A, get(CAR)[1])
    assert played.redirects == 1


def test_a_redirected_fill_is_followed_and_counted_where_it_ended() -> None:
    played = Played(read_cached, keys(CAR, CAR))
    played.answer(None)
    played.answer(selected(5))
    played.answer(refused(f"MOVED 14452 {B}"))
    assert played.asked == (B, fill(CAR)[1])
    played.answer(b"OK")
    assert played.ended == {"rows": 1, "misses": 1, "fills": 1}
    assert (played.session[B].fills, played.session[C].fills) == (1, 0)
    assert played.redirects == 1


def test_a_request_that_was_built_before_is_the_one_that_is_sent() -> None:
    played = Played(read_cached, keys(CAR, CAR))
    built = played.context.gets[CAR]
    assert list(played.context.gets) == [CAR]
    played.context.gets[CAR] = (built[0], b"the one of the cache", *built[2:])
    played.answer(row(CAR))
    assert played.asked == (C, b"the one of the cache")


def test_a_row_is_stored_without_the_fractions_of_the_averages() -> None:
    assert row_payload((b"1000.0000", b"90.5", b"80", None, b"12", b"7")) == b"7:1000:90:80::12"


def test_every_miss_and_every_fill_of_a_node_is_counted() -> None:
    played = Played(read_cached, keys(CAR, FOURTH, CAR))
    for _ in range(3):
        played.answer(None)
        played.answer(selected(5))
        played.answer(b"OK")
    assert counts(played, C) == (0, 3, 3)


def test_a_fill_goes_to_the_key_of_its_namespace() -> None:
    played = Played(read_cached, keys(CAR), namespace=Namespace("blue"))
    played.answer(None)
    played.answer(selected(5))
    assert (
        b"SET\r\n$%d\r\n%b\r\n"
        % (
            len(name := Namespace("blue").key_prefix + b"%d" % CAR),
            name,
        )
        in played.asked[1]
    )
