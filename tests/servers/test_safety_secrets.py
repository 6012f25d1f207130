"""Secrets from every kind of source, looked for in all that telemon lets out: they are never there."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from engines.sandbox.sandbox import Sandbox
from engines.servers.redis import forget

from .own_servers import CODE, ROOT, Done, OwnServers, as_root, redis_endpoints, servers
from .sealed_servers import Certificates, sealed_redis

AWS_KEY = "AWSSECRETwJalrXUtnFEMIK7MDENG"
"""What signs tokens and requests; as secret as any password."""

SERVERS_OF = ("mysql", "cached.mysql", "cached.redis", "durable")

from_sources = pytest.mark.parametrize("planted", ["sources"], indirect=True)
"""For what does not depend on where a secret comes from."""

QUICK = ("--duration", "0.4s", "--warmup", "0s")


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[tuple[str, dict[str, str]]]:
    """An AWS Secrets Manager of the tests' own: its address, and what it holds by the secrets' names."""
    holds: dict[str, str] = {}

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = json.dumps({"SecretString": holds[asked["SecretId"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None: ...

    with closing_server(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}", holds


@contextmanager
def closing_server(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Planted:
    """Servers whose passwords come from four kinds of source, or all from the configuration."""

    def __init__(self, own: OwnServers, passwords: dict[str, str]) -> None:
        self.own = own
        self.words = [*passwords.values(), AWS_KEY]
        self.words += [word.encode().hex() for word in self.words]

    def check(self, what: str, where: str) -> None:
        """Fail if `what` was seen in `where` holds a secret."""
        for word in self.words:
            assert word not in what, f"a secret was let out in {where}"

    def telemon(self, *argv: str) -> Done:
        """Run it, and look at what it says."""
        done = self.own.telemon(*argv)
        self.check(done.out, f"stdout of {argv}")
        self.check(done.err, f"stderr of {argv}")
        return done


@pytest.fixture(params=["sources", "configuration"])
def planted(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    tmp_path: Path,
    secrets_manager: tuple[str, dict[str, str]],
) -> Iterator[Planted]:
    address, holds = secrets_manager
    own = OwnServers.of(sandbox, tmp_path)
    passwords = {table: at.password for table, at in servers(sandbox.endpoints).items()}
    home = {"HOME": str(tmp_path / "home"), "TELEMON_DEBUG": ""}
    if request.param == "configuration":
        for table, password in passwords.items():
            own = own.with_table(table, password=password, password_env=None)
        own = replace(own, environ=home)
    else:
        for name in ("file", "for-a-command"):
            path = tmp_path / name
            path.touch(mode=0o600)
        (tmp_path / "file").write_text(passwords["cached.mysql"] + "\n")
        (tmp_path / "for-a-command").write_text(passwords["cached.redis"] + "\n")
        holds["the-cluster"] = json.dumps({"password": passwords["durable"]})
        own = (
            own.with_table("cached.mysql", password_env=None, password_file="file")
            .with_table(
                "cached.redis",
                password_env=None,
                password_command=["cat", str(tmp_path / "for-a-command")],
            )
            .with_table("durable", password_env=None, password_secret="the-cluster")
        )
        environ = {
            "PASSWORD_OF_MYSQL": passwords["mysql"],
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": address,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": AWS_KEY,
        }
        own = replace(own, environ={**environ, **home})
    (tmp_path / "home").mkdir()
    _forget(sandbox)
    prepared = own.telemon("prepare", "--yes")
    assert prepared.code == 0, prepared.err
    yield Planted(own, passwords)
    _forget(sandbox)


def _forget(sandbox: Sandbox) -> None:
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars")
    for at in redis_endpoints(sandbox):
        forget(at)


@contextmanager
def watched_process_list() -> Iterator[list[str]]:
    """Every command line of the machine, as long as the context lasts."""
    seen: set[str] = set()
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    lines: list[str] = []
    try:
        yield lines
    finally:
        ended.set()
        thread.join(5)
        lines += seen


def test_what_every_command_says_and_what_the_process_list_shows(planted: Planted) -> None:
    with watched_process_list() as lines:
        assert planted.telemon("doctor", "--json").code == 0
        planted.telemon("config")
        raced = planted.telemon("run", *QUICK, "--format", "jsonl")
        assert raced.code == 0, raced.err
        result = json.loads(raced.out.splitlines()[-1])
        assert [lane["state"] for lane in result["lanes"]] == ["done"] * 3
        assert planted.telemon("clean").code == 2
    assert any("engines.worker" in line for line in lines), "nobody watched"
    planted.check("\n".join(lines), "the process list")
    # Whatever was written to disk meanwhile.
    for path in (planted.own.directory / "home").rglob("*"):
        if path.is_file():
            planted.check(path.read_text(errors="replace"), str(path))


@from_sources
def test_the_screen(planted: Planted) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "--config", str(planted.own.write()), "--warmup", "0s"],
        cwd=ROOT,
        env={**os.environ, **planted.own.environ, "TERM": "xterm-256color", "COLUMNS": "160"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""
    try:
        until = time.monotonic() + 20
        while b"racing" not in seen.lower() and time.monotonic() < until:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65_536)
        time.sleep(1)
        for key in (b"q", b"q"):
            os.write(master, key)
            time.sleep(0.5)
        with suppress(OSError):
            while select.select([master], [], [], 3)[0]:
                seen += os.read(master, 65_536)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    text = seen.decode("utf-8", "replace")
    assert "mysql" in text.lower(), "there was no screen"
    planted.check(text, "the screen")


SOURCES = ("password_env", "password_file", "password_command", "password_secret")

CRASH = """
import sys
import engines.race
def fail(self): raise RuntimeError("made to fail")
engines.race.Race.frames = fail
from tui.cli import run
sys.exit(run())
"""


@pytest.mark.parametrize(
    ("planted", "debug"),
    [("sources", ""), ("configuration", "1")],
    indirect=["planted"],
    ids=["one line", "traceback"],
)
def test_a_crash(planted: Planted, debug: str) -> None:
    """With its traceback too, which TELEMON_DEBUG=1 asks for."""
    done = planted.own.telemon("run", *QUICK, code=CRASH, environ={"TELEMON_DEBUG": debug})
    assert done.code == 1
    assert "made to fail" in done.err
    assert ("Traceback" in done.err) == bool(debug)
    planted.check(done.out + done.err, "a crash")


@from_sources
def test_engines_that_are_killed_and_one_that_dumps_its_stack(planted: Planted) -> None:
    environ = {"PYTHONFAULTHANDLER": "1"}
    with planted.own.started("run", "--duration", "2s", environ=environ) as process:
        engines: list[psutil.Process] = []
        until = time.monotonic() + 20
        while len(engines) < 6 and time.monotonic() < until:
            engines = [
                child
                for child in psutil.Process(process.pid).children()
                if "engines.worker" in " ".join(child.cmdline())
            ]
        time.sleep(1.5)
        for engine, number in zip(engines, (signal.SIGABRT, signal.SIGKILL), strict=False):
            engine.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert "signal 9" in out + err
    planted.check(out + err, "what was said of dead engines")


@from_sources
def test_passwords_that_the_servers_refuse(planted: Planted) -> None:
    wrong = "wrong-but-secret-all-the-same"
    own = planted.own
    others = dict.fromkeys(SOURCES)
    for table in SERVERS_OF:
        own = own.with_table(table, **{**others, "password": wrong})
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


def test_tokens(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An IAM token is a password for a quarter of an hour. This server knows nothing of it, and says so."""
    certificates = Certificates(tmp_path)
    with sealed_redis(certificates, tmp_path_factory.mktemp("redis")) as server:
        server.admin.acl_setuser(
            "iam-user", enabled=True, passwords=["+another"], commands=["+@all"]
        )
        tables = {
            "durable": {
                "host": "localhost",
                "port": server.endpoint.port,
                "tls_ca": str(certificates.trusted.file),
                "user": "iam-user",
                "iam": "memorydb",
                "iam_name": "the-cluster",
                "region": "eu-west-1",
            }
        }
        environ = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": AWS_KEY}
        own = OwnServers(None, tmp_path, tables, environ)  # type: ignore[arg-type]
        for command in (("doctor",), ("run", *QUICK), ("prepare", "--yes")):
            done = own.telemon(*command, "--lanes", "durable")
            assert done.code == 1
            said = done.out + done.err
            assert "invalid username-password pair" in said
            for secret in (AWS_KEY, "X-Amz-Signature", "X-Amz-Credential", "Action=connect"):
                assert secret not in said
        assert "iam_name must be the cluster's" in own.telemon("doctor", "--lanes", "durable").out
