"""Replies of Redis and Valkey servers through redis-py: bounded, and with no exceptions but redis-py's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis._parsers import _HiredisParser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from engines.wire.reply import ProtocolError, describe_violation, show_bytes
from engines.wire.resp_limits import ReplyScanner

MAX_REPLY_BYTES = 16_777_216
"""Size of the largest reply. CLUSTER SLOTS of a cluster whose slots are all apart takes about 2 MB."""

MAX_ELEMENTS = 262_144
"""Largest number of elements of a reply, those of nested lists included. CLUSTER SLOTS has up to 16,384 ranges."""

EXPECTED = "a reply of Redis"


class RedisProtocolError(RedisError):
    """A server sent what is no reply, or a reply that is not what was asked for."""


class _ScannedReader:
    """hiredis' reader, which is given only what is within the limits."""

    def __init__(self, reader: Any) -> None:
        self.gets = reader.gets
        self.has_data = reader.has_data
        self._feed = reader.feed
        self._scanner = ReplyScanner(MAX_REPLY_BYTES, MAX_ELEMENTS)
        self.last = b""
        """The chunk that was read last."""

    def feed(self, buffer: bytearray, start: int, count: int) -> None:
        """Feed `count` bytes of `buffer` from `start` on; raise ProtocolError if they exceed a limit."""
        self.last = bytes(memoryview(buffer)[start : start + count])
        self._scanner.scan(self.last)
        self._feed(buffer, start, count)


class NodeParser(_HiredisParser):
    """redis-py's parser, which keeps the first word of errors and raises RedisProtocolError for what is no reply."""

    @classmethod
    def parse_error(cls, response: str) -> Any:
        """Return the exception for an error reply. Its text is the whole reply, and `status_code` its first word.

        redis-py drops the word where it has a class for it, and knows the word of no other error.
        """
        try:
            error = super().parse_error(response)  # type: ignore[no-untyped-call]
        except Exception:
            # Raised for a MOVED or ASK whose address cannot be read.
            error = ResponseError(response)
        error.args = (response,)
        word = response.partition(" ")[0]
        error.status_code = error.status_code or (word if word.isupper() else None)
        return error

    def on_connect(self, connection: Any, **kwargs: Any) -> None:
        """Start to read the replies of a new connection."""
        super().on_connect(connection, **kwargs)  # type: ignore[no-untyped-call]
        self._reader: Any = _ScannedReader(self._reader)

    def can_read(self, timeout: float = 0) -> bool:
        """Return whether bytes of a reply are there, waiting up to `timeout` seconds for them.

        redis-py takes a socket that polls as readable for one with a reply. With TLS 1.3 it may hold nothing but the
        session tickets that a server sends after the handshake, so look by reading, which takes these in. Raises
        redis.RedisError and OSError only.
        """
        reader = self._reader
        if reader is None:
            raise RedisConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
        if reader.has_data():
            return True
        try:
            with _own_errors(reader):
                return bool(self.read_from_socket(timeout=timeout, raise_on_timeout=False))  # type: ignore[no-untyped-call]
        except BrokenPipeError as error:
            # A read breaks no pipe: OpenSSL 3.5 answers an end without a farewell, and nobody is there to hear it.
            raise RedisConnectionError(SERVER_CLOSED_CONNECTION_ERROR) from error

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next reply. Blocks. Raises redis.RedisError and OSError only."""
        with _own_errors(self._reader):
            return super().read_response(*args, **kwargs)


@contextmanager
def _own_errors(reader: _ScannedReader | None) -> Iterator[None]:
    """Raise RedisProtocolError for whatever is neither redis.RedisError nor OSError. `reader` has read last."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (RedisError, OSError)) and not isinstance(error, InvalidResponse):
            raise
        own = isinstance(error, (InvalidResponse, ProtocolError))
        why = str(error) if own else f"{type(error).__name__}: {error}"
        data = b"" if reader is None else reader.last
        raise RedisProtocolError(describe_violation(EXPECTED, data, why)) from error


class _CheckedCallbacks(dict[str, Callable[..., Any]]):
    """redis-py's table of the functions that turn replies into values, each of which raises redis.RedisError only."""

    def __init__(self, callbacks: Any) -> None:
        super().__init__(callbacks)

    def __contains__(self, command: object) -> bool:
        return super().__contains__(str(command).upper())

    def __getitem__(self, command: str) -> Callable[..., Any]:
        callback = super().__getitem__(command.upper())

        def checked(response: Any, **options: Any) -> Any:
            try:
                return callback(response, **options)
            except RedisError:
                raise
            except Exception as error:
                raise unexpected_reply(command, response, error) from error

        return checked


def check_callbacks(node: Redis) -> None:
    """Let `node` raise RedisProtocolError for a reply that is not what its command answers."""
    node.response_callbacks = _CheckedCallbacks(node.response_callbacks)  # type: ignore[assignment]


def unexpected_reply(command: str, response: object, error: object) -> RedisProtocolError:
    """Return the error for `response`, a reply that is none to `command`."""
    data = response if isinstance(response, bytes) else _brief(response).encode("utf-8", "replace")
    return RedisProtocolError(
        f"expected the reply to {command}, got {show_bytes(data)} ({' '.join(str(error).split())})"
    )


def _brief(response: object) -> str:
    """Return a text of bounded length for a value of any size."""
    if isinstance(response, list | dict | set | tuple):
        return f"a {type(response).__name__} of {len(response):,} elements"
    return str(response)
