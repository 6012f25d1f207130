"""Redis protocol (RESP) without I/O: requests as bytes, parsing of replies, hash slots, redirects.

Performance: measured with timeit (CPython 3.11, best of 60 runs, less the 30 ns of an empty call). The reply to a GET
costs 130 ns through hiredis, 140 to 170 ns if the header is looked up by the length of the chunk and the value cut out,
310 ns with `bytes.find` and `int`. So hiredis reads everything except a batch of +OK. A request costs 60 ns (GET) or
110 ns (SET) with `bytes.join` and a table of headers, 100 or 180 ns with the % operator, 280 or 360 ns with
`hiredis.pack_command`.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hiredis import Reader

from engines.text import foreign_number
from engines.wire.reply import INCOMPLETE, ErrorReply, Incomplete, ProtocolError
from engines.wire.resp_limits import ReplyScanner

# ---------------------------------------------------------------- replies


@dataclass(frozen=True, slots=True)
class RedisErrorReply(ErrorReply):
    """Error reply.

    `code` is its first word ("MOVED", "CLUSTERDOWN", "LOADING", "TRYAGAIN", "ERR", ...), `message` its whole text, the
    code included.
    """

    code: str
    message: str

    @classmethod
    def of(cls, text: str) -> RedisErrorReply:
        """Return the error reply with the text `text`."""
        return cls(code=text.partition(" ")[0], message=text)


Reply = bytes | int | float | bool | None | list["Reply"] | dict["Reply", "Reply"] | RedisErrorReply
"""A reply. Bulk and simple strings are bytes, nil is None, an error is a value, also inside a list.

RESP3 types are as hiredis returns them: a map is a dict, a set a list, a double a float, a big number bytes. Push
messages must not be enabled: one would be taken for a reply.
"""


class AllOk:
    """Type of `ALL_OK`."""

    __slots__ = ()
    __iter__ = None  # otherwise `__getitem__` makes it an endless iterable

    def __getitem__(self, index: int) -> bytes:
        return b"OK"

    def __repr__(self) -> str:
        return "ALL_OK"


ALL_OK: Final = AllOk()
"""Stands for a list of replies that are all b"OK", the result of a successful batch of SETs.

