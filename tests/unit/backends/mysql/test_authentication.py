"""A MySQL server that asks for the password itself does not get it, unless the connection keeps it from others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pymysql.connections
import pytest
from pymysql.err import MySQLError, OperationalError

from engines.backends.mysql.authentication import (
    CLEAR_TEXT_METHODS,
    ENCRYPTED_METHODS,
    OUTDATED_METHODS,
    UNSAFE_AUTHENTICATION,
    PasswordGuard,
)
from engines.backends.mysql.client import connect, error_text
from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions
from engines.wire.error_kinds import MYSQL_ERRORS
from engines.workload.namespace import DEFAULT
from tests.support.certificates import Authority
from tests.support.hostile_mysql import RSA_KEY, SALT, HostileMySQL, hostile_mysql

PASSWORD = "only-for-the-right-server"

SHORT_KEY = b"""-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf
9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==
-----END PUBLIC KEY-----
"""
"""512 bits: fewer than this password needs."""

ASKED = [
    (b"mysql_clear_password", b""),
    (b"mysql_native_password", b"mysql_clear_password"),
    (b"mysql_native_password", b"dialog"),
    (b"caching_sha2_password", b"dialog"),
    (b"caching_sha2_password", b""),
    (b"mysql_native_password", b"caching_sha2_password"),
    (b"sha256_password", b""),
    (b"mysql_native_password", b"sha256_password"),
    (b"mysql_native_password", b"mysql_old_password"),
]
"""Methods of the greeting and of the request afterwards: in clear, by an RSA key of the server's, reversible."""


def endpoint_of(server: HostileMySQL) -> MySQLEndpoint:
    return MySQLEndpoint("127.0.0.1", server.port, "telemon", PASSWORD, "telemon")


def readable(sent: bytes) -> bool:
    """Return whether the password can be made of what was sent: as it is, or with the salt, which everybody saw."""
    raw = PASSWORD.encode()
    mixed = bytes(byte ^ SALT[index % len(SALT)] for index, byte in enumerate(raw))
    return raw in sent or mixed in sent


@pytest.mark.parametrize(("method", "switch"), ASKED)
def test_without_tls_no_server_gets_a_password_that_can_be_read(
    method: bytes, switch: bytes
) -> None:
    with hostile_mysql(method, switch) as server:
        with pytest.raises(OperationalError) as raised:
            connect(endpoint_of(server), autocommit=True)
        assert raised.value.args[0] == UNSAFE_AUTHENTICATION
        sent = b"".join(server.received)
        assert not readable(sent)
        # RSA gives as many bytes as the key has: 256.
        assert not any(len(part) >= 256 and b"telemon" not in part for part in server.received)
        asked = (switch or method).decode()
        text = error_text(raised.value, DEFAULT)
        assert asked in text or "key of its own" in text
        assert "tls = true" in text or "another method" in text
        assert PASSWORD not in text


def test_a_challenge_is_answered() -> None:
    with hostile_mysql(b"mysql_native_password", b"mysql_native_password") as server:
        with pytest.raises(MySQLError):
            connect(endpoint_of(server), autocommit=True)
        answer = server.received[1][4:]
        assert len(answer) == 20  # SHA-1
        assert not readable(b"".join(server.received))


def test_a_key_that_the_user_named_may_encrypt_the_password(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="encrypts the password; not a dependency")
    key = tmp_path / "server.pem"
    key.write_bytes(RSA_KEY)
    with hostile_mysql(b"caching_sha2_password") as server:
        with pytest.raises(MySQLError):
            connect(replace(endpoint_of(server), server_key_file=key), autocommit=True)
        assert len(server.received[-1][4:]) == 256


