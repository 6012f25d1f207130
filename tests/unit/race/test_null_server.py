"""The canned answers of the null server, which must import nothing of telemon."""

from __future__ import annotations

import pytest

from engines.model.lanes import RACE_COMMANDS
from engines.race.null_server import GET_REPLY, INTEGER_REPLY, REDIS_REPLIES, answer_redis
from engines.wire import resp

ANSWERED_BY_NUMBERS = {b"DEL", b"UNLINK", b"PEXPIRE"}
"""Commands for which `INTEGER_REPLY` is what a server might say."""

GET = resp.get(b"telemon:1")
SET = resp.set_(b"telemon:1", b"1:2:3")
SET_PX = resp.set_px(b"telemon:1", b"1:2:3", 1000)
UNLINK = resp.command(b"UNLINK", b"telemon:1", b"telemon:2")


def test_every_command_of_a_race_has_an_answer() -> None:
    others = {name.encode() for name in RACE_COMMANDS} - REDIS_REPLIES.keys()
    assert others <= ANSWERED_BY_NUMBERS


@pytest.mark.parametrize(
    ("requests", "replies"),
    [
        (GET, GET_REPLY),
        (GET * 3, GET_REPLY * 3),
        (SET * 3, b"+OK\r\n" * 3),
        (SET_PX, b"+OK\r\n"),
        (UNLINK, INTEGER_REPLY),
        (SET_PX + GET + UNLINK + SET, b"+OK\r\n" + GET_REPLY + INTEGER_REPLY + b"+OK\r\n"),
    ],
)
def test_requests_of_any_kind_are_answered_each(requests: bytes, replies: bytes) -> None:
    assert answer_redis(requests) == (replies, b"")


@pytest.mark.parametrize("batch", [GET * 2, SET * 3, SET_PX + UNLINK + GET])
def test_a_batch_that_is_cut_anywhere_is_answered_once(batch: bytes) -> None:
    whole, _ = answer_redis(batch)
    for at in range(1, len(batch)):
        first, rest = answer_redis(batch[:at])
        second, left = answer_redis(rest + batch[at:])
        assert first + second == whole
        assert left == b""
