"""The names under which errors are counted: chosen here, whatever a server calls them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.error_kinds import (
    ERROR_KINDS,
    KIND_CHARACTERS,
    MYSQL_ERRORS,
    describe_mysql_error,
    error_kind,
    mysql_kind,
)
from engines.wire.mysql_error_names import ERROR_NAMES
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
    [
        (1045, "mysql_1045_access_denied"),
        (1213, "mysql_1213_deadlock"),
        (64_999, "mysql_64999_unknown"),
    ],
)
def test_kinds_of_mysql_have_its_number_and_a_name_where_it_is_known(code: int, kind: str) -> None:
    assert error_kind(MySQLErrorReply(code, "HY000", "whatever")) == kind


def test_what_is_no_error_reply_is_unexpected() -> None:
    assert error_kind(None) == error_kind(b"QUEUED") == "unexpected_reply"


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (1114, "mysql_1114_table_full", "error 1114, table full"),
        (14, "mysql_14_cannot_resize_file", "error 14, cannot resize file"),
        (3, "mysql_3_cannot_write_file", "error 3, cannot write file"),
        (28, "mysql_28_unknown_collation", "error 28, unknown collation"),
        (1064, "mysql_1064_syntax", "error 1064, syntax"),
        (2003, "mysql_2003_cannot_connect", "error 2003, cannot connect"),
        (9_999, "mysql_9999_unknown", "error 9999, which telemon has no name for"),
        (65_535, "mysql_65535_unknown", "error 65535, which telemon has no name for"),
    ],
)
def test_a_number_of_mysql_has_a_name_or_is_said_to_have_none(
    code: int, kind: str, text: str
) -> None:
    assert mysql_kind(code) == kind
    assert error_kind(MySQLErrorReply(code, "HY000", "a message")) == kind
    assert describe_mysql_error(code) == text


@given(st.integers(0, 65_535))
def test_no_number_of_mysql_stands_alone(code: int) -> None:
    kind = mysql_kind(code)
    assert re.fullmatch(rf"mysql_{code}_[a-z][a-z_]*", kind)
    assert len(kind) <= KIND_CHARACTERS


def test_every_known_number_has_one_name() -> None:
    assert not MYSQL_ERRORS.keys() & ERROR_NAMES.keys()
    for code in (*MYSQL_ERRORS, *ERROR_NAMES):
        kind = mysql_kind(code)
        assert re.fullmatch(rf"mysql_{code}_[a-z][a-z_]*", kind)
        assert not kind.endswith("_unknown")
        assert len(kind) <= KIND_CHARACTERS


def test_advice_names_the_keys_of_the_namespace_and_nothing_is_left_to_fill_in() -> None:
    for kind, known in ERROR_KINDS.items():
        meaning, step = known.advice("telemon:blue:*", "take another namespace")
        assert "{" not in meaning + step, kind
        assert "telemon:*" not in known.meaning + known.next_step, kind
    assert "telemon:blue:*" in ERROR_KINDS["redis_noperm"].advice("telemon:blue:*", "")[0]
