"""Secrets from every kind of source, looked for in all that telemon lets out: they are never there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from engines.sandbox.sandbox import Sandbox
from tests.support.secret_servers import AWS, KINDS, TOKEN, Planted, planted_servers
from tests.support.server_log import overheard
from tests.support.terminal import Terminal
from tests.support.tls_servers import Certificates, sealed_mysql, sealed_redis
from tests.support.user_servers import CODE, ROOT, OwnServers, redis_endpoints

QUICK = ("--duration", "0.4s", "--warmup", "0s")

SERVERS_OF = ("mysql", "cached.mysql", "cached.redis", "durable")

SOURCES = ("password_env", "password_file", "password_command", "password_secret")


@pytest.fixture(params=KINDS)
def planted(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Iterator[Planted]:
    with planted_servers(request.param, sandbox, tmp_path) as servers:
        yield servers


@contextmanager
def watched_processes() -> Iterator[dict[str, set[str]]]:
    """The command lines of all processes of the machine, and what is in their environments, as long as the context
    lasts."""
    seen: dict[str, set[str]] = {"cmdline": set(), "environ": set()}
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for what, found in seen.items():
                for path in Path("/proc").glob(f"[0-9]*/{what}"):
                    with suppress(OSError):
                        found.add(path.read_bytes().decode("utf-8", "replace"))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(5)


def check_processes(planted: Planted, seen: dict[str, set[str]]) -> None:
    """What telemon was given in its environment, the processes that it starts inherit. It puts nothing else there."""
    lines = "\n".join(seen["cmdline"]).replace("\0", " ")
    assert "engines.process" in lines, "nobody watched"
    planted.check(lines, "the process list")
    given = {f"{name}={value}" for name, value in planted.own.environ.items()}
    home = f"HOME={planted.own.environ['HOME']}"
    ours = [variables for each in seen["environ"] if home in (variables := each.split("\0"))]
    assert ours, "nobody watched"
    added = {variable for variables in ours for variable in variables} - given
    planted.check("\n".join(added), "the environment of a process that telemon started")


def test_what_every_command_says_and_what_processes_and_servers_are_told(
    planted: Planted, sandbox: Sandbox
) -> None:
    told: list[tuple[str, str]] = []
    lanes = ("--lanes", ",".join(planted.lanes))
    with watched_processes() as seen, overheard(sandbox, told) as listeners:
        assert planted.telemon("doctor", "--json", *lanes).code == 0
        planted.telemon("config")
        for form in ("json", "jsonl", "text"):
            raced = planted.telemon("run", *QUICK, "--format", form, *lanes)
            assert raced.code == 0, raced.err
            if form != "text":
                result = json.loads(raced.out.splitlines()[-1] if form == "jsonl" else raced.out)
                assert [lane["state"] for lane in result["lanes"]] == ["done"] * len(planted.lanes)
        assert planted.telemon("clean", *lanes).code == 2
    check_processes(planted, seen)
    planted.check("\n".join(text for _, text in told), "MySQL's general log")
    for listener in listeners:
        planted.check("\n".join(listener.heard), "what Redis heard")
    # Whatever was written to disk meanwhile.
    for path in Path(planted.own.environ["HOME"]).rglob("*"):
        if path.is_file():
            planted.check(path.read_text(errors="replace"), str(path))


def test_the_screen_and_its_picture(planted: Planted, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    argv = ("--config", str(planted.own.write()), *QUICK[2:], "--lanes", ",".join(planted.lanes))
    with Terminal(argv, planted.own.environ, pictures) as terminal:
        terminal.read_until("racing")
        terminal.drain(0.5)
        terminal.press("s")
        terminal.read_until("saved")
        for key in ("?", "q", "q", "q"):
            terminal.press(key)
            terminal.drain(0.4)
        terminal.read_to_the_end()
    assert "mysql" in terminal.seen.lower() or "redis" in terminal.seen.lower()
    planted.check(terminal.seen, "the screen")
    (picture,) = pictures.iterdir()
    planted.check(picture.read_text(), "the screen's picture")


def test_passwords_that_the_servers_refuse(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = "wrong-but-secret-all-the-same"
    own = OwnServers.of(sandbox, tmp_path)
    for table in SERVERS_OF:
        own = own.with_table(table, **{**dict.fromkeys(SOURCES), "password": wrong})
    for command in (
        ("doctor",),
        ("run", *QUICK, "--lanes", "mysql"),
        ("run", *QUICK, "--lanes", "durable"),
        ("prepare", "--yes"),
        ("clean", "--yes"),
    ):
        done = own.telemon(*command)
        assert done.code == 1
        assert wrong not in done.out + done.err
        if command[0] == "doctor":
            assert done.out.count("next: check user and password") == len(SERVERS_OF)
        else:
            assert "`telemon doctor`" in done.err


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_configuration_with_a_password_that_others_can_read_gets_a_warning(
    sandbox: Sandbox, tmp_path: Path, mode: int, warned: bool
) -> None:
    own = OwnServers.of(sandbox, tmp_path).only("durable")
    at = redis_endpoints(sandbox)[-1]
    path = own.with_table("durable", password=at.password, password_env=None).write(mode)
    for command in (("config",), ("doctor", "--lanes", "durable")):
        done = subprocess.run(
            [sys.executable, "-c", CODE, *command, "--config", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        warning = [line for line in done.stderr.splitlines() if "others can read it" in line]
        assert len(warning) == warned
        assert at.password not in done.stdout + done.stderr
        if command[0] == "doctor":
            assert ("chmod 600" in done.stdout) == warned
    # Without a password in it there is nothing to warn of.
    path = own.write(mode)
    assert "others can read" not in own.telemon("config").err


def test_tokens_that_the_servers_refuse(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An IAM token is a password for a quarter of an hour. These servers know nothing of it, and say so."""
    certificates = Certificates(tmp_path)
    with (
        sealed_redis(certificates, tmp_path_factory.mktemp("redis")) as cache,
        sealed_mysql(certificates, tmp_path_factory.mktemp("mysql")) as database,
    ):
        cache.admin.acl_setuser(
            "iam-user", enabled=True, passwords=["+another"], commands=["+@all"]
        )
        common = {
            "host": "localhost",
            "tls_ca": str(certificates.trusted.file),
            "region": "eu-west-1",
        }
        tables = {
            "mysql": {
                **common,
                "port": database.endpoint.port,
                "user": "telemon",
                "iam": True,
            },
            "durable": {
                **common,
                "port": cache.endpoint.port,
                "user": "iam-user",
                "iam": "memorydb",
                "iam_name": "the-cluster",
            },
        }
        own = OwnServers(None, tmp_path, tables, AWS)  # type: ignore[arg-type]
        planted = Planted(own, (), (*AWS.values(), *TOKEN))
        for lane, last_error, step in (
            ("mysql", "Access denied", "role must allow rds-db:connect"),
            ("durable", "invalid username-password pair", "iam_name must be the cluster's"),
        ):
            for command in (("doctor",), ("run", *QUICK)):
                done = planted.telemon(*command, "--lanes", lane)
                assert done.code == 1
                assert last_error in done.out + done.err
                assert (step if command[0] == "doctor" else "`telemon doctor`") in (
                    done.out + done.err
                )
