"""Creation of `ssl.SSLContext` objects from the TLS options of an endpoint."""

from __future__ import annotations

import ssl
from functools import lru_cache
from threading import Lock

from engines.endpoints.endpoint import TlsOptions

_making = Lock()
"""Held while a context is made. Connections that are opened at the same time would make one each: reading the system's
authorities takes 20 ms and 1 MB."""


def ssl_context(tls: TlsOptions) -> ssl.SSLContext:
    """Return the context for `tls`; raise OSError if `ca_file` is unreadable or holds no certificate."""
    with _making:
        return _make_context(tls)


@lru_cache(maxsize=16)
def _make_context(tls: TlsOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise OSError(f"{tls.ca_file} (tls_ca) holds no certificate in PEM") from error
    # Otherwise the minimum depends on how OpenSSL was built and configured.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From 3.13 on, Python rejects by default authorities that lack an extension, those of RDS among
    # them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.verify != "full":
        context.check_hostname = False
    if tls.verify == "none":
        context.verify_mode = ssl.CERT_NONE
    return context
