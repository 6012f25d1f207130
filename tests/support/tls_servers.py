"""A MariaDB and a Redis that speak TLS, with certificates that can be exchanged while they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
import redis
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.sandbox import binaries, mariadb, ports
from tests.support.certificates import Authority, Pair

HOST = "127.0.0.1"
PASSWORD = "s3cret-of-the-tests"
START_WAIT_S = 20.0

REFUSED_CERTIFICATE = 3888
"""MySQL's error number for a certificate that it does not take."""

FAULTY: dict[str, dict[str, Any]] = {
    "good": {},
    "elsewhere": {"of": ("db.elsewhere.example",)},
    "expired": {"begins_days": -40, "ends_days": -3},
    "early": {"begins_days": 3},
    "ending": {"ends_days": 5},
}


class Certificates:
    """The authority that clients trust, another that nobody does, and what each has signed."""

    def __init__(self, directory: Path) -> None:
        self.trusted = Authority(directory, "trusted")
        foreign = Authority(directory, "stranger")
        self.pairs = {
            name: self.trusted.pair(name, **{"of": ("localhost", HOST), **how})
            for name, how in FAULTY.items()
        }
        self.pairs["stranger"] = foreign.pair("from-stranger", of=("localhost", HOST))
        self.tls = TlsOptions(self.trusted.file)


@contextmanager
def sealed_mysql(
    certificates: Certificates, directory: Path, *, more: Sequence[str] = ()
) -> Iterator[SealedMySQL]:
    """A MariaDB or MySQL with TLS; `directory` is empty and its path short. `more` are further options of its own."""
    binary = binaries.find_mysql()
    assert binary is not None
    data, temporary = directory / "data", directory / "data.tmp"
    temporary.mkdir()
    subprocess.run(mariadb.install(binary, data), cwd=directory, check=True, capture_output=True)
    shown = Pair(directory / "shown.crt", directory / "shown.key")
    _exchange(shown, certificates.pairs["good"])
    port = ports.choose(["mysql"], None)["mysql"]
    arguments = [
        str(binary.server),
        "--no-defaults",
        *(("--user=root",) if os.geteuid() == 0 else ()),
        f"--datadir={data}",
        f"--tmpdir={temporary}",
        f"--socket={directory / 'm.sock'}",
        f"--pid-file={directory / 'pid'}",
        f"--bind-address={HOST}",
        f"--port={port}",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--innodb-buffer-pool-size=32M",
        "--loose-innodb-log-file-size=16M",
        *(() if binary.installer else (mariadb.NO_FILE_ACCESS,)),
        f"--ssl-ca={certificates.trusted.file}",
        f"--ssl-cert={shown.certificate}",
        f"--ssl-key={shown.key}",
        *more,
    ]
    with _running(arguments, directory / "log") as process:
        server = SealedMySQL(directory / "m.sock", port, shown, certificates, binary.product)
        _until(process, server.make_account)
        yield server


class SealedMySQL:
    """A MariaDB or MySQL whose root signs in on its socket, and user telemon over TCP."""

    def __init__(
        self, socket: Path, port: int, shown: Pair, certificates: Certificates, product: str
    ) -> None:
        self.product = product
        self._socket, self._shown, self._certificates = socket, shown, certificates
        self.endpoint = MySQLEndpoint(
            HOST, port, "telemon", PASSWORD, "telemon", tls=certificates.tls
        )

    def admin(self) -> Connection[Cursor]:
        return pymysql.connect(
            unix_socket=str(self._socket), user="root", ssl_disabled=True, autocommit=True
        )

    def run(self, *statements: str) -> None:
        with self.admin() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def make_account(self) -> None:
        self.run(
            "CREATE DATABASE IF NOT EXISTS telemon",
            f"CREATE USER IF NOT EXISTS telemon@'{HOST}' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON telemon.* TO telemon@'{HOST}'",
        )

    def show(self, name: str) -> None:
        """From now on show the certificate `name`."""
        _exchange(self._shown, self._certificates.pairs[name])
        try:
            self.run("ALTER INSTANCE RELOAD TLS" if self.product == "MySQL" else "FLUSH SSL")
        except pymysql.MySQLError as error:
            if error.args[0] != REFUSED_CERTIFICATE:
                raise
            pytest.skip("Oracle's MySQL shows no certificate that it would not trust itself")


@contextmanager
def sealed_redis(
    certificates: Certificates, directory: Path, *, password: str = PASSWORD, more: str = ""
) -> Iterator[SealedRedis]:
    """A Redis with TLS on its one port. `more` are further lines of its configuration."""
    binary = binaries.find_redis()
    assert binary is not None
    port = ports.choose(["cache"], None)["cache"]
    good = certificates.pairs["good"]
    program = directory / binary.run_as
    program.symlink_to(binary.server)
    configuration = directory / "redis.conf"
    configuration.write_text(
        f"bind {HOST}\nport 0\ntls-port {port}\ndir {directory}\nsave ''\n"
        f"tls-cert-file {good.certificate}\ntls-key-file {good.key}\n"
        f"tls-ca-cert-file {certificates.trusted.file}\ntls-auth-clients no\n"
        + (f"requirepass {password}\n" if password else "")
        + more
    )
    with _running([str(program), str(configuration)], directory / "log") as process:
        server = SealedRedis(port, certificates, password)
        _until(process, server.ping)
        yield server


class SealedRedis:
    """A Redis of which the tests know the default user's password."""

    def __init__(self, port: int, certificates: Certificates, password: str = PASSWORD) -> None:
        self._certificates = certificates
        self.endpoint = RedisEndpoint(HOST, port, password, cluster=False, tls=certificates.tls)
        self.admin = redis.Redis(
            HOST, port, password=password or None, protocol=2, ssl=True, ssl_cert_reqs="none"
        )

    def ping(self) -> None:
        self.admin.ping()

    def show(self, name: str) -> None:
        """From now on show the certificate `name`."""
        pair = self._certificates.pairs[name]
        self.admin.config_set("tls-cert-file", str(pair.certificate), "tls-key-file", str(pair.key))


def _exchange(shown: Pair, pair: Pair) -> None:
    shutil.copy(pair.certificate, shown.certificate)
    shutil.copy(pair.key, shown.key)


@contextmanager
def _running(arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def _until(process: subprocess.Popen[bytes], ready: Callable[[], object]) -> None:
    until = time.monotonic() + START_WAIT_S
    while True:
        try:
            ready()
            return
        except (pymysql.MySQLError, redis.RedisError, OSError):
            assert process.poll() is None, "the server ended; see its log"
            assert time.monotonic() < until
            time.sleep(0.02)