def test_a_server_that_sends_a_key_of_its_own_unasked_gets_what_only_the_named_key_opens(
    tmp_path: Path,
) -> None:
    """As a server does that greets with sha256_password."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    own = rsa.generate_private_key(65537, 2048)
    key = tmp_path / "server.pem"
    key.write_bytes(own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with hostile_mysql(b"sha256_password") as server:
        with pytest.raises(MySQLError) as raised:
            connect(replace(endpoint_of(server), server_key_file=key), autocommit=True)
        assert raised.value.args[0] != UNSAFE_AUTHENTICATION
        mixed = own.decrypt(server.received[-1][4:], OAEP(MGF1(SHA1()), SHA1(), None))
    plain = bytes(byte ^ SALT[index % len(SALT)] for index, byte in enumerate(mixed))
    assert plain == PASSWORD.encode() + b"\0"


def test_the_short_packet_of_the_oldest_servers_gets_nothing() -> None:
    """A lone 0xFE asks for the reversible answer of MySQL 4.0."""
    with hostile_mysql(b"mysql_native_password", lone=True) as server:
        with pytest.raises(MySQLError):
            connect(endpoint_of(server), autocommit=True)
        assert len(server.received) == 1
        assert not readable(server.received[0])


def test_no_method_of_the_library_was_overlooked() -> None:
    """PyMySQL answers these. One that it learns must be judged before it is used."""
    source = Path(pymysql.connections.__file__).read_text()
    known = set(re.findall(r'plugin_name == b"(\w+)"', source))
    challenges = {"mysql_native_password", "client_ed25519"}
    assert known == challenges | CLEAR_TEXT_METHODS | ENCRYPTED_METHODS | OUTDATED_METHODS


def test_a_named_key_without_the_package_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    key = tmp_path / "server.pem"
    key.write_bytes(RSA_KEY)
    with hostile_mysql(b"caching_sha2_password") as server:
        with pytest.raises(MySQLError) as raised:
            connect(replace(endpoint_of(server), server_key_file=key), autocommit=True)
        assert not readable(b"".join(server.received))
    assert "cryptography" in error_text(raised.value, DEFAULT)


def test_a_key_that_is_too_short_is_no_internal_error(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="encrypts the password; not a dependency")
    key = tmp_path / "server.pem"
    key.write_bytes(SHORT_KEY)
    with hostile_mysql(b"caching_sha2_password") as server, pytest.raises(MySQLError):
        connect(replace(endpoint_of(server), server_key_file=key), autocommit=True)


def test_a_file_without_a_key_is_said(tmp_path: Path) -> None:
    key = tmp_path / "server.pem"
    key.write_text("no key")
    with (
        hostile_mysql(b"caching_sha2_password") as server,
        pytest.raises(OSError, match="holds no public key"),
    ):
        connect(replace(endpoint_of(server), server_key_file=key), autocommit=True)


@pytest.mark.parametrize(
    ("method", "tls", "accept_unverified", "allowed"),
    [
        ("mysql_clear_password", TlsOptions(), True, True),
        ("mysql_clear_password", TlsOptions(verify="none"), True, False),
        ("mysql_clear_password", TlsOptions(verify="chain"), True, False),
        ("mysql_clear_password", TlsOptions(Path("ca.pem"), verify="chain"), True, True),
        ("dialog", TlsOptions(verify="none"), True, False),
        ("caching_sha2_password", TlsOptions(verify="none"), True, True),
        ("caching_sha2_password", TlsOptions(verify="none"), False, False),
        ("sha256_password", TlsOptions(verify="none"), False, False),
        ("mysql_native_password", TlsOptions(verify="none"), False, True),
        ("mysql_old_password", TlsOptions(), True, False),
    ],
)
def test_what_is_answered_over_tls(
    method: str, tls: TlsOptions, accept_unverified: bool, allowed: bool
) -> None:
    connection = PasswordGuard(
        verified=tls.verified,
        accept_unverified=accept_unverified,
        server_key=None,
        defer_connect=True,
        ssl_disabled=True,
    )
    connection.ssl = True
    if allowed:
        connection._check_method(method)
    else:
        with pytest.raises(OperationalError, match=method):
            connection._check_method(method)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.mark.parametrize(
    ("method", "switch", "accept_unverified"),
    [
        (b"mysql_native_password", b"mysql_clear_password", True),
        (b"mysql_native_password", b"dialog", True),
        (b"mysql_native_password", b"mysql_old_password", True),
        (b"sha256_password", b"", False),
        (b"caching_sha2_password", b"", False),
        (b"mysql_native_password", b"sha256_password", False),
    ],
)
def test_what_an_unverified_server_gets_inside_tls(
    authority: Authority, method: bytes, switch: bytes, accept_unverified: bool
) -> None:
    pair = authority.pair("unverified", of=("127.0.0.1",))
    with hostile_mysql(method, switch, pair=pair) as server:
        at = replace(endpoint_of(server), tls=TlsOptions(verify="none"))
        with pytest.raises(OperationalError) as raised:
            connect(at, autocommit=True, accept_unverified=accept_unverified)
        assert raised.value.args[0] == UNSAFE_AUTHENTICATION
        assert not readable(b"".join(server.received))


def test_a_verified_server_gets_the_password_in_clear_as_iam_of_rds_needs_it(
    authority: Authority,
) -> None:
    pair = authority.pair("verified", of=("127.0.0.1",))
    with hostile_mysql(b"mysql_native_password", b"mysql_clear_password", pair=pair) as server:
        at = replace(endpoint_of(server), tls=TlsOptions(authority.file))
        with pytest.raises(MySQLError):
            connect(at, autocommit=True)
        assert readable(b"".join(server.received))


def test_the_refusal_has_its_row_in_the_table_of_errors() -> None:
    assert "tls = true" in MYSQL_ERRORS[UNSAFE_AUTHENTICATION].next_step
