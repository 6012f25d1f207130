"""Both ends of a TLS connection within this process, over a pair of sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

from tests.support.certificates import Authority

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
"""Of the server and of the client."""


def tls_contexts(directory: Path) -> Contexts:
    """Make an authority in `directory`, a server that it vouches for, and a client that trusts it."""
    authority = Authority(directory, "authority")
    pair = authority.pair("server", of=("server.test",))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    client = ssl.create_default_context(cafile=str(authority.file))
    # As in `engines.endpoints.tls`: from 3.13 on, Python rejects such an authority by default.
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return server, client


def tls_pair(contexts: Contexts) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Return the client's end and the server's, both of which block for at most 5 s."""
    server, client = contexts
    one, two = socket.socketpair()
    for sock in (one, two):
        sock.settimeout(5)
    made: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: made.append(server.wrap_socket(two, server_side=True)))
    thread.start()
    ours = client.wrap_socket(one, server_hostname="server.test")
    thread.join(5)
    (theirs,) = made
    return ours, theirs
