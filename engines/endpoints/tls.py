"""What the standard library needs to know to encrypt a connection as an endpoint says."""

from __future__ import annotations

import ssl
from functools import lru_cache

from engines.endpoints.endpoint import TlsOptions


@lru_cache(maxsize=16)
def ssl_context(tls: TlsOptions) -> ssl.SSLContext:
    """The library's view of `tls`. Raises OSError for a `ca_file` that cannot be read or holds no certificate."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise OSError(f"{tls.ca_file} (tls_ca) holds no certificate in PEM") from error
    # Without a say Python leaves this to how OpenSSL was built and set up.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From 3.13 on Python by default refuses authorities that lack an extension, those of RDS among them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.verify != "full":
        context.check_hostname = False
    if tls.verify == "none":
        context.verify_mode = ssl.CERT_NONE
    return context
