"""An encrypted connection, as the reactor reads from it and writes to it."""

from __future__ import annotations

from ssl import SSLSocket, SSLWantReadError, SSLWantWriteError


class TlsSocket:
    """`receive` and `send` of a TLS connection that does not block, as a plain socket's `recv` and `send` are.

    What is handed over at once may be less than a record, a record, or several. Level-triggered polling announces
    what the kernel holds; what OpenSSL has taken from there already it does not, so that is always read to its end.
    """

    __slots__ = ("_pending", "_read", "_write")

    def __init__(self, sock: SSLSocket) -> None:
        self._read = sock.read
        self._write = sock.write
        self._pending = sock.pending

    def receive(self, size: int) -> bytes:
        """What has come, decrypted: `size` bytes and as much more as OpenSSL holds; empty at the end.

        Raises BlockingIOError when nothing to hand over has come (part of a record, or a record of TLS itself), and
        OSError.
        """
        try:
            data = self._read(size)
        except (SSLWantReadError, SSLWantWriteError):
            raise BlockingIOError from None
        if not self._pending():
            return data
        parts = [data]
        while waiting := self._pending():
            parts.append(self._read(waiting))
        return b"".join(parts)

    def send(self, data: bytes | memoryview) -> int:
        """How much of `data` is on its way.

        Raises BlockingIOError when the kernel took less than OpenSSL had made of it: the next call must be given the
        same bytes again (SSL_write(3)). And OSError.
        """
        try:
            return self._write(data)
        except (SSLWantReadError, SSLWantWriteError):
            raise BlockingIOError from None
