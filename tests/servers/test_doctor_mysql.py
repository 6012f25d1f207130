"""The doctor on MySQL servers that are really broken, one way at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from engines.doctor.mysql.checks import ROW_BYTES
from engines.endpoints.credential_sources import FromEnvironment, FromFile
from engines.endpoints.endpoint import MySQLEndpoint
from engines.provisioning.prepare import plan
from engines.sandbox.sandbox import Sandbox
from tests.support.diagnosis import CLOCKS, check_clock, diagnose
from tests.support.mysql_accounts import is_oracle, make_account, remember, saying
from tests.support.race_run import mysql
from tests.support.user_servers import as_root

USER, PASSWORD = "limited", "of-limited"


def admin(sandbox: Sandbox, *statements: str) -> None:
    connection = pymysql.connect(
        unix_socket=str(sandbox.admin_mysql("mysql")),
        user="root",
        ssl_disabled=True,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def endpoint(sandbox: Sandbox) -> Iterator[MySQLEndpoint]:
    """A prepared MySQL server."""
    at = sandbox.endpoints["mysql"].mysql
    assert at is not None
    admin(sandbox, "DROP TABLE IF EXISTS telemon.cars")
    for change in plan({"mysql": sandbox.endpoints["mysql"]}, seed=1).changes:
        change.apply()
    yield at
    admin(sandbox, "DROP TABLE IF EXISTS telemon.cars")


@contextmanager
def setting(sandbox: Sandbox, name: str, value: int) -> Iterator[None]:
    at = sandbox.endpoints["mysql"].mysql
    with mysql(at) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT @@GLOBAL.{name}")
        row = cursor.fetchone()
        assert row is not None
    admin(sandbox, f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        admin(sandbox, f"SET GLOBAL {name} = {row[0]}")


@contextmanager
def user(sandbox: Sandbox, at: MySQLEndpoint, *grants: str) -> Iterator[MySQLEndpoint]:
    """The same server, seen by a user who was granted so much and no more."""
    limited = replace(at, user=USER, password=PASSWORD)
    who = make_account(sandbox, "mysql", limited, *grants)
    try:
        yield limited
    finally:
        admin(sandbox, f"DROP USER {who}")


def wrong(sandbox: Sandbox) -> str:
    """The problem of a wrong password. Oracle's MySQL asks for the password itself then, and gets it over TLS only."""
    return "unsafe_sign_in" if is_oracle(sandbox) else "wrong_password"


def test_a_server_in_order(endpoint: MySQLEndpoint) -> None:
    found = diagnose(endpoint)
    assert found.problems == []
    assert [check.name for check in found.checks] == [
        "name resolution",
        "TCP",
        "TLS",
        "authentication",
        "product",
        "clock",
        "role",
        "session",
        "round trip",
        "other telemons",
        "table",
        "permissions",
        "durability",
        "room",
    ]
    assert all(check.ms is not None and check.ms >= 0 for check in found.checks)


@CLOCKS
def test_a_clock_that_is_off(
    endpoint: MySQLEndpoint, monkeypatch: pytest.MonkeyPatch, ahead_s: float, problems: list[str]
) -> None:
    check_clock(endpoint, monkeypatch, ahead_s, problems)


