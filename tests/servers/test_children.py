"""What the processes of a race know of the user's environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engines.race.null_server import NullServer
from engines.sandbox.sandbox import Sandbox
from tests.support.user_servers import OwnServers

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs /proc/PID/environ"
)

SECRETS = {
    "TELEMON_DURABLE_PASSWORD": "planted-telemon",
    "AWS_SECRET_ACCESS_KEY": "planted-aws",
    "AWS_SESSION_TOKEN": "planted-session",
    "VAULT_TOKEN": "planted-vault",
    "MYSQL_PWD": "planted-mysql",
    "REDISCLI_AUTH": "planted-redis",
    "HTTPS_PROXY": "http://u:planted-proxy@127.0.0.1:1",
    "PLANTED": "planted-other",
}

PLANTED = b"planted-"


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@contextmanager
def children(own: OwnServers, *argv: str, **secrets: str) -> Iterator[dict[str, psutil.Process]]:
    """All processes below a race that runs, by name."""
    with own.started(
        "run", "--duration", "60s", "--warmup", "0", *argv, environ=secrets
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline() + process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            found = psutil.Process(process.pid).children(recursive=True)
            yield {_name(child): child for child in found}
        finally:
            process.kill()


def _name(process: psutil.Process) -> str:
    """The name of an engine ("mysql/read"), of anything else its number."""
    command = process.cmdline()
    return command[-1] if "engines.process" in command else str(process.pid)


def planted_in(processes: Mapping[str, psutil.Process]) -> dict[str, set[str]]:
    """The planted variables that each process has, for those that have any."""
    found: dict[str, set[str]] = {}
    for name, process in processes.items():
        for variable in environ(process.pid).split(b"\0"):
            key, _, value = variable.partition(b"=")
            if PLANTED in value:
                found.setdefault(name, set()).add(key.decode())
    return found


def test_no_process_of_a_race_on_private_servers_has_a_secret(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    """Engines, supervisor and servers of every kind."""
    own = OwnServers(sandbox, tmp_path, {}, {})
    # A password of a server that is not named is refused.
    secrets = {**SECRETS, "TELEMON_SEED": "7"}
    del secrets["TELEMON_DURABLE_PASSWORD"]
    with children(own, **secrets) as processes:
        # Six engines, the supervisor, two MariaDB, a cache and three nodes.
        assert len(processes) == 13
        assert planted_in(processes) == {}
        assert not any(b"TELEMON_" in environ(each.pid) for each in processes.values())


def test_an_engine_has_only_what_its_own_servers_need(tmp_path: Path, sandbox: Sandbox) -> None:
    """Each lane's password comes from another kind of source."""
    own = OwnServers.of(sandbox, tmp_path)
    password = sandbox.endpoints["durable"].redis
    assert password is not None
    mysql, redis = (own.environ[f"PASSWORD_OF_CACHED_{which}"] for which in ("MYSQL", "REDIS"))
    command = [sys.executable, "-c", "import os; print(os.environ['VAULTED'])"]
    own = own.with_table("mysql", password_env=None, password_command=command)
    own = own.with_table("durable", password_env=None)
    cached = {key: value for key, value in own.environ.items() if "CACHED" in key}
    vaulted, own = own.environ["PASSWORD_OF_MYSQL"], replace(own, environ=cached)
    secrets = {
        **SECRETS,
        "TELEMON_DURABLE_PASSWORD": password.password,
        "VAULTED": vaulted,
    }
    assert own.telemon("prepare", "--yes", environ=secrets).code == 0
    with children(own, "--lanes", "mysql,cached,durable", **secrets) as processes:
        engines = {name: environ(each.pid) for name, each in processes.items() if "/" in name}
        assert len(engines) == 6
        for name, variables in engines.items():
            lane = name.partition("/")[0]
            assert password.password.encode() not in variables, name
            if lane == "cached":
                assert mysql.encode() in variables
                # Writers leave the cache alone, and know no password of it.
                assert (redis.encode() in variables) == (name == "cached/read")
            if lane == "durable":
                assert b"PASSWORD_OF" not in variables
            # It is unknown which variables a command reads.
            assert (b"planted-vault" in variables) == (lane == "mysql")
            assert b"TELEMON_" not in variables
    assert os.environ.keys().isdisjoint(SECRETS)


def test_the_null_server_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with NullServer() as server:
        variables = environ(server._process.pid)
    assert PLANTED not in variables
    assert b"PATH=" in variables
