"""Checks of TLS: whether the server uses it, and whether its certificate is valid and its own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from engines.doctor.check import Check, CheckRunner, Checks
from engines.doctor.network.certificate import (
    Certificate,
    fetch_certificate,
    unverified_context,
)
from engines.endpoints.deadline import watch
from engines.endpoints.endpoint import TlsOptions
from engines.endpoints.tls import ssl_context

NAME = "TLS"
"""Name of the check."""

SOON_DAYS = 14
"""Days before the end of a certificate that cause a warning.

RDS and ElastiCache renew theirs long before, so nobody monitors one that is this close to its end.
"""

AUTHORITY_STEP = (
    "set tls_ca to the file with the server's authority: for RDS and Aurora the bundle global-bundle.pem of "
    "truststore.pki.rds.amazonaws.com; ElastiCache and MemoryDB need none but the system's ca-certificates"
)
"""Next step for a certificate whose authority is not trusted."""

MYSQL_STEP = (
    "MySQL made this certificate itself, for no host name: copy ca.pem from its data directory, and set tls_ca to the "
    'copy and tls_verify = "chain"; or give the server a certificate (ssl_cert, ssl_key)'
)
"""Next step for the certificate that MySQL makes if it is given none."""

SELF_SIGNED_STEP = (
    "no authority has signed it: if the server was given it, set tls_ca to a copy of it. From 11.4 on MariaDB makes "
    'one at each start if it is given none (ssl_cert, ssl_key): give it one; tls_verify = "none" only where nobody can '
    "be on the way"
)
"""Next step for a certificate that vouches for itself."""

LISTEN_S = 1.0
"""Seconds to wait for a server's TLS alert after the handshake."""

UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21, 24, 33})
"""OpenSSL's codes (x509_vfy.h) for a chain without a trusted root: no issuer, or a self-signed certificate."""
WRONG_NAME = frozenset({62, 64})
"""OpenSSL's codes (x509_vfy.h) for a wrong host name or IP address."""
EXPIRED, NOT_YET = 10, 9
"""OpenSSL's codes (x509_vfy.h) for an expired certificate, and for one that is not yet valid."""

PLAIN = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""OpenSSL's reasons if the answer is not a TLS record."""

HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""Exceptions raised when the peer closes the connection in the handshake. Early versions of 3.11 raise the second."""


def check_tls(
    runner: CheckRunner,
    sock: socket.socket,
    tls: TlsOptions,
    host: str,
    connect: Callable[[], socket.socket],
) -> Checks[ssl.SSLSocket]:
    """Check TLS on `sock` and return the encrypted connection. `connect` opens another one, to read the certificate.

    Raises OSError if the server is silent, hangs up or does not use TLS: only its own protocol can identify it then.
    """
    name = tls.server_name or host
    try:
        encrypted = ssl_context(tls).wrap_socket(sock, server_hostname=name)
        watch(lambda: encrypted)
    except ssl.SSLCertVerificationError as error:
        yield _check_untrusted(runner, error, fetch_certificate(connect, name), tls, name)
        return None
    except ssl.SSLError as error:
        if isinstance(error, HUNG_UP) or error.reason in PLAIN:
            raise ConnectionResetError("no TLS") from error
        yield _no_handshake(runner, error)
        return None
    version = encrypted.version() or "TLS"
    fields = encrypted.getpeercert()
    if fields:
        certificate = Certificate.of(fields)
        if certificate.days_left < SOON_DAYS:
            yield runner.warn(
                NAME,
                "certificate_ends_soon",
                f"{version}, {certificate}",
                "have the certificate renewed",
            )
        else:
            unnamed = "" if tls.verify == "full" else "; its host name is not checked"
            yield runner.ok(NAME, f"{version}, {certificate}{unnamed}")
    else:
        seen = fetch_certificate(connect, name)
        yield runner.warn(
            NAME,
            "unverified",
            f"{version}, {seen or 'certificate unread'}; nothing of it is checked (tls_verify is none)",
            'anybody on the way can read and change everything: set tls_ca and tls_verify = "full"',
        )
    return encrypted


def unencrypted(runner: CheckRunner, address: str) -> Check:
    """Return the check of a connection without TLS to the IP address `address`."""
    if ip_address(address.partition("%")[0]).is_loopback:
        return runner.ok(NAME, "none, on a connection that begins on this machine")
    return runner.warn(
        NAME,
        "unencrypted",
        "none: everybody on the way can read and change everything",
        "set tls = true",
    )


def _check_untrusted(
    runner: CheckRunner,
    error: ssl.SSLCertVerificationError,
    seen: Certificate | None,
    tls: TlsOptions,
    name: str,
) -> Check:
    suffix = f" ({seen})" if seen else ""
    code = error.verify_code
    if code in UNKNOWN_AUTHORITY:
        trusted = f"the authorities in {tls.ca_file}" if tls.ca_file else "the system's authorities"
        return runner.fail(
            NAME,
            "unknown_authority",
            f"the certificate comes from nobody that {trusted} vouch for{suffix}",
            _authority_step(seen),
        )
    if code in WRONG_NAME:
        names = f": it is for {', '.join(seen.names[:5])}" if seen and seen.names else ""
        if seen is not None and not seen.names:
            return runner.fail(
                NAME,
                "wrong_host_name",
                f"the certificate is for no host name at all{suffix}",
                'set tls_verify = "chain", with tls_ca the authority of this server alone; or have the certificate '
                "replaced by one with a name",
            )
        return runner.fail(
            NAME,
            "wrong_host_name",
            f"the certificate is not for {name}{names}{suffix}",
            "set host to the name that the certificate is for; through a tunnel keep that name as host and give the "
            "tunnel's end in address_map, or set tls_server_name",
        )
    if code == EXPIRED:
        return runner.fail(
            NAME,
            "certificate_expired",
            f"the certificate, or one that vouches for it, has expired{suffix}",
            "have the certificate renewed; if it should still hold, check this machine's clock (date -u)",
        )
    if code == NOT_YET:
        return runner.fail(
            NAME,
            "certificate_not_yet_valid",
            f"the certificate is not valid yet{suffix}",
            "check this machine's clock (date -u)",
        )
    return runner.fail(
        NAME,
        "certificate_refused",
        f"the certificate is refused: {error.verify_message}{suffix}",
        "have the certificate replaced; tls_ca must hold its whole chain",
    )


def _authority_step(seen: Certificate | None) -> str:
    """Return the next step for a certificate whose authority is not trusted."""
    if seen is not None and seen.made_by_mysql:
        return MYSQL_STEP
    if seen is not None and seen.vouches_for_itself:
        return SELF_SIGNED_STEP
    return AUTHORITY_STEP


def _no_handshake(runner: CheckRunner, error: ssl.SSLError) -> Check:
    reason = error.reason or str(error)
    return runner.fail(
        NAME,
        "no_handshake",
        f"no TLS connection comes about: {reason.lower().replace('_', ' ')}",
        "server and telemon have no version or cipher of TLS in common: TLS 1.2 is the least",
    )


def not_tls(runner: CheckRunner) -> Check:
    """Return the check of a server that does not use TLS although it is configured."""
    return runner.fail(
        NAME,
        "not_tls",
        "the server does not speak TLS on this port",
        "turn encryption in transit on at the server, or check the port; only on a network that you trust set "
        "tls = false",
    )


def wants_certificate(connect: Callable[[], socket.socket]) -> bool:
    """Return whether a server closes connections of clients without a certificate.

    In TLS 1.3 the server checks this after the client has finished the handshake. A client that goes on sending loses
    the server's final alert, so this function only listens.
    """
    with suppress(ConnectionError, TimeoutError), connect() as sock:
        try:
            with unverified_context().wrap_socket(sock) as encrypted:
                encrypted.settimeout(LISTEN_S)
                encrypted.recv(1)
        except ssl.SSLError as error:
            return "CERTIFICATE" in (error.reason or "")
    return False


def speaks_tls(connect: Callable[[], socket.socket]) -> bool:
    """Return whether the peer uses TLS, whatever its certificate."""
    with suppress(OSError), connect() as sock, unverified_context().wrap_socket(sock):
        return True
    return False
