"""Non-blocking channel of whole messages between a race and one of its engine processes."""

from __future__ import annotations

import pickle
import struct
from socket import socket
from typing import Any

HEADER = struct.Struct("<I")
"""Length of the pickled message that follows, in bytes."""


class Channel:
    """Messages over a stream socket. Both ends are telemon's own processes, so pickle is safe here.

    Neither side ever blocks: bytes that the kernel does not accept are kept for the next `flush`.
    """

    def __init__(self, sock: socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.closed = False
        """Whether the other side has closed the connection."""

    def fileno(self) -> int:
        """Return the file descriptor, to be polled for reading."""
        return self._socket.fileno()

    @property
    def flushed(self) -> bool:
        """Whether the kernel has accepted everything that was sent."""
        return not self._outgoing

    def send(self, message: object) -> None:
        """Pickle `message` and send as much of it as the kernel accepts; does not block."""
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing += HEADER.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Send as many of the kept bytes as the kernel accepts; does not block."""
        while self._outgoing and not self.closed:
            try:
                sent = self._socket.send(self._outgoing)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            del self._outgoing[:sent]

    def receive(self) -> list[Any]:
        """Return the messages that have arrived completely; does not block.

        Sets `closed` at the end of the stream.
        """
        while not self.closed:
            try:
                data = self._socket.recv(262_144)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
                break
            self._incoming += data
        messages = []
        while len(self._incoming) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._incoming)
            end = HEADER.size + length
            if len(self._incoming) < end:
                break
            messages.append(pickle.loads(bytes(self._incoming[HEADER.size : end])))
            del self._incoming[:end]
        return messages

    def close(self) -> None:
        """Close the socket; bytes not sent yet are lost."""
        self._socket.close()
        self.closed = True
