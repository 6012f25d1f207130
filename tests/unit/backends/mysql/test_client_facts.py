"""What servers say of themselves, as recorded, and what telemon makes of it: product, version, durability."""

from __future__ import annotations

from typing import Any

import pytest
from pymysql.err import ProgrammingError

from engines.backends.mysql.client import read_facts

MADE_AT_COMMIT = "log flushed to disk at every commit"


class Recorded:
    """A cursor on a server that answers SELECT and SHOW of variables with what was recorded."""

    connection = None
    """None of telemon's own, which would know whether the session takes its settings."""

    def __init__(self, variables: dict[str, object]) -> None:
        self._variables = variables
        self._rows: list[tuple[object, ...]] = []

    def execute(self, statement: str) -> None:
        if statement.startswith("SHOW VARIABLES LIKE"):
            name = statement.split("'")[1]
            self._rows = [(name, self._variables[name])] if name in self._variables else []
            return
        names = [word.strip().removeprefix("@@") for word in statement[7:].split(",")]
        lacking = [name for name in names if name not in self._variables]
        if lacking:
            raise ProgrammingError(1193, f"Unknown system variable '{lacking[0]}'")
        self._rows = [tuple(self._variables[name] for name in names)]

    def fetchall(self) -> list[tuple[object, ...]]:
        return self._rows


def server(version: str, comment: str, **changes: object) -> Any:
    settings: dict[str, object] = {
        "innodb_flush_log_at_trx_commit": 1,
        "log_bin": 1,
        "sync_binlog": 1,
        "sql_log_bin": 1,
        "basedir": "/usr/",
    }
    return Recorded({"version": version, "version_comment": comment, **settings, **changes})


@pytest.mark.parametrize(
    ("cursor", "product", "version"),
    [
        (server("9.7.4", "(Debian)"), "MySQL", "9.7.4"),
        (server("8.4.6", "MySQL Community Server - GPL"), "MySQL", "8.4.6"),
        (server("8.0.43-0ubuntu0.24.04.1", "(Ubuntu)"), "MySQL", "8.0.43"),
        (server("11.8.9-MariaDB-1 from Debian", "-- Please help"), "MariaDB", "11.8.9"),
        (server("10.11.14-MariaDB-0+deb12u2", "Debian 12"), "MariaDB", "10.11.14"),
        (server("10.11.6-log", "managed by MariaDB"), "MariaDB", "10.11.6"),
        (
            server("8.0.39", "Source distribution", basedir="/rdsdbbin/mysql-8.0.39.R2/"),
            "RDS MySQL",
            "8.0.39",
        ),
        (
            server(
                "8.0.39", "Source distribution", basedir="/rdsdbbin/oscar/", aurora_version="3.08.0"
            ),
            "Aurora MySQL",
            "8.0.39",
        ),
    ],
)
def test_product_and_version(cursor: Any, product: str, version: str) -> None:
    facts = read_facts(cursor)
    assert (facts.product, facts.version) == (product, version)
    assert MADE_AT_COMMIT in facts.durability
    assert facts.durability.startswith("Aurora storage; ") is (product == "Aurora MySQL")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, f"{MADE_AT_COMMIT}, binary log synced at every commit"),
        # MariaDB's default, and so at its servers with a binary log.
        ({"sync_binlog": 0}, f"{MADE_AT_COMMIT}, binary log synced whenever the system does it"),
        ({"sync_binlog": 7}, f"{MADE_AT_COMMIT}, binary log synced every 7 commits"),
        ({"log_bin": 0, "sync_binlog": 0}, MADE_AT_COMMIT),
        ({"log_bin": "ON", "sql_log_bin": 0}, f"{MADE_AT_COMMIT}, binary log off for this account"),
        (
            {"innodb_flush_log_at_trx_commit": 2, "log_bin": 0},
            "log written at every commit, flushed about once a second",
        ),
        (
            {"innodb_flush_log_at_trx_commit": 0, "log_bin": 0},
            "log flushed about once a second, not at commit",
        ),
    ],
)
def test_words_of_durability(settings: dict[str, object], words: str) -> None:
    assert read_facts(server("9.7.4", "(Debian)", **settings)).durability == words


def test_a_server_without_one_of_the_variables_is_still_described() -> None:
    cursor: Any = Recorded(
        {
            "version": "8.4.6",
            "version_comment": "",
            "innodb_flush_log_at_trx_commit": 1,
            "log_bin": 1,
        }
    )
    facts = read_facts(cursor)
    assert facts.product == "MySQL"
    assert facts.durability == f"{MADE_AT_COMMIT}, binary log on"
