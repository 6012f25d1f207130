"""How telemon answers a MySQL server that asks for the password: never so that somebody else could read it.

A server chooses the method, in its greeting or afterwards. Methods of challenge and response show nothing of the
password. The others send the password itself: in clear, or encrypted with an RSA key that the server has just sent and
that may be anybody's (MySQL manual, "Pluggable Authentication"; MariaDB's "Authentication Plugins").
"""

from __future__ import annotations

from typing import Any

from pymysql.err import OperationalError

from engines.backends.mysql.checked_connection import CheckedConnection

UNSAFE_AUTHENTICATION = 2061
"""MySQL's client error number for an authentication plugin that reports an error."""

CLEAR_TEXT_METHODS = frozenset({"mysql_clear_password", "dialog"})
"""Methods that send the password as it is. They are answered over verified TLS only."""

ENCRYPTED_METHODS = frozenset({"sha256_password", "caching_sha2_password"})
"""Methods that send the password as it is over TLS, and encrypted with the server's RSA key without it.

`caching_sha2_password` does so only if the server does not remember the account (MySQL manual, "Caching SHA-2
Pluggable Authentication").
"""

CHALLENGE_FIRST = frozenset({"caching_sha2_password"})
"""Those of them that begin with a challenge, and ask for the password only if that is not enough."""

OUTDATED_METHODS = frozenset({"mysql_old_password"})
"""Methods whose answer can be reversed (MySQL 4.0). They are never answered."""


def refusal(why: str) -> OperationalError:
    """Return the error of a sign-in that would have shown the password."""
    return OperationalError(UNSAFE_AUTHENTICATION, why)


class PasswordGuard(CheckedConnection):
    """A connection of PyMySQL that sends no password in a form that somebody else could read or reverse.

    `verified` says whether the server's certificate is verified, and `accept_unverified` whether a server with an
    unverified one may have the password all the same. `server_key` is the RSA public key of the server (PEM), if it is
    known from elsewhere.
    """

    def __init__(
        self, *, verified: bool, accept_unverified: bool, server_key: bytes | None, **options: Any
    ) -> None:
        self._verified = verified
        self._accept_unverified = accept_unverified
        self._server_key = server_key
        self._encrypted = False
        super().__init__(**options)

    @property
    def server_public_key(self) -> bytes | None:
        """Return the RSA key to encrypt the password with; None if none is known from elsewhere."""
        return self._server_key

    @server_public_key.setter
    def server_public_key(self, key: bytes | None) -> None:
        """Refuse a key that the server sends. PyMySQL would encrypt the password with it.

        A server that greets with `sha256_password` sends its key even if one is known: that one is kept.
        """
        if key is not None and self._server_key is None:
            raise refusal(
                "the server asks for the password, encrypted with a key of its own that nobody vouches for (MySQL does "
                "so if the password is wrong, or if the account has not signed in over TLS since the server started); "
                "set tls = true, or server_public_key to the file of its key"
            )

    @property
    def _secure(self) -> bool:
        """Return whether PyMySQL may send the password as it is to a server that asks for it after a challenge."""
        return self._encrypted and (self._verified or self._accept_unverified)

    @_secure.setter
    def _secure(self, encrypted: bool) -> None:
        """Note that the connection is encrypted. PyMySQL would send the password over it whoever the server is."""
        self._encrypted = encrypted

    def _request_authentication(self) -> None:
        self._check_method(str(self._auth_plugin_name))  # type: ignore[attr-defined]
        super()._request_authentication()  # type: ignore[misc]

    def _process_auth(self, plugin_name: bytes, auth_packet: Any, handler: Any = None) -> Any:
        self._check_method(plugin_name.decode("ascii", "replace"))
        return super()._process_auth(plugin_name, auth_packet, handler)  # type: ignore[misc]

    def _check_method(self, method: str) -> None:
        """Raise OperationalError if an answer by `method` would show the password."""
        encrypted = bool(self.ssl)
        if method in OUTDATED_METHODS:
            raise refusal(
                f"the server asks for the password by {method}, which can be reversed; an administrator must give the "
                "account another method"
            )
        if method in CLEAR_TEXT_METHODS and not (encrypted and self._verified):
            raise refusal(
                f"the server asks for the password in clear text ({method}); that needs tls = true and a verified "
                'certificate (tls_verify = "full", or "chain" with tls_ca)'
            )
        if (
            method in ENCRYPTED_METHODS - CHALLENGE_FIRST
            and encrypted
            and not (self._verified or self._accept_unverified)
        ):
            raise refusal(
                f"the server asks for the password by {method}, and its certificate is not verified"
            )
