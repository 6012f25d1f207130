"""Programs of a lane that is only MySQL, played by hand: each request, and what each answer comes to."""

from __future__ import annotations

from typing import Any

import pytest

from engines.lanes.content import ABSENT
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.mysql import read_mysql, read_mysql_deck, write_mysql, write_mysql_deck
from engines.wire import mysql
from engines.wire.dialect import ConnectionLost
from engines.wire.mysql_packet import MySQLErrorReply, Ok
from tests.support.lane_program import TELEMETRY, Batches, Played, keys, selected

OK = Ok(1, 0, 2, 0)
DEADLOCK = MySQLErrorReply(1213, "40001", "Deadlock found")
SENT = ConnectionLost("mysql_2013_lost_connection")
NEVER_SENT = ConnectionLost("mysql_2003_cannot_connect")
BATCH = [(50_000_001, 3, 11), (50_000_002, 4, 12)]
NEXT = [(50_000_003, 5, 13)]
JUNK = [(b"x", b"90", b"80", b"40", b"5", b"2"), (b"1", b"90", b"80", b"40", b"5", b"2")]


def values(*rows: tuple[int, int, int]) -> bytes:
    """Return the rows of an upsert, as SQL."""
    return b",".join(
        b"(%d,%b,%d)" % (car_id, TELEMETRY.sql[sample], version) for car_id, sample, version in rows
    )


def statement(request: bytes) -> bytes:
    """Return the text of a COM_QUERY, whose header is right."""
    assert int.from_bytes(request[:3], "little") == len(request) - 4
    assert request[3:5] == b"\0\x03"
    return request[5:]


def rows_of(request: bytes) -> bytes:
    """Return the rows of an upsert into the table of the race."""
    text = statement(request)
    begin, _, rest = text.partition(b" VALUES ")
    rows, _, tail = rest.partition(b" ON DUPLICATE KEY UPDATE ")
    assert begin == (b"INSERT INTO cars(car_id,rpm,water_temp,oil_temp,oil_pressure,version)")
    assert tail.endswith(b"version=VALUES(version)")
    return rows


def written(program: Any) -> Played:
    return Played(program, Batches(BATCH, NEXT))


def test_a_batch_is_one_statement_and_acknowledged_as_a_whole() -> None:
    played = written(write_mysql)
    address, request = played.asked
    assert (address, rows_of(request)) == (MYSQL_ADDRESS, values(*BATCH))
    assert played.acknowledged == []
    played.answer(OK)
    assert played.completed() == {"rows": 2}
    assert (played.acknowledged, played.given_up) == ([BATCH], [])
    assert rows_of(played.asked[1]) == values(*NEXT)
    played.answer(OK)
    assert played.completed() == {"rows": 1}


def test_a_batch_of_the_deck_is_a_statement_a_row_and_a_commit() -> None:
    played = written(write_mysql_deck)
    for row in BATCH:
        address, request = played.asked
        assert (address, rows_of(request)) == (MYSQL_ADDRESS, values(row))
        played.answer(OK)
    address, request = played.asked
    assert (address, statement(request)) == (MYSQL_ADDRESS, b"COMMIT")
    assert played.acknowledged == []
    played.answer(OK)
    assert played.completed() == {"rows": 2}
    assert played.acknowledged == [BATCH]
    assert rows_of(played.asked[1]) == values(*NEXT)


@pytest.mark.parametrize("program", [write_mysql, write_mysql_deck])
@pytest.mark.parametrize(
    ("lost", "given_up"), [(SENT, [BATCH]), (NEVER_SENT, [])], ids=["sent", "never sent"]
)
def test_what_may_be_stored_is_given_up_and_what_was_never_sent_is_not(
    program: Any, lost: ConnectionLost, given_up: list[Any]
) -> None:
    played = written(program)
    played.answer(lost)
    assert played.failed() == lost.kind
    assert (played.acknowledged, played.given_up) == ([], given_up)
    assert rows_of(played.asked[1]).startswith(b"(%d," % NEXT[0][0])


@pytest.mark.parametrize("program", [write_mysql, write_mysql_deck])
def test_a_write_that_is_abandoned_while_it_waits_is_given_up(program: Any) -> None:
    played = written(program)
    played.abandon()
    assert (played.acknowledged, played.given_up) == ([], [BATCH])


