"""Limits of RESP replies, checked on the bytes before anything is built of them.

hiredis allocates a list as soon as it has read its length, fails with a TypeError for a key that cannot be hashed, and
nests as deep as the server likes.
"""

from __future__ import annotations

from engines.wire.reply import MAX_REPLY_BYTES, ProtocolError, ReplyTooLargeError

MAX_ELEMENTS = 4_096
"""Largest number of elements of a reply to a request of the race, those of nested lists included."""

MAX_DEPTH = 8
"""Deepest nesting of lists. CLUSTER SLOTS, the deepest reply that telemon asks for, has four levels."""

MAX_LENGTH_DIGITS = 20
"""Longest length of a value or a list that is read; 64 bits need no more. Python refuses more than 4,300 digits."""

MAX_LINE_BYTES = 8_192
"""Longest line: a simple string, an error, a number or a length."""

_LINES, _BULKS, _LISTS = b"+-:_#,(", b"$=", b"*~%"
_MAP = 0x25


class ReplyScanner:
    """Follows the replies of one connection through the bytes received, and refuses those beyond the limits.

    It reads lengths only. What is malformed otherwise is left to hiredis, which raises an error for it.
    """

    __slots__ = ("_bytes", "_elements", "_left", "_line", "_maps", "_max", "_skip")

    def __init__(self, max_bytes: int = MAX_REPLY_BYTES, max_elements: int = MAX_ELEMENTS) -> None:
        self._max = max_bytes, max_elements
        self._line = b""
        """Beginning of a line whose end has not come yet."""
        self._skip = 0
        """Bytes left of the current bulk string, its end included."""
        self._left: list[int] = []
        """Elements left of each list that has begun, the outermost first."""
        self._maps: list[bool] = []
        """Whether each of these lists is a map."""
        self._bytes = 0
        self._elements = 0

    def scan(self, data: bytes) -> None:
        """Follow `data`, the bytes received since the last call.

        Raises ReplyTooLargeError, and ProtocolError for what hiredis would turn into something else than a reply.
        """
        data = self._line + data
        at, size = 0, len(data)
        while at < size:
            if self._skip:
                skipped = min(self._skip, size - at)
                self._skip -= skipped
                at += skipped
                if not self._skip:
                    self._end_value()
                continue
            end = data.find(b"\r\n", at)
            if (size if end < 0 else end) - at > MAX_LINE_BYTES:
                raise ReplyTooLargeError(f"a line of Redis exceeds {MAX_LINE_BYTES:,} bytes")
            if end < 0:
                break
            self._read_line(data[at:end])
            at = end + 2
        self._line = data[at:]

    def _read_line(self, line: bytes) -> None:
        """Follow a line, which ends a value or begins a bulk string or a list."""
        self._count(bytes_=len(line) + 2)
        kind, length = line[:1], line[1:]
        if not kind or kind not in _LINES + _BULKS + _LISTS:
            raise ProtocolError(f"a reply of Redis does not begin with {kind!r}")
        if kind in _LINES or not length.isdigit():
            # A negative length stands for nil. hiredis raises an error for any other.
            self._end_value()
            return
        if len(length) > MAX_LENGTH_DIGITS:
            raise ReplyTooLargeError(
                f"a length of Redis exceeds {MAX_LENGTH_DIGITS} digits: {len(length):,}"
            )
        count = int(length)
        if kind in _BULKS:
            self._count(bytes_=count + 2)
            self._skip = count + 2
            return
        if self._maps and self._maps[-1] and self._left[-1] % 2 == 0:
            raise ProtocolError("a key of a map is a list")
        if line[0] == _MAP:
            count *= 2
        self._count(elements=count)
        if not count:
            self._end_value()
            return
        self._left.append(count)
        self._maps.append(line[0] == _MAP)
        if len(self._left) > MAX_DEPTH:
            raise ReplyTooLargeError(f"a reply of Redis is nested deeper than {MAX_DEPTH} levels")

    def _count(self, *, bytes_: int = 0, elements: int = 0) -> None:
        """Count towards the limits of the current reply."""
        max_bytes, max_elements = self._max
        self._bytes += bytes_
        self._elements += elements
        if self._bytes > max_bytes:
            raise ReplyTooLargeError(f"a reply of Redis exceeds {max_bytes:,} bytes")
        if self._elements > max_elements:
            raise ReplyTooLargeError(f"a reply of Redis exceeds {max_elements:,} elements")

    def _end_value(self) -> None:
        """Note that a value is complete, and with it each list whose last element it is."""
        while self._left:
            self._left[-1] -= 1
            if self._left[-1]:
                return
            self._left.pop()
            self._maps.pop()
        self._bytes = self._elements = 0
