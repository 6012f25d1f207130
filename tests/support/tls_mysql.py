"""A MariaDB or MySQL whose user must come by TLS, and that can be started again with another password for it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.backends.dialer import dial
from engines.config.server_config import MySQLConfig
from engines.sandbox import binaries, mariadb, ports
from tests.support.certificates import Authority

HOST = "localhost"
"""The certificate is for this name, and for no address."""

USER = "telemon"
PASSWORD = "s3cret-ü€-of-the-tests"
START_WAIT_S = 20.0


class TlsMySQL:
    """The server. `backend` is how a configuration names it, by password."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory, "authority")
        self.foreign = Authority(directory, "stranger")
        self.port = ports.choose(["mysql"], None)["mysql"]
        self._process: subprocess.Popen[bytes] | None = None
        binary = binaries.find_mysql()
        assert binary is not None
        self._server = binary.server
        self.product = binary.product
        self._options = () if binary.installer else (mariadb.NO_FILE_ACCESS,)
        self._data = directory / "data"
        (directory / "data.tmp").mkdir()
        subprocess.run(
            mariadb.install(binary, self._data), cwd=directory, check=True, capture_output=True
        )
        self._pair = self.authority.pair("server", of=(HOST,))

    @property
    def backend(self) -> MySQLConfig:
        return MySQLConfig(
            host=HOST,
            port=self.port,
            user=USER,
            password=PASSWORD,
            tls_ca=self.authority.file,
        )

    def start(self, password: str = PASSWORD) -> None:
        """Start it, with `password` for the user."""
        accounts = self.directory / "accounts.sql"
        accounts.write_text(
            "CREATE DATABASE IF NOT EXISTS telemon;\nCREATE DATABASE IF NOT EXISTS telemon_cached;\n"
            f"DROP USER IF EXISTS {USER}@'127.0.0.1';\n"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL;\n"
            f"GRANT ALL ON telemon.* TO {USER}@'127.0.0.1';\n"
            f"GRANT ALL ON telemon_cached.* TO {USER}@'127.0.0.1';\n"
        )
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._server),
                    "--no-defaults",
                    *(("--user=root",) if os.geteuid() == 0 else ()),
                    f"--datadir={self._data}",
                    f"--tmpdir={self.directory / 'data.tmp'}",
                    f"--socket={self.directory / 'm.sock'}",
                    f"--pid-file={self.directory / 'pid'}",
                    f"--init-file={accounts}",
                    "--character-set-server=utf8mb4",
                    "--init-connect=SET NAMES utf8mb4",
                    "--bind-address=127.0.0.1",
                    f"--port={self.port}",
                    "--skip-name-resolve",
                    "--skip-log-bin",
                    "--innodb-buffer-pool-size=32M",
                    "--loose-innodb-log-file-size=16M",
                    *self._options,
                    f"--ssl-ca={self.authority.file}",
                    f"--ssl-cert={self._pair.certificate}",
                    f"--ssl-key={self._pair.key}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_WAIT_S
        while not self._greets():
            assert self._process.poll() is None, "the server ended; see its log"
            assert time.monotonic() < until
            time.sleep(0.02)

    def _greets(self) -> bool:
        try:
            with dial(f"127.0.0.1:{self.port}") as sock:
                return sock.recv(5)[4:] == b"\x0a"
        except OSError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextmanager
def tls_mysql(directory: Path) -> Iterator[TlsMySQL]:
    """The server, running. `directory` is empty and its path short."""
    server = TlsMySQL(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
