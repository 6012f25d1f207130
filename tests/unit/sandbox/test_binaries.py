"""Which product a program is, whatever else is installed beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.sandbox import binaries
from engines.sandbox.binaries import MySQLBinary, find_mysql


def program(path: Path, prints: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No program but those of the test."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(binaries, "SEARCH_DIRECTORIES", ())
    return tmp_path / "bin"


ORACLE = "mysqld  Ver 9.7.4-1 for Linux on x86_64 ((Debian))"
MARIADB = "mariadbd  Ver 11.8.9-MariaDB-1 for debian-linux-gnu on x86_64"


def test_oracle_s_mysql_needs_no_installer_and_takes_none_of_mariadb(bare: Path) -> None:
    server = program(bare / "mysqld", ORACLE)
    assert find_mysql() == MySQLBinary(server, None)
    for name in ("mariadb-install-db", "my_print_defaults"):
        program(bare / name, "")
    found = find_mysql()
    assert found == MySQLBinary(server, None)
    assert found.product == "MySQL"


def test_a_program_is_what_it_says_and_not_what_it_is_called(tmp_path: Path, bare: Path) -> None:
    """As where a link by the name of one product leads to the other."""
    program(bare / "my_print_defaults", "")
    installer = program(bare / "mariadb-install-db", "")
    mariadb = program(bare / "mysqld", MARIADB)
    assert find_mysql() == MySQLBinary(mariadb, installer)
    oracle = bare / "mariadbd"
    oracle.symlink_to(program(tmp_path / "elsewhere" / "mysqld", ORACLE))
    assert find_mysql() == MySQLBinary(oracle, None)


def test_mariadb_without_its_installer_is_not_taken_for_mysql(bare: Path) -> None:
    server = program(bare / "mysqld", MARIADB)
    assert find_mysql() is None
    installer = program(bare / "mysql_install_db", "")
    program(bare / "my_print_defaults", "")
    found = find_mysql()
    assert found == MySQLBinary(server, installer)
    assert found.product == "MariaDB"
