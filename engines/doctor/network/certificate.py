"""Content of a server's certificate, also if it is not trusted."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

X509_V_FLAG_NO_CHECK_TIME = 0x200000
"""Flag of OpenSSL's x509_vfy.h that Python does not name."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Server certificate.

    `names` are the host names and addresses it is valid for. `ends_utc_s` is its end in seconds since 1970 (UTC).
    """

    target: str
    issuer: str
    names: tuple[str, ...]
    ends_utc_s: float

    @property
    def days_left(self) -> int:
        """Return the whole days until it expires, negative afterwards."""
        return int((self.ends_utc_s - time.time()) // 86_400)

    @property
    def vouches_for_itself(self) -> bool:
        """Return whether no authority has signed it."""
        return self.issuer == self.target

    @property
    def made_by_mysql(self) -> bool:
        """Return whether MySQL made it, and the authority that has signed it, because it was given none.

        See MySQL manual, "Creating SSL and RSA Certificates and Keys Using MySQL".
        """
        return "_Auto_Generated_" in self.issuer

    @staticmethod
    def of(fields: Mapping[str, Any]) -> Certificate:
        """Return the certificate from the result of `SSLSocket.getpeercert` for a verified one."""
        names = tuple(str(value) for _, value in fields.get("subjectAltName", ()))
        return Certificate(
            target=_name(fields.get("subject", ())) or (names[0] if names else "nobody"),
            issuer=_name(fields.get("issuer", ())) or "nobody",
            names=names,
            ends_utc_s=ssl.cert_time_to_seconds(str(fields["notAfter"])),
        )

    def __str__(self) -> str:
        left = self.days_left
        days = f"{left} days left" if left >= 0 else f"ended {-left} days ago"
        return f"certificate of {self.target}, issued by {self.issuer}, {days}"


def _name(parts: Any) -> str:
    """Return the relevant part of a distinguished name, which the ssl module gives as tuples of tuples of pairs."""
    pairs = {str(key): str(value) for part in parts for key, value in part}
    for key in ("commonName", "organizationName", "organizationalUnitName"):
        if pairs.get(key):
            return pairs[key]
    return ""


def unverified_context() -> ssl.SSLContext:
    """Return a client context that accepts every certificate. Send no data over it: the peer may be anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fetch_certificate(connect: Callable[[], socket.socket], name: str) -> Certificate | None:
    """Return the certificate of a server without trusting it; None if it cannot be read.

    The ssl module decodes only verified certificates. So the certificate is fetched first and then used as the
    authority that verifies it. No other data is sent over these connections. `connect` opens each up to the point where
    TLS begins.
    """
    unverified = unverified_context()
    with suppress(OSError, ValueError):
        with (
            closing(connect()) as sock,
            unverified.wrap_socket(sock, server_hostname=name) as encrypted,
        ):
            der = encrypted.getpeercert(binary_form=True)
        pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        pinned.check_hostname = False
        pinned.load_verify_locations(cadata=der)
        pinned.verify_flags &= ~ssl.VERIFY_X509_STRICT
        pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # Keep this last: removing a flag with ~ also drops every flag that Python does not know.
        pinned.verify_flags |= ssl.VerifyFlags(X509_V_FLAG_NO_CHECK_TIME)
        with (
            closing(connect()) as sock,
            pinned.wrap_socket(sock, server_hostname=name) as encrypted,
        ):
            fields = encrypted.getpeercert()
            return Certificate.of(fields) if fields else None
    return None
