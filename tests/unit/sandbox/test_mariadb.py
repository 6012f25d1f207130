"""How each product is started, and that the password of a private MySQL reaches nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.sandbox import directory as directories
from engines.sandbox import mariadb
from engines.sandbox.binaries import MySQLBinary
from engines.sandbox.directory import SandboxDirectory
from engines.sandbox.spec import ServerSpec
from tests.support.certificates import Authority
from tests.support.hostile_mysql import hostile_mysql

MARIADB = MySQLBinary(Path("/usr/sbin/mariadbd"), Path("/usr/bin/mariadb-install-db"))
MYSQL = MySQLBinary(Path("/usr/sbin/mysqld"), None)

PASSWORD = "of-a-private-server"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SandboxDirectory]:
    made = directories.make(tmp_path)
    yield made
    made.close()


def spec_of(binary: MySQLBinary, directory: SandboxDirectory, port: int = 3306) -> ServerSpec:
    return mariadb.server_spec(binary, directory, "mysql", port, PASSWORD)


def options(arguments: tuple[str, ...]) -> dict[str, str]:
    pairs = (word.removeprefix("--").removeprefix("loose-").partition("=") for word in arguments)
    return {name.replace("_", "-"): value for name, _, value in pairs}


def test_oracle_s_mysql_is_started_with_what_only_it_needs(directory: SandboxDirectory) -> None:
    spec = spec_of(MYSQL, directory)
    assert spec.title == "MySQL for lane mysql"
    given = options(spec.arguments)
    # It ends at once where its compiled-in directory is missing, and that is in a package of its own.
    assert given["secure-file-priv"] == "NULL"
    assert "--secure-file-priv=NULL" in spec.arguments
    assert given["performance-schema"] == "OFF"
    assert given["mysqlx"] == "OFF"
    assert given["innodb-redo-log-capacity"] == "128M"
    # It remembers an account from a sign-in over TLS only.
    assert "skip-ssl" not in given
    assert spec.authority == spec.directory / "ca.pem"
    assert "skip-log-bin" in given
    assert given["innodb-flush-log-at-trx-commit"] == "1"
    installer = mariadb.install(MYSQL, spec.directory)
    assert installer[0] == "/usr/sbin/mysqld"
    assert {"--initialize-insecure", "--secure-file-priv=NULL"} <= set(installer)


def test_mariadb_is_started_without_it(directory: SandboxDirectory) -> None:
    spec = spec_of(MARIADB, directory)
    assert spec.title == "MariaDB for lane mysql"
    given = options(spec.arguments)
    # MariaDB takes NULL for a path, and encrypts by itself from 11.4 on.
    assert "secure-file-priv" not in given
    assert "skip-ssl" in given
    assert spec.authority is None
    assert given["innodb-log-file-size"] == "128M"
    assert not any("NULL" in word for word in mariadb.install(MARIADB, spec.directory))


@pytest.mark.parametrize("binary", [MARIADB, MYSQL])
def test_accounts_sign_in_by_the_product_s_own_method(
    directory: SandboxDirectory, binary: MySQLBinary
) -> None:
    """mysql_native_password, which once was named for Oracle's MySQL, is gone from MySQL 9."""
    spec_of(binary, directory)
    statements = (directory.root / "mysql.sql").read_text()
    assert "IDENTIFIED BY" in statements
    assert "mysql_native_password" not in statements
    # mariadb-install-db makes it, and on localhost it goes before any 'user'@'%'.
    assert "''@'localhost'" in next(
        line for line in statements.splitlines() if line.startswith("DROP USER")
    )


async def test_a_stranger_on_the_port_does_not_get_the_password(
    directory: SandboxDirectory, tmp_path: Path
) -> None:
    own, foreign = Authority(tmp_path, "own"), Authority(tmp_path, "foreign")
    spec = spec_of(MYSQL, directory)
    spec.directory.mkdir()
    (spec.directory / "ca.pem").write_bytes(own.file.read_bytes())
    pair = foreign.pair("foreign", of=("127.0.0.1",))
    with hostile_mysql(b"caching_sha2_password", pair=pair) as server:
        assert await mariadb.remember_account(replace(spec, port=server.port)) is None
        assert server.connections == 1
        assert PASSWORD.encode() not in b"".join(server.received)
    # The same with the right authority, or the test would show nothing: it is asked for the password, and gives it.
    pair = own.pair("own", of=("elsewhere.example",))
    with hostile_mysql(b"caching_sha2_password", pair=pair) as server:
        await mariadb.remember_account(replace(spec, port=server.port))
        assert PASSWORD.encode() in b"".join(server.received)


async def test_a_server_that_is_not_up_yet_is_asked_again(directory: SandboxDirectory) -> None:
    spec = spec_of(MYSQL, directory, 1)
    assert await mariadb.remember_account(spec) is None  # no certificate either
