"""The pipe between a race and an engine process: whole messages, and never a wait."""

from __future__ import annotations

import pickle
import struct
from socket import socket
from typing import Any

HEADER = struct.Struct("<I")


class Channel:
    """Messages over a stream socket. Both ends are telemon's own processes, so pickle is safe here.

    Neither side ever blocks: what the kernel does not take is kept and sent with the next `flush`.
    """

    def __init__(self, sock: socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.closed = False
        """Whether the other side is gone."""

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def flushed(self) -> bool:
        """Whether everything that was sent has left."""
        return not self._outgoing

    def send(self, message: object) -> None:
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing += HEADER.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Hand the kernel as much as it takes."""
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
        """The messages that have arrived whole; `closed` is set when no more can come."""
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
        self._socket.close()
        self.closed = True
