"""The statement that gives a MySQL session its settings. What it does is tested on servers."""

from __future__ import annotations

import socket
import ssl

import pytest
from pymysql.err import OperationalError

from engines.backends.mysql import client
from engines.backends.mysql.session import SessionConnection, session_statement
from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions


def test_it_is_one_statement_for_both_products() -> None:
    statement = session_statement("utf8mb4", autocommit=True)
    assert statement.startswith("SET NAMES utf8mb4, ")
    assert ";" not in statement
    assert "/*!50720 transaction_isolation='REPEATABLE-READ', */" in statement
    assert "/*M!100000 tx_isolation='REPEATABLE-READ', */" in statement
    # Off and on again ends a transaction that somebody began.
    assert statement.endswith(" autocommit=0, autocommit=1")


def test_preset_deck_commits_by_itself() -> None:
    assert session_statement("utf8mb4", autocommit=False).endswith("autocommit=1, autocommit=0")


@pytest.mark.parametrize("tls", [None, TlsOptions(verify="none")])
def test_a_connection_is_encrypted_as_the_settings_ask_or_refused(
    monkeypatch: pytest.MonkeyPatch, tls: TlsOptions | None
) -> None:
    """As if PyMySQL went on without TLS, or began it where it was not asked for."""
    ours, theirs = socket.socketpair()
    encrypted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    encrypted.check_hostname = False
    wrapped = encrypted.wrap_socket(ours, do_handshake_on_connect=False)

    def connect(self: SessionConnection, _: object) -> None:
        self._sock = wrapped if tls is None else theirs  # type: ignore[attr-defined]

    monkeypatch.setattr(client, "dial", lambda *_: None)
    monkeypatch.setattr(SessionConnection, "connect", connect)
    monkeypatch.setattr(SessionConnection, "close", lambda _: None)
    with pytest.raises(OperationalError, match="not encrypted as the settings ask"):
        client.connect(MySQLEndpoint("127.0.0.1", 1, "u", "p", "d", tls=tls), autocommit=True)
    wrapped.close()
    theirs.close()
