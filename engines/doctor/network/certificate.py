"""What a server's certificate says, also where it must not be trusted."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

X509_V_FLAG_NO_CHECK_TIME = 0x200000
"""From OpenSSL's x509_vfy.h; Python names it not."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`names` are the host names and addresses that it is for; `ends_utc_s` when it ends, in seconds since 1970."""

    target: str
    issuer: str
    names: tuple[str, ...]
    ends_utc_s: float

    @property
    def days_left(self) -> int:
        """Whole days until it ends, negative once it has."""
        return int((self.ends_utc_s - time.time()) // 86_400)

    @staticmethod
    def of(fields: Mapping[str, Any]) -> Certificate:
        """From what `SSLSocket.getpeercert` says of a verified one."""
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
    """The telling part of a distinguished name, which the ssl module has as tuples of tuples of pairs."""
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
    """The certificate of a server that could not be verified, or was not; None if it cannot be read.

    The ssl module takes apart only a certificate that it has verified. So the server's own is fetched first, and then
    taken for the authority that it is verified by. No byte of anything else goes over these connections, each of
    which `connect` opens as far as TLS begins.
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
        # Last: what is taken away with ~ takes with it every flag that Python does not know.
        pinned.verify_flags |= ssl.VerifyFlags(X509_V_FLAG_NO_CHECK_TIME)
        with (
            closing(connect()) as sock,
            pinned.wrap_socket(sock, server_hostname=name) as encrypted,
        ):
            fields = encrypted.getpeercert()
            return Certificate.of(fields) if fields else None
    return None
