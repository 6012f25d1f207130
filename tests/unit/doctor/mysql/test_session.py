"""What the doctor says of a MySQL session that telemon has set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engines.backends.mysql import client as mysql
from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.mysql import session

KEPT = {
    "autocommit": "ON",
    "sql_select_limit": "18446744073709551615",
    "transaction_isolation": "REPEATABLE-READ",
    "sql_log_bin": "ON",
}
GIVEN = {"init_connect": "", "autocommit": "ON", "log_bin": "ON"}


def checked(
    monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str], kept: Mapping[str, str]
) -> Check:
    monkeypatch.setattr(mysql, "read_variables", lambda *_: dict(given))
    monkeypatch.setattr(mysql, "read_session_variables", lambda *_: dict(kept))
    cursor: Any = None
    (check,) = session.check_session(CheckRunner("MySQL"), cursor)
    return check


def test_a_session_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    check = checked(monkeypatch, GIVEN, KEPT)
    assert check.status is Status.OK
    assert check.finding == "autocommit on, REPEATABLE-READ, set by telemon"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("autocommit", "OFF"),
        ("autocommit", "0"),
        ("sql_select_limit", "0"),
        ("transaction_isolation", "READ-COMMITTED"),
        ("tx_isolation", "SERIALIZABLE"),
    ],
)
def test_a_setting_that_is_not_kept(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    check = checked(monkeypatch, GIVEN, {**KEPT, name: value})
    assert (check.status, check.problem) == (Status.FAIL, "session_not_kept")
    assert f"{name} is '{value}'" in check.finding


def test_an_account_that_is_not_in_the_binary_log(monkeypatch: pytest.MonkeyPatch) -> None:
    unlogged = {**KEPT, "sql_log_bin": "OFF"}
    given = {**GIVEN, "init_connect": "SET sql_log_bin=0"}
    check = checked(monkeypatch, given, unlogged)
    assert (check.status, check.problem) == (Status.WARN, "not_in_binary_log")
    assert "init_connect is 'SET sql_log_bin=0'" in check.finding
    # Without a binary log nobody is in it.
    assert checked(monkeypatch, {**given, "log_bin": "OFF"}, unlogged).status is Status.OK


@pytest.mark.parametrize(
    ("shown", "finding"),
    [
        ({}, "the server does not show whether these hold: autocommit on, REPEATABLE-READ"),
        (
            {"autocommit": "ON"},
            "autocommit on, set by telemon; the server does not show whether these hold: REPEATABLE-READ",
        ),
    ],
)
def test_what_the_server_does_not_show_is_not_said_to_hold(
    monkeypatch: pytest.MonkeyPatch, shown: Mapping[str, str], finding: str
) -> None:
    check = checked(monkeypatch, GIVEN, shown)
    assert (check.status, check.problem, check.finding) == (Status.WARN, "session_unread", finding)