def test_a_refused_statement_is_neither_stored_nor_in_doubt() -> None:
    played = written(write_mysql)
    played.answer(DEADLOCK)
    assert played.failed() == "mysql_1213_deadlock"
    assert (played.acknowledged, played.given_up) == ([], [])


@pytest.mark.parametrize("acknowledged_rows", [0, 1, 2], ids=["first row", "second row", "commit"])
def test_a_refusal_in_the_deck_s_transaction_rolls_it_back(acknowledged_rows: int) -> None:
    played = written(write_mysql_deck)
    for _ in range(acknowledged_rows):
        played.answer(OK)
    played.answer(DEADLOCK)
    address, request = played.asked
    assert (address, statement(request)) == (MYSQL_ADDRESS, b"ROLLBACK")
    played.answer(OK)
    # The answer to ROLLBACK is not the result: that is the refusal.
    assert played.failed() == "mysql_1213_deadlock"
    assert (played.acknowledged, played.given_up) == ([], [])
    assert rows_of(played.asked[1]) == values(*NEXT)


def test_a_lost_connection_of_the_deck_is_not_asked_to_roll_back() -> None:
    played = written(write_mysql_deck)
    played.answer(OK)
    played.answer(OK)
    played.answer(SENT)  # the answer to COMMIT
    assert played.failed() == "mysql_2013_lost_connection"
    assert played.given_up == [BATCH]


def select_of(car_id: int) -> bytes:
    return b"FROM cars WHERE car_id = %d" % car_id


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (selected(5), {"rows": 1}),
        (ABSENT, {"skipped": 1}),
        (JUNK, {"wrong_content": 1}),
        ([], {"wrong_content": 1}),
    ],
    ids=["row", "absent", "two rows", "no row"],
)
def test_a_read_is_one_select_and_its_result_comes_with_the_next(reply: Any, result: Any) -> None:
    played = Played(read_mysql, keys(7, 8, 9))
    address, request = played.asked
    assert address == MYSQL_ADDRESS
    assert statement(request).endswith(select_of(7))
    assert played.is_first_request
    played.answer(reply)
    assert played.ended == result
    assert statement(played.asked[1]).endswith(select_of(8))
    # A failure has no result before it, nor has the operation behind it.
    played.answer(DEADLOCK)
    assert played.failed() == "mysql_1213_deadlock"
    assert statement(played.asked[1]).endswith(select_of(9))
    assert played.is_first_request


def test_a_request_that_was_built_before_is_the_one_that_is_sent() -> None:
    played = Played(read_mysql, keys(7, 7, 8))
    first = played.asked[1]
    assert list(played.context.selects) == [7]
    played.context.selects[7] = mysql.query(b"the one of the cache"), b"7"
    assert played.answer(selected(5))[1] == mysql.query(b"the one of the cache") != first


def test_the_deck_reads_on_until_a_car_exists_and_counts_those_that_do_not() -> None:
    played = Played(read_mysql_deck, keys(1, 2, 3, 4, 5))
    assert statement(played.asked[1]).endswith(select_of(1))
    for car_id in (2, 3):
        played.answer(ABSENT)
        assert played.is_first_request
        assert played.asked[0] == MYSQL_ADDRESS
        assert statement(played.asked[1]).endswith(select_of(car_id))
    played.answer(selected(5))
    assert played.ended == {"rows": 1, "skipped": 2}
    assert statement(played.asked[1]).endswith(select_of(4))
    played.answer(selected(5))
    assert played.ended == {"rows": 1}  # counted anew


@pytest.mark.parametrize(
    ("reply", "result"),
    [(JUNK, {"wrong_content": 1, "skipped": 1}), (ABSENT, {"skipped": 2})],
)
def test_a_search_of_the_deck_ends_with_wrong_content_and_with_the_race(
    reply: Any, result: Any
) -> None:
    played = Played(read_mysql_deck, keys(1, 2, 3, 4))
    played.answer(ABSENT)
    played.issuing = False
    played.answer(reply)
    assert played.ended == result
    played.answer(selected(5))
    assert played.ended == {"rows": 1}


def test_a_failure_ends_a_search_of_the_deck_and_its_count() -> None:
    played = Played(read_mysql_deck, keys(1, 2, 3, 4))
    played.answer(ABSENT)
    played.answer(DEADLOCK)
    assert played.failed() == "mysql_1213_deadlock"
    assert played.is_first_request
    played.answer(selected(5))
    assert played.ended == {"rows": 1}
