"""The names under which errors are counted: chosen here, whatever a server calls them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.error_kinds import KIND_CHARACTERS, error_kind
from engines.wire.mysql_packet import MySQLErrorReply
from engines.wire.resp import RedisErrorReply


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("CLUSTERDOWN The cluster is down", "redis_clusterdown"),
        ("ERR unknown command", "redis_err"),
        ("WRONG_TYPE9 of key", "redis_wrong_type9"),
        ("ERR\x1b]0;title\x07 x", "redis_err0title"),
        ("\u202e\x1b[", "redis_error"),
        ("", "redis_error"),
        ("A" * 500, "redis_" + "a" * 34),
    ],
)
def test_kinds_of_redis(reply: str, kind: str) -> None:
    assert error_kind(RedisErrorReply.of(reply)) == kind


@given(st.text())
def test_kinds_are_short_words(reply: str) -> None:
    kind = error_kind(RedisErrorReply.of(reply))
    assert re.fullmatch(r"redis_[a-z0-9_]+", kind)
    assert len(kind) <= KIND_CHARACTERS == 40


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1045, "mysql_1045_access_denied"), (1213, "mysql_1213_deadlock"), (64_999, "mysql_64999")],
)
def test_kinds_of_mysql_have_its_number_and_a_name_where_it_is_known(code: int, kind: str) -> None:
    assert error_kind(MySQLErrorReply(code, "HY000", "whatever")) == kind


def test_what_is_no_error_reply_is_unexpected() -> None:
    assert error_kind(None) == error_kind(b"QUEUED") == "unexpected_reply"
