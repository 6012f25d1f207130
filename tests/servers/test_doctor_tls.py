"""The doctor on encryption that is wrong, one way at a time, on a MariaDB and a Redis that really speak TLS."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.provisioning.prepare import plan
from engines.sandbox.sandbox import Sandbox
from tests.support.diagnosis import diagnose
from tests.support.mysql_accounts import is_oracle
from tests.support.tls_servers import (
    Certificates,
    SealedMySQL,
    SealedRedis,
    sealed_mysql,
    sealed_redis,
)


class Sealed(Protocol):
    """Either server."""

    endpoint: MySQLEndpoint | RedisEndpoint

    def show(self, name: str) -> None: ...


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def mysql(certificates: Certificates) -> Iterator[SealedMySQL]:
    # The path of a socket must be short.
    with (
        TemporaryDirectory(prefix="tm-") as directory,
        sealed_mysql(certificates, Path(directory)) as server,
    ):
        for change in plan({"mysql": LaneEndpoints("mysql", mysql=server.endpoint)}, 1).changes:
            change.apply()
        yield server


@pytest.fixture(scope="module")
def redis(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SealedRedis]:
    with sealed_redis(certificates, tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["mysql", "redis"])
def sealed(request: pytest.FixtureRequest) -> Sealed:
    server: Sealed = request.getfixturevalue(request.param)
    return server


@contextmanager
def showing(server: Sealed, name: str) -> Iterator[None]:
    server.show(name)
    try:
        yield
    finally:
        server.show("good")


def test_a_server_in_order(sealed: Sealed) -> None:
    found = diagnose(sealed.endpoint)
    assert found.problems == []
    said = found.named("TLS").finding
    assert "certificate of localhost" in said
    assert "issued by trusted" in said
    assert "89 days left" in said or "90 days left" in said


def test_a_name_in_the_certificate_will_do_as_an_address_will(sealed: Sealed) -> None:
    assert diagnose(replace(sealed.endpoint, host="localhost")).problems == []


def test_a_plain_client_to_a_redis_that_speaks_tls(redis: SealedRedis) -> None:
    found = diagnose(replace(redis.endpoint, tls=None))
    assert found.problems == ["tls_needed"]
    assert "tls = true" in found.failed.next_step


@pytest.mark.parametrize(
    ("require", "allow"),
    [
        ("SET GLOBAL require_secure_transport = ON", "SET GLOBAL require_secure_transport = OFF"),
        (
            "ALTER USER telemon@'127.0.0.1' REQUIRE SSL",
            "ALTER USER telemon@'127.0.0.1' REQUIRE NONE",
        ),
    ],
    ids=["server", "account"],
)
def test_a_plain_client_to_a_mysql_that_requires_tls(
    mysql: SealedMySQL, require: str, allow: str
) -> None:
    """MariaDB before 11 says of both what it says of a wrong password."""
    mysql.run(require)
    try:
        found = diagnose(replace(mysql.endpoint, tls=None))
        wrong = diagnose(replace(mysql.endpoint, tls=None, password="not it"))
    finally:
        mysql.run(allow)
    assert found.problems == ["tls_needed"]
    assert "tls = true" in found.failed.next_step
    if mysql.product == "MySQL":
        # It asks for the password itself, before anything else.
        assert wrong.problems == ["unsafe_sign_in"]
        assert "tls = true" in wrong.failed.next_step
    else:
        # From 11 on the server refuses before it looks at the password, so that it does for a wrong one too.
        first = "error 3159" in found.failed.finding
        assert wrong.problems == ["tls_needed" if first else "wrong_password"]


@pytest.mark.parametrize("lane", ["mysql", "cached", "durable"])
def test_tls_to_a_server_that_speaks_plainly(sandbox: Sandbox, lane: str) -> None:
    at = sandbox.endpoints[lane]
    endpoint = at.mysql if lane == "mysql" else at.redis
    assert endpoint is not None
    # Redis may answer garbage, or wait for more of it: what it does depends on the random bytes of the handshake.
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(diagnose, replace(endpoint, tls=TlsOptions())) for _ in range(4)]
        for found in (tried.result() for tried in tries):
            assert found.failed.name == "TLS"
            if lane == "mysql" and is_oracle(sandbox):
                # It made its certificate itself.
                assert found.problems == ["unknown_authority"]
                assert "copy ca.pem from its data directory" in found.failed.next_step
            else:
                assert found.problems == ["not_tls"]


@pytest.mark.parametrize("how", ["of the system", "of somebody else"])
def test_an_unknown_authority(sealed: Sealed, how: str) -> None:
    if how == "of the system":
        found = diagnose(replace(sealed.endpoint, tls=TlsOptions()))
    else:
        with showing(sealed, "stranger"):
            found = diagnose(sealed.endpoint)
    assert found.problems == ["unknown_authority"]
    assert found.failed.name == "TLS"
    issuer = "trusted" if how == "of the system" else "stranger"
    assert f"issued by {issuer}" in found.failed.finding
    assert "tls_ca" in found.failed.next_step


def test_a_wrong_host_name(sealed: Sealed) -> None:
    with showing(sealed, "elsewhere"):
        found = diagnose(sealed.endpoint)
        named = diagnose(
            replace(sealed.endpoint, tls=replace(_tls(sealed), server_name="db.elsewhere.example"))
        )
        chain = diagnose(replace(sealed.endpoint, tls=replace(_tls(sealed), verify="chain")))
    assert found.problems == ["wrong_host_name"]
    assert "it is for db.elsewhere.example" in found.failed.finding
    assert named.problems == chain.problems == []
    assert "not checked" in chain.named("TLS").finding


def test_an_expired_certificate(sealed: Sealed) -> None:
    with showing(sealed, "expired"):
        found = diagnose(sealed.endpoint)
    assert found.problems == ["certificate_expired"]
    assert "ended 3 days ago" in found.failed.finding or "ended 4 days ago" in found.failed.finding


def test_a_certificate_from_the_future(sealed: Sealed) -> None:
    with showing(sealed, "early"):
        found = diagnose(sealed.endpoint)
    assert found.problems == ["certificate_not_yet_valid"]
    assert "clock" in found.failed.next_step


def test_a_certificate_that_ends_soon(sealed: Sealed) -> None:
    with showing(sealed, "ending"):
        assert diagnose(sealed.endpoint).problems == ["certificate_ends_soon"]


def test_a_certificate_that_nobody_looks_at(sealed: Sealed) -> None:
    with showing(sealed, "stranger"):
        found = diagnose(replace(sealed.endpoint, tls=TlsOptions(verify="none")))
    assert found.problems == ["unverified"]
    assert "issued by stranger" in found.named("TLS").finding


def test_a_server_that_wants_a_certificate_of_its_clients(redis: SealedRedis) -> None:
    redis.admin.config_set("tls-auth-clients", "yes")
    try:
        found = diagnose(redis.endpoint)
    finally:
        redis.admin.config_set("tls-auth-clients", "no")
    assert found.problems == ["client_certificate_asked_for"]


def test_a_wrong_password_over_tls(sealed: Sealed) -> None:
    assert diagnose(replace(sealed.endpoint, password="not it")).problems == ["wrong_password"]


def _tls(server: Sealed) -> TlsOptions:
    assert server.endpoint.tls is not None
    return server.endpoint.tls