def test_a_server_in_order_stays_as_it_was(endpoint: MySQLEndpoint) -> None:
    with mysql(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute("CHECKSUM TABLE cars")
        before = cursor.fetchone()
        diagnose(endpoint)
        cursor.execute("CHECKSUM TABLE cars")
        assert cursor.fetchone() == before


@pytest.mark.parametrize("change", [{"password": "not it"}, {"user": "nobody"}])
def test_a_wrong_password_or_user(
    sandbox: Sandbox, endpoint: MySQLEndpoint, change: dict[str, str]
) -> None:
    found = diagnose(replace(endpoint, **change))  # type: ignore[arg-type]
    assert found.problems == [wrong(sandbox)]
    assert found.failed.name == "authentication"
    assert change.get("password", "x y z") not in str(found)


def test_where_the_wrong_password_came_from_is_said(
    sandbox: Sandbox, endpoint: MySQLEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("not it")
    found = diagnose(replace(saying(sandbox, endpoint), secret=FromFile(file)))
    assert found.failed.problem == "wrong_password"
    assert "user 'telemon'" in found.failed.finding
    assert f"check user and password (password_file {file})" in found.failed.next_step
    assert "not it" not in str(found)


def test_a_password_that_cannot_be_had(endpoint: MySQLEndpoint) -> None:
    found = diagnose(replace(endpoint, secret=FromEnvironment("TELEMON_TEST_NOT_SET")))
    assert found.problems == ["no_secret"]
    assert "TELEMON_TEST_NOT_SET" in found.failed.finding


def test_a_missing_database(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with user(sandbox, endpoint, "ALL ON absent.*") as at:
        found = diagnose(replace(at, database="absent"))
    assert found.problems == ["no_database"]
    assert "telemon prepare" in found.failed.next_step


def test_a_database_that_the_user_may_not_use(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with user(sandbox, endpoint) as at:
        found = diagnose(at)
    assert found.problems == ["denied_database"]


def test_a_missing_table(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    admin(sandbox, "DROP TABLE telemon.cars")
    found = diagnose(endpoint)
    assert found.problems == ["no_table"]
    assert "telemon prepare" in found.failed.next_step


@pytest.mark.parametrize(
    "columns",
    [
        "car_id INT UNSIGNED NOT NULL PRIMARY KEY, rpm INT, water_temp INT, oil_temp INT, oil_pressure INT, "
        "version BIGINT",
        "plate CHAR(8)",
    ],
    ids=["same columns", "other columns"],
)
def test_a_foreign_table(sandbox: Sandbox, endpoint: MySQLEndpoint, columns: str) -> None:
    admin(
        sandbox,
        "DROP TABLE telemon.cars",
        f"CREATE TABLE telemon.cars ({columns}) COMMENT='the garage'",
    )
    found = diagnose(endpoint)
    assert found.problems == ["foreign_table"]
    assert "the garage" in found.failed.finding


def test_a_table_of_telemon_s_with_other_columns(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    admin(sandbox, "ALTER TABLE telemon.cars DROP COLUMN version")
    assert diagnose(endpoint).problems == ["wrong_columns"]


def test_a_table_without_the_hot_cars(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    admin(sandbox, "DELETE FROM telemon.cars WHERE car_id = 50001000")
    found = diagnose(endpoint)
    assert found.problems == ["not_seeded"]
    assert "1,000 of the 1,001" in found.failed.finding


@pytest.mark.parametrize(
    ("grant", "missing"),
    [
        ("CREATE ON telemon.*", "SELECT"),
        ("SELECT ON telemon.cars", "INSERT"),
        ("SELECT, INSERT ON telemon.cars", "UPDATE"),
        ("INSERT, UPDATE ON telemon.cars", "SELECT"),
    ],
)
def test_a_user_without_rights_on_the_table(
    sandbox: Sandbox, endpoint: MySQLEndpoint, grant: str, missing: str
) -> None:
    with user(sandbox, endpoint, grant) as at:
        found = diagnose(at)
    assert found.problems == ["denied_table"]
    assert missing in found.failed.finding


def test_the_least_rights_that_a_race_needs(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with user(sandbox, endpoint, "SELECT, INSERT, UPDATE ON telemon.cars") as at:
        assert diagnose(at).problems == []


def test_a_server_that_takes_no_writes(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with setting(sandbox, "read_only", 1):
        found = diagnose(endpoint)
    assert found.problems == ["read_only"]
    assert found.failed.name == "role"


def test_a_server_that_takes_no_writes_but_those_of_this_user(
    sandbox: Sandbox, endpoint: MySQLEndpoint
) -> None:
    """A replica on which telemon could write is the last place to do it."""
    privilege = "CONNECTION_ADMIN" if is_oracle(sandbox) else "READ_ONLY ADMIN"
    grants = ("SELECT, INSERT, UPDATE ON telemon.cars", f"{privilege} ON *.*")
    with user(sandbox, endpoint, *grants) as at, setting(sandbox, "read_only", 1):
        found = diagnose(at)
    assert found.problems == ["read_only"]


def test_too_many_connections(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with setting(sandbox, "max_connections", 10), ExitStack() as stack:
        # The administrator's connection may not be gone yet, and then it is one of them.
        with suppress(pymysql.OperationalError):
            for _ in range(11):
                stack.enter_context(mysql(endpoint))
        found = diagnose(endpoint)
    assert found.problems == ["too_many_connections"]


def test_no_room_for_the_connections_of_the_race(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with setting(sandbox, "max_connections", 20), ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(mysql(endpoint))
        assert diagnose(endpoint, connections=12).problems == []
        found = diagnose(endpoint, connections=13)
    assert found.problems == ["no_room"]
    assert "20 connections allowed, 8 in use, 13 asked for" in found.failed.finding


def test_no_room_for_one_user(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    grants = "SELECT, INSERT, UPDATE ON telemon.cars"
    with user(sandbox, endpoint, grants) as at:
        admin(sandbox, f"ALTER USER {USER}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 3")
        found = diagnose(at, connections=4)
        assert found.problems == ["no_room"]
        with mysql(at), mysql(at), mysql(at):
            assert diagnose(at).problems == ["too_many_connections"]


def test_a_batch_that_is_no_statement(sandbox: Sandbox, endpoint: MySQLEndpoint) -> None:
    with setting(sandbox, "max_allowed_packet", 65_536):
        assert diagnose(endpoint, batch=1024).problems == []
        assert diagnose(endpoint, batch=2000).problems == ["batch_too_large"]


@pytest.mark.parametrize("value", [0, 2])
def test_commits_that_a_crash_may_lose(
    sandbox: Sandbox, endpoint: MySQLEndpoint, value: int
) -> None:
    with setting(sandbox, "innodb_flush_log_at_trx_commit", value):
        assert diagnose(endpoint).problems == ["weak_durability"]


def test_a_row_of_the_largest_numbers_fits_the_estimate() -> None:
    row = "(4294967295,4000,99,120,150,9223372036854775807),"
    assert len(row) <= ROW_BYTES


SHADOWED = "shadowed"


@pytest.fixture
def shadowing(sandbox: Sandbox, endpoint: MySQLEndpoint) -> Iterator[MySQLEndpoint]:
    """An account for any host, and an anonymous one for this: as mariadb-install-db makes them on localhost."""
    admin(
        sandbox,
        f"CREATE USER '{SHADOWED}'@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT, INSERT, UPDATE ON telemon.cars TO '{SHADOWED}'@'%'",
        "CREATE USER ''@'127.0.0.1'",
    )
    yield replace(endpoint, user=SHADOWED, password=PASSWORD)
    # MariaDB remembers until it is told that there was an account for any host.
    admin(sandbox, f"DROP USER '{SHADOWED}'@'%', ''@'127.0.0.1'", "FLUSH PRIVILEGES")
    remember(endpoint)


def test_an_anonymous_account_that_goes_before_the_user_s_is_named(
    sandbox: Sandbox, endpoint: MySQLEndpoint, shadowing: MySQLEndpoint
) -> None:
    found = diagnose(saying(sandbox, shadowing))
    assert found.failed.problem == "anonymous_account"
    assert f"takes {SHADOWED} for the anonymous account @127.0.0.1" in found.failed.finding
    assert "DROP USER ''@'127.0.0.1'" in found.failed.next_step
    assert f"CREATE USER '{SHADOWED}'@'127.0.0.1'" in found.failed.next_step
    assert PASSWORD not in str(found)
    # Whose name and host the server knows is not shadowed: there the password is wrong.
    assert diagnose(replace(endpoint, password="not it")).problems == [wrong(sandbox)]


def test_who_signs_in_as_nobody_is_told(sandbox: Sandbox, shadowing: MySQLEndpoint) -> None:
    """Without a password: the server lets everybody in by that name, and gives other rights."""
    nobody = replace(shadowing, password="")
    found = diagnose(nobody)
    assert found.problems == ["anonymous_account"]
    assert "DROP USER ''@'127.0.0.1'" in found.failed.next_step
    admin(sandbox, "GRANT ALL ON telemon.* TO ''@'127.0.0.1'")
    allowed = diagnose(nobody)
    assert allowed.problems == ["anonymous_account"]
    said = allowed.named("authentication")
    assert f"as @127.0.0.1, database telemon, and not as {SHADOWED}" in said.finding


def test_a_sandbox_has_no_anonymous_accounts(sandbox: Sandbox) -> None:
    for server in ("mysql", "cached-mysql"):
        assert as_root(sandbox, server, "SELECT User, Host FROM mysql.user WHERE User = ''") == []
