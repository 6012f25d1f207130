"""Servers whose secrets come from a kind of source, and the words that must never be seen anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from engines.backends.redis.own_keys import delete_own_keys
from engines.sandbox.sandbox import Sandbox
from tests.support.tls_servers import Certificates, sealed_redis
from tests.support.user_servers import Done, OwnServers, as_root, redis_endpoints, servers

AWS_KEY = "AWSSECRETwJalrXUtnFEMIK7MDENG"
"""What signs tokens and requests; as secret as any password."""

AWS_SESSION = "AWSSESSIONtokenIQoJb3JpZ2luX2Vj"
"""A part of every token that a role signs."""

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": AWS_KEY,
    "AWS_SESSION_TOKEN": AWS_SESSION,
    "AWS_REGION": "eu-west-1",
}

TOKEN = ("X-Amz-Signature", "X-Amz-Credential", "Action=connect")
"""What only a token holds."""

KINDS = (
    "tokens",
    pytest.param("sources", marks=pytest.mark.soak),
    pytest.param("configuration", marks=pytest.mark.soak),
)
"""IAM tokens; the four sources that give a password, each at another server; the configuration's own passwords."""


@dataclass(frozen=True)
class Planted:
    """`lanes` race on `own` with secrets that hold `words`; one of them, `word`, is a password or a key itself."""

    own: OwnServers
    lanes: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def word(self) -> str:
        return self.words[0]

    def check(self, what: str, where: str) -> None:
        """Fail if `what` was seen in `where` holds a secret."""
        for word in self.words:
            for form in (word, word.encode().hex()):
                assert form not in what, f"a secret was let out in {where}"

    def telemon(self, *argv: str) -> Done:
        """Run it, and look at what it says."""
        done = self.own.telemon(*argv)
        self.check(done.out, f"stdout of {argv}")
        self.check(done.err, f"stderr of {argv}")
        return done


@contextmanager
def planted_servers(kind: str, sandbox: Sandbox, directory: Path) -> Iterator[Planted]:
    """Prepared servers with the secrets of `kind`; `home` in `directory` is telemon's home."""
    home = directory / "home"
    home.mkdir()
    environ = {"HOME": str(home), "TELEMON_DEBUG": ""}
    making = {"sources": _sources, "configuration": _configuration, "tokens": _tokens}[kind]
    with making(sandbox, directory) as planted:
        planted = replace(
            planted, own=replace(planted.own, environ={**planted.own.environ, **environ})
        )
        prepared = planted.own.telemon("prepare", "--yes", "--lanes", ",".join(planted.lanes))
        assert prepared.code == 0, prepared.err
        yield planted


@contextmanager
def _configuration(sandbox: Sandbox, directory: Path) -> Iterator[Planted]:
    own = OwnServers.of(sandbox, directory)
    passwords = _passwords(sandbox)
    for table, password in passwords.items():
        own = own.with_table(table, password=password, password_env=None)
    with _forgotten(sandbox):
        yield Planted(
            replace(own, environ={}), ("mysql", "cached", "durable"), tuple(passwords.values())
        )


@contextmanager
def _sources(sandbox: Sandbox, directory: Path) -> Iterator[Planted]:
    own, passwords = OwnServers.of(sandbox, directory), _passwords(sandbox)
    for name, table in (("file", "cached.mysql"), ("for-a-command", "cached.redis")):
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(passwords[table] + "\n")
    own = (
        own.with_table("cached.mysql", password_env=None, password_file="file")
        .with_table(
            "cached.redis",
            password_env=None,
            password_command=["cat", str(directory / "for-a-command")],
        )
        .with_table("durable", password_env=None, password_secret="the-cluster")
    )
    holds = {"the-cluster": json.dumps({"password": passwords["durable"]})}
    with _secrets_manager(holds) as address, _forgotten(sandbox):
        environ = {
            "PASSWORD_OF_MYSQL": passwords["mysql"],
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": address,
            **AWS,
        }
        words = (*passwords.values(), AWS_KEY, AWS_SESSION)
        yield Planted(replace(own, environ=environ), ("mysql", "cached", "durable"), words)


@contextmanager
def _tokens(_: Sandbox, directory: Path) -> Iterator[Planted]:
    """A Redis that takes whatever its user shows: nobody but AWS can tell whether a token is right."""
    certificates, place = Certificates(directory), directory / "redis"
    place.mkdir()
    with sealed_redis(certificates, place) as server:
        server.admin.acl_setuser(
            "iam-user", enabled=True, nopass=True, keys=["*"], commands=["+@all"]
        )
        durable = {
            "host": "localhost",
            "port": server.endpoint.port,
            "tls_ca": str(certificates.trusted.file),
            "user": "iam-user",
            "iam": "memorydb",
            "iam_name": "the-cluster",
            "region": "eu-west-1",
        }
        own = OwnServers(None, directory, {"durable": durable}, AWS)  # type: ignore[arg-type]
        yield Planted(own, ("durable",), (AWS_KEY, AWS_SESSION, *TOKEN))


def _passwords(sandbox: Sandbox) -> dict[str, str]:
    return {table: at.password for table, at in servers(sandbox.endpoints).items()}


@contextmanager
def _forgotten(sandbox: Sandbox) -> Iterator[None]:
    """Nothing of telemon's is on the servers before, and nothing stays."""

    def forget_all() -> None:
        for server in ("mysql", "cached-mysql"):
            as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars")
        for at in redis_endpoints(sandbox):
            delete_own_keys(at)

    forget_all()
    yield
    forget_all()


@contextmanager
def _secrets_manager(holds: dict[str, str]) -> Iterator[str]:
    """The address of an AWS Secrets Manager of the tests' own, which holds those secrets."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = json.dumps({"SecretString": holds[asked["SecretId"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