Test for it with `is ALL_OK`. Every index returns b"OK".
"""

OK_LINE = b"+OK\r\n"
"""The reply to a successful SET."""


class RespReplyParser:
    """Parser of the replies of one connection.

    `feed_one` and `feed_many` raise `ProtocolError` for bytes that are not RESP and for bytes after the last expected
    reply, and `ReplyTooLargeError` for a reply beyond the limits of `engines.wire.resp_limits`. They raise nothing
    else. They may be called alternately between replies, but not within one.
    """

    __slots__ = ("_oks", "_reader", "_replies", "_scanner", "_seen_bytes", "_unscanned")

    def __init__(self) -> None:
        self._reader = Reader(
            protocolError=ProtocolError,
            replyError=RedisErrorReply.of,  # type: ignore[arg-type]  # returns a value, not an exception
            notEnoughData=INCOMPLETE,
        )
        self._scanner = ReplyScanner()
        self._unscanned = _BULKS
        """Chunks below this are bulk strings, which need no scan. Empty while a reply is incomplete."""
        self._oks = OK_LINE * 128
        self._seen_bytes = 0
        """Bytes of the current batch received so far, as long as all of them are +OK."""
        self._replies: list[Reply] | None = None
        """Replies so far of a batch that is not all +OK."""

    def feed_one(self, data: bytes) -> Reply | Incomplete:
        """Feed `data` while exactly one reply is expected; return the reply, or `INCOMPLETE`."""
        # Performance: comparing costs 11 ns (timeit, CPython 3.11), looking at the first byte 17 ns.
        if data >= self._unscanned:
            return self._feed_scanned(data)
        reader = self._reader
        reader.feed(data)
        reply: Reply | Incomplete = reader.gets()
        if reply is INCOMPLETE:
            self._scanner.scan(data)
            self._unscanned = b""
        elif reader.has_data():
            raise _too_many_replies(1)
        return reply

    def _feed_scanned(self, data: bytes) -> Reply | Incomplete:
        """Feed `data` as `feed_one` does, if it may be something else than one bulk string."""
        if data == OK_LINE and self._unscanned:
            return b"OK"
        self._scanner.scan(data)
        reader = self._reader
        reader.feed(data)
        reply = self._gets()
        if reply is INCOMPLETE:
            self._unscanned = b""
            return reply
        if reader.has_data():
            raise _too_many_replies(1)
        self._unscanned = _BULKS
        return reply

    def _gets(self) -> Reply | Incomplete:
        """Return the next reply that is complete, or `INCOMPLETE`."""
        try:
            reply: Reply | Incomplete = self._reader.gets()
        except ProtocolError:
            raise
        except Exception as error:
            # What a server sends must not end the engine process, whatever hiredis makes of it.
            raise ProtocolError(f"{type(error).__name__}: {error}") from error
        return reply

    def feed_many(self, data: bytes, wanted: int) -> list[Reply] | AllOk | Incomplete:
        """Feed `data` while `wanted` replies are expected; return them, `ALL_OK`, or `INCOMPLETE`.

        `wanted` must be the same in every call until all replies are in.
        """
        replies, reader = self._replies, self._reader
        if replies is None:
            # Performance: as long as all bytes are +OK they are compared, not parsed.
            seen, due = self._seen_bytes, wanted * len(OK_LINE)
            if due > len(self._oks):
                self._oks = OK_LINE * wanted
            if self._oks.startswith(data, seen):
                seen += len(data)
                if seen > due:
                    raise _too_many_replies(wanted)
                if seen < due:
                    self._seen_bytes = seen
                    return INCOMPLETE
                self._seen_bytes = 0
                return ALL_OK
            replies = self._replies = []
            data = self._oks[:seen] + data
            self._seen_bytes = 0
        self._scanner.scan(data)
        reader.feed(data)
        gets = self._gets
        while len(replies) < wanted:
            reply: Reply | Incomplete = gets()
            if reply is INCOMPLETE:
                return INCOMPLETE
            replies.append(reply)
        if reader.has_data():
            raise _too_many_replies(wanted)
        self._replies = None
        return replies


_BULKS = b"%"
"""The byte after "$", with which a bulk string begins. Of what begins with a lower byte, nothing can be too large
before it is complete: "#" begins a boolean."""


def _too_many_replies(wanted: int) -> ProtocolError:
    """Return a ProtocolError for bytes after the last of `wanted` replies."""
    return ProtocolError(
        f"Redis sent more than was due (replies: {wanted}); the connection must be opened anew"
    )


# ---------------------------------------------------------------- requests

_GET_HEADS = [b"*2\r\n$3\r\nGET\r\n$%d\r\n" % length for length in range(256)]
_SET_PX_HEADS = [b"*5\r\n$3\r\nSET\r\n$%d\r\n" % length for length in range(256)]

SET_HEADS: Final = tuple(b"*3\r\n$3\r\nSET\r\n$%d\r\n" % length for length in range(256))
"""Bytes before the key of a SET, by the length of the key."""

VALUE_HEADS: Final = tuple(b"\r\n$%d\r\n" % length for length in range(1024))
"""Bytes between key and value of a SET, by the length of the value; b"\\r\\n" follows the value."""


def command(*args: bytes) -> bytes:
    """Return the request for any command."""
    parts = [b"*%d\r\n" % len(args)]
    parts += [b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args]
    return b"".join(parts)


def get(key: bytes) -> bytes:
    """Return a GET request; its reply is bytes, or None if the key does not exist."""
    try:
        return b"".join((_GET_HEADS[len(key)], key, b"\r\n"))
    except IndexError:
        return command(b"GET", key)


def set_(key: bytes, value: bytes) -> bytes:
    """Return a SET request without expiry; its reply is b"OK"."""
    try:
        return b"".join((SET_HEADS[len(key)], key, VALUE_HEADS[len(value)], value, b"\r\n"))
    except IndexError:
        return command(b"SET", key, value)


def set_px(key: bytes, value: bytes, ttl_ms: int) -> bytes:
    """Return a SET request that expires after `ttl_ms` (1 or more); its reply is b"OK"."""
    try:
        head, value_head = _SET_PX_HEADS[len(key)], VALUE_HEADS[len(value)]
    except IndexError:
        return command(b"SET", key, value, b"PX", b"%d" % ttl_ms)
    return b"".join((head, key, value_head, value, _expiry(ttl_ms)))


@lru_cache(maxsize=64)
def _expiry(ttl_ms: int) -> bytes:
    """Return the bytes after the value of a SET that expires."""
    digits = b"%d" % ttl_ms
    return b"\r\n$2\r\nPX\r\n$%d\r\n%b\r\n" % (len(digits), digits)


def asking() -> bytes:
    """Return an ASKING request, which precedes a request redirected by ASK; its reply is b"OK"."""
    return b"*1\r\n$6\r\nASKING\r\n"


# ---------------------------------------------------------------- Redis Cluster


def key_slot(key: bytes) -> int:
    """Return the hash slot of a key: its CRC16 (XMODEM) modulo 16384.

    If the key contains a non-empty {...}, only the first such part is hashed (Redis Cluster specification, "Hash
    tags").
    """
    if 123 in key:  # "{". Performance: twice as fast as `b"{" in key`.
        begin = key.find(b"{") + 1
        end = key.find(b"}", begin)
        if end > begin:
            key = key[begin:end]
    return crc_hqx(key, 0) & (SLOTS - 1)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The node that serves a slot: from now on (MOVED), or for one request after ASKING (`ask`).

    `host` is empty if the server means the host that was asked.
    """

    slot: int
    host: str
    port: int
    ask: bool


def redirect(error: RedisErrorReply) -> Redirect | None:
    """Return the redirect in `error`, such as "MOVED 3999 10.0.0.1:6381".

    Return None if `error` is not a redirect or cannot be followed ("?" is the host of a node without a known host
    name; a port has 16 bits).
    """
    if error.code not in ("MOVED", "ASK"):
        return None
    try:
        _, slot, address = error.message.split(" ")
        host, colon, port = address.rpartition(":")
    except ValueError:
        return None
    slot_number, port_number = foreign_number(slot), foreign_number(port)
    if not colon or host == "?" or slot_number is None or port_number is None:
        return None
    if not 0 < port_number < 65_536:
        return None
    return Redirect(slot_number, host, port_number, error.code == "ASK")


SLOTS = 16_384
"""Number of hash slots in a Redis Cluster. Fixed by the protocol."""
