"""What a server says of itself at the end of a race beside what it said before; and a server that does not say it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from engines.consistency import claims
from engines.consistency.claims import (
    KEYS_CHECKED,
    ClaimCheck,
    ServerClaims,
    judge_ttls,
)
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.model.read_back import CacheLifetimes, SettingChange
from engines.model.server_facts import ServerFacts, TlsMode
from tests.support.hostile_server import WELCOMED, hostile_server

FLUSH, BINLOG = "innodb_flush_log_at_trx_commit", "sync_binlog"

Settings = dict[str, str | int]


def facts(role: str, durability: Settings) -> ServerFacts:
    return ServerFacts(role, "x", "1", 1, TlsMode.OFF, None, durability, role)


DATABASE = facts("database", {FLUSH: 1, BINLOG: "not readable", "replicas": 2})
CACHE = facts("cache", {"appendonly": "no", "min-replicas-to-write": 0})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([-2, -2], CacheLifetimes(allowed_ms=1_000)),
        ([-1, 1_001, 1_002, 0], CacheLifetimes(checked=4, endless=1, longer=1, allowed_ms=1_000)),
        ([900, b"soon"], CacheLifetimes(checked=1, allowed_ms=1_000, unread=1)),
        (
            [900, None, [1], True, "9", -3, 1.5],
            CacheLifetimes(checked=1, allowed_ms=1_000, unread=6),
        ),
    ],
)
def test_what_is_no_time_is_not_read(answers: list[object], expected: CacheLifetimes) -> None:
    found = judge_ttls(answers, 1_000)
    assert (found.checked, found.endless, found.longer, found.unread, found.timed_out) == (
        *(expected.checked, expected.endless, expected.longer, expected.unread, False),
    )
    assert bool(found.problem) is bool(expected.unread)
    assert not found.unread or "PTTL" in found.problem


def test_why_a_time_was_not_read_is_what_the_server_says() -> None:
    refused = NoPermissionError("NOPERM this user has no permissions to run the 'pttl' command")
    found = judge_ttls([refused] * 3, 1_000)
    assert (found.checked, found.unread) == (0, 3)
    assert "'pttl' command" in found.problem


# ---------------------------------------------------------------- servers that fail

NOWHERE = LaneEndpoints(
    "cached",
    mysql=MySQLEndpoint("192.0.2.1", 1, "u", "p", "d"),
    redis=RedisEndpoint("192.0.2.1", 1, "p", cluster=False),
)

SAME: dict[str, Callable[[], tuple[Settings, str]]] = {
    "database": lambda: ({FLUSH: 1}, ""),
    "cache": lambda: ({"appendonly": "no", "min-replicas-to-write": 0}, ""),
}


def named(settings: Settings, problem: str) -> tuple[dict[str, Settings], str]:
    return {"": settings}, problem


def checked(
    monkeypatch: pytest.MonkeyPatch,
    ttls: Callable[[], list[object]],
    within_s: float = 20.0,
    **durability: Callable[[], tuple[Settings, str]],
) -> ServerClaims:
    """The check of a lane whose servers answer so."""
    answers = {**SAME, **durability}
    monkeypatch.setattr(claims, "read_durability", lambda _, role: named(*answers[role]()))
    monkeypatch.setattr(claims, "read_ttls", lambda _: ttls())
    check = ClaimCheck({"cached": NOWHERE}, {"cached": [DATABASE, CACHE]}, 1_000)
    return check.results(time.monotonic() + within_s)["cached"]


def fail(error: Exception) -> Callable[[], Any]:
    def ask() -> Any:
        raise error

    return ask


def test_what_is_as_it_was_is_neither_changed_nor_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(monkeypatch, lambda: [900])
    assert found == ServerClaims(lifetimes=CacheLifetimes(checked=1, allowed_ms=1_000))


@pytest.mark.parametrize(
    "ttls",
    [lambda: [b"soon", None], fail(TypeError("no")), fail(OSError("gone"))],
    ids=["answer", "bug", "gone"],
)
def test_no_answer_about_one_thing_hides_a_change_of_another(
    monkeypatch: pytest.MonkeyPatch, ttls: Callable[[], list[object]]
) -> None:
    found = checked(monkeypatch, ttls, database=lambda: ({FLUSH: 2}, ""))
    assert found.changes == (SettingChange("database", FLUSH, 1, 2),)
    assert found.lifetimes is not None
    assert found.lifetimes.unread > 0
    assert found.lifetimes.problem


def test_a_server_that_fails_hides_no_change_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(
        monkeypatch,
        list,
        database=fail(OSError("Connection refused")),
        cache=lambda: ({"appendonly": "yes", "min-replicas-to-write": 0}, ""),
    )
    assert found.changes == (SettingChange("cache", "appendonly", "no", "yes"),)
    (unread,) = found.unread
    assert (unread.role, unread.timed_out, unread.problem) == (
        "database",
        False,
        "Connection refused",
    )
    assert set(unread.settings) == {"engine", FLUSH}


@pytest.mark.parametrize("error", [TypeError("'NoneType' object"), OSError(), RecursionError()])
def test_an_error_is_told_as_what_it_is_and_not_as_slowness(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    found = checked(monkeypatch, fail(error), database=fail(error))
    assert found.lifetimes is not None
    told = [(each.timed_out, each.problem) for each in found.unread]
    told.append((found.lifetimes.timed_out, found.lifetimes.problem))
    assert len(told) == 2
    for timed_out, problem in told:
        assert timed_out is False
        assert type(error).__name__ in problem
        assert problem.startswith("internal error") is not isinstance(error, OSError)


def test_what_does_not_answer_in_time_is_said_to_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    def hang() -> tuple[Settings, str]:
        over.wait(30)
        return {FLUSH: 1}, ""

    try:
        found = checked(monkeypatch, lambda: [900], 1.0, database=hang)
    finally:
        over.set()
    (unread,) = found.unread
    assert (unread.role, unread.timed_out, unread.problem) == ("database", True, "")
    assert found.lifetimes == CacheLifetimes(checked=1, allowed_ms=1_000)


def test_what_was_never_known_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = facts("cache", {"appendonly": "not readable", "replicas": 1})
    monkeypatch.setattr(claims, "read_durability", fail(AssertionError()))
    monkeypatch.setattr(claims, "read_ttls", lambda _: [])
    check = ClaimCheck({"cached": NOWHERE}, {"cached": [hidden]}, 1_000)
    assert check.results(time.monotonic() + 20)["cached"].unread == ()


@contextmanager
def redis_that_says(reply: bytes) -> Iterator[RedisEndpoint]:
    with hostile_server(b"", WELCOMED, reply) as port:
        yield RedisEndpoint("127.0.0.1", port, "p", cluster=False)


@pytest.mark.parametrize("reply", [b"$4\r\nsoon\r\n", b"*0\r\n", b"$-1\r\n", b"-ERR no\r\n"])
def test_no_answer_of_a_cache_is_taken_for_a_time(reply: bytes) -> None:
    with redis_that_says(reply * KEYS_CHECKED) as cache:
        lane = LaneEndpoints("cached", mysql=NOWHERE.mysql, redis=cache)
        check = ClaimCheck({"cached": lane}, {}, 1_000)
        found = check.results(time.monotonic() + 20)["cached"].lifetimes
    assert found is not None
    assert (found.checked, found.unread, found.timed_out) == (0, KEYS_CHECKED, False)
    assert found.problem


def test_a_cache_that_hangs_holds_nobody() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        cache = RedisEndpoint("127.0.0.1", silent.getsockname()[1], "p", cluster=False)
        lane = LaneEndpoints("cached", mysql=NOWHERE.mysql, redis=cache)
        began_s = time.monotonic()
        check = ClaimCheck({"cached": lane}, {}, 1_000)
        found = check.results(began_s + 0.2)["cached"].lifetimes
        assert time.monotonic() - began_s < 2.0
    assert found == CacheLifetimes(allowed_ms=1_000, unread=KEYS_CHECKED, timed_out=True)
