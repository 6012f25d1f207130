"""Advice on errors of servers, for the namespace that a telemon uses."""

from __future__ import annotations

from typing import Any

import pytest
from pymysql.err import OperationalError
from redis.exceptions import ResponseError

from engines.backends.failure_text import error_text
from engines.backends.redis.reply_parser import NodeParser
from engines.doctor.check import CheckRunner
from engines.doctor.redis.sign_in import refused
from engines.endpoints.endpoint import RedisEndpoint
from engines.workload.namespace import DEFAULT, Namespace

BLUE = Namespace("blue")


def said(line: str) -> Exception:
    error: Any = NodeParser.parse_error(line)
    assert isinstance(error, ResponseError)
    return error


@pytest.mark.parametrize(
    ("namespace", "keys", "other"),
    [
        (DEFAULT, "telemon:*", "a namespace of its own"),
        (BLUE, "telemon:blue:*", "another namespace"),
    ],
    ids=["default", "blue"],
)
@pytest.mark.parametrize("word", ["WRONGTYPE", "NOPERM", "OOM"])
def test_advice_is_about_the_keys_of_the_namespace(
    word: str, namespace: Namespace, keys: str, other: str
) -> None:
    error = said(f"{word} something is the matter")
    text = error_text(error, namespace)
    endpoint = RedisEndpoint("redis.example", 6379, "s3cret", namespace=namespace)
    check = refused(CheckRunner(), "connection", error, endpoint)
    for step in (text, check.next_step):
        assert keys in step
        assert (keys == "telemon:*") == ("telemon:*" in step)
        assert "name another server" not in step
        if word == "WRONGTYPE":
            assert f"give this telemon {other}" in step
            assert "--namespace NAME" in step


def test_a_number_is_shown_with_its_name() -> None:
    assert error_text(OperationalError(14, "Can't change size of file"), DEFAULT).startswith(
        "Can't change size of file (error 14, cannot resize file): make room"
    )
    assert error_text(OperationalError(9_999, "odd"), DEFAULT) == (
        "odd (error 9999, which telemon has no name for)"
    )
