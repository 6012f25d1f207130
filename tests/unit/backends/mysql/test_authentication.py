"""A MySQL server that asks for the password itself does not get it, unless the connection keeps it from others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pymysql.err import MySQLError, OperationalError

from engines.backends.mysql.authentication import UNSAFE_AUTHENTICATION, PasswordGuard
from engines.backends.mysql.client import connect, error_text
from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions
from engines.wire.error_kinds import MYSQL_ERRORS
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
        text = error_text(raised.value)
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
    assert "cryptography" in error_text(raised.value)


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


def test_the_refusal_has_its_row_in_the_table_of_errors() -> None:
    assert "tls = true" in MYSQL_ERRORS[UNSAFE_AUTHENTICATION].next_step
