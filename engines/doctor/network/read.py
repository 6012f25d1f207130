"""Blocking reads from a socket of an unknown server."""

from __future__ import annotations

import socket

ALREADY_S = 0.1
"""Seconds to wait for bytes that should have come with others."""


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """Read `count` bytes.

    Raises TimeoutError after the socket's timeout, and ConnectionResetError at the end of the stream.
    """
    read = b""
    while len(read) < count:
        more = sock.recv(count - len(read))
        if not more:
            raise ConnectionResetError("hung up")
        read += more
    return read


def read_some(sock: socket.socket, limit_bytes: int = 64) -> bytes:
    """Read what has come already, at most `limit_bytes`; empty if nothing has or the connection is broken."""
    timeout_s = sock.gettimeout()
    try:
        sock.settimeout(ALREADY_S)
        return sock.recv(limit_bytes)
    except OSError:
        return b""
    finally:
        sock.settimeout(timeout_s)


def read_line(sock: socket.socket, limit_bytes: int = 512) -> bytes:
    """Read up to the first line feed, at most `limit_bytes`. Return the line without its end.

    Raises the errors of `read_exactly` if nothing was received at all.
    """
    read = b""
    while b"\n" not in read and len(read) < limit_bytes:
        try:
            more = sock.recv(limit_bytes - len(read))
        except TimeoutError:
            more = b""
            if not read:
                raise
        if not more:
            break
        read += more
    if not read:
        raise ConnectionResetError("hung up")
    return read.partition(b"\n")[0].rstrip(b"\r")
