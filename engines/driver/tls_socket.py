"""TLS socket with the read and write interface that the reactor uses."""

from __future__ import annotations

from ssl import SSLSocket, SSLWantReadError, SSLWantWriteError


class TlsSocket:
    """Non-blocking TLS connection with `receive` and `send` like the `recv` and `send` of a plain socket.

    `receive` may return part of a TLS record or several records. OpenSSL's buffer is always drained: epoll reports only
    bytes still in the kernel, so bytes left in OpenSSL would never wake the loop.
    """

    __slots__ = ("_pending", "_read", "_write")

    def __init__(self, sock: SSLSocket) -> None:
        self._read = sock.read
        self._write = sock.write
        self._pending = sock.pending

    def receive(self, size: int) -> bytes:
        """Return decrypted bytes: up to `size`, plus all that OpenSSL has buffered; empty at the end of the stream.

        Raises BlockingIOError if no application data is complete (part of a record, or a record of TLS itself), and
        OSError.
        """
        try:
            data = self._read(size)
        except (SSLWantReadError, SSLWantWriteError):
            raise BlockingIOError from None
        except BrokenPipeError:
            # A read breaks no pipe: OpenSSL 3.5 answers an end without a farewell, and nobody is there to hear it.
            return b""
        if not self._pending():
            return data
        parts = [data]
        while waiting := self._pending():
            parts.append(self._read(waiting))
        return b"".join(parts)

    def send(self, data: bytes | memoryview) -> int:
        """Send `data` and return the number of bytes accepted.

        Raises BlockingIOError if the kernel accepted only part of the encrypted record: the next call must pass the
        same bytes again (SSL_write(3)). Raises OSError if the connection is broken.
        """
        try:
            return self._write(data)
        except (SSLWantReadError, SSLWantWriteError):
            raise BlockingIOError from None
