"""Separate pasted text from keys in what the terminal sends, so that no pasted character acts as a key."""

from __future__ import annotations

PASTE_START = b"\x1b[200~"
"""What a terminal sends before pasted text."""
PASTE_END = b"\x1b[201~"
"""What a terminal sends after pasted text."""

SILENCE_S = 2.0
"""Silence in seconds after which a paste without an end is taken to be over. Without it, no key would work again."""

CUT_SILENCE_S = 0.5
"""Silence in seconds after which a paste is over that holds more starts than ends, once one end was seen."""

STALL_S = 10.0
"""How long after a silent paste, in seconds, the next input is still taken for its rest, and dropped."""

PAUSE_S = 0.5
"""Pause in seconds after dropped input, after which input is keys again."""

MARKER_WAIT_S = 1.0
"""How long a cut marker waits for its rest, in seconds, if it is more than a key may be."""

INTERRUPTS = (b"\x03", b"\x1b[99;5u")
"""Ctrl-C, plainly and in the keyboard protocol. Alone in a read it is a key, whatever came before it."""

KEPT_BYTES = 4096
"""Maximum size in bytes of the pasted text that is kept. The rest is discarded."""


class PasteSplitter:
    """A splitter of terminal input into keys and pasted text.

    Markers within a paste are counted, so that pasted text which holds markers does not end its own paste early. A
    paste whose end is lost is over after a silence. What comes then may be its rest from a slow line, and is dropped
    up to the next pause. Ctrl-C alone in a read always ends the paste and is a key, so that no paste locks a user in.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._held = b""
        self._pasted = bytearray()
        self._last_s = 0.0
        self._end_seen = False
        self._drop_until_s: float | None = None
        self._released = b""

    def feed(self, data: bytes, now_s: float) -> tuple[bytes, tuple[str, ...]]:
        """Return the keys in `data`, and the texts whose paste has ended; `now_s` is a monotonic time in seconds.

        A part of a marker at the end is held back until more input comes. Empty `data` tells that none came since the
        last call: what was held back is then a key, and a paste that has been silent for long is over.
        """
        if self._drop_until_s is not None and now_s >= self._drop_until_s:
            self._drop_until_s, self._held = None, b""
        if not data:
            return self._release(now_s)
        if data in INTERRUPTS:
            return self._interrupt(data)
        data, self._held = self._rejoined(data, now_s), b""
        self._last_s = now_s
        if self._drop_until_s is not None:
            self._drop_until_s = now_s + PAUSE_S
        keys = bytearray()
        texts: list[str] = []
        while data:
            before, marker, data = _next_marker(data)
            if not marker:
                held = _partial_bytes(before)
                self._held = before[len(before) - held :]
                self._take(before[: len(before) - held], keys)
            elif marker == PASTE_START:
                self._take(before, keys)
                self._depth += 1
                self._drop_until_s = None
            elif not self._depth:
                # The end of a paste whose start was not seen: what came before it was pasted.
                keys.clear()
                self._drop_until_s = None
            else:
                self._take(before, keys)
                self._depth -= 1
                self._end_seen = self._depth > 0
                if not self._depth:
                    texts.append(self._text())
        return bytes(keys), tuple(texts)

    def _rejoined(self, data: bytes, now_s: float) -> bytes:
        """Return `data` after what was held back, or after a start's beginning that was taken for the escape key."""
        released, self._released = self._released, b""
        late = not self._held and released and now_s - self._last_s < SILENCE_S
        if late and data.startswith(PASTE_START[len(released) :]):
            return released + data
        return self._held + data

    def _interrupt(self, key: bytes) -> tuple[bytes, tuple[str, ...]]:
        """Return `key`, and the text of the paste that it ends."""
        texts = (self._text(),) if self._depth else ()
        self._depth, self._held, self._drop_until_s, self._end_seen = 0, b"", None, False
        return key, texts

    def _release(self, now_s: float) -> tuple[bytes, tuple[str, ...]]:
        """Return what was held back for long enough, and the text of a paste that has been silent for long."""
        silent_s = now_s - self._last_s
        if not self._depth:
            cut = len(self._held) > len(b"\x1b[")
            if self._drop_until_s is not None or (cut and silent_s < MARKER_WAIT_S):
                return b"", ()
            keys, self._held = self._held, b""
            self._released = keys or self._released
            return keys, ()
        if silent_s < (CUT_SILENCE_S if self._end_seen else SILENCE_S):
            return b"", ()
        # After an end, only the count of the markers was wrong: there is no rest to wait for.
        self._drop_until_s = None if self._end_seen else now_s + STALL_S
        self._depth, self._held, self._end_seen = 0, b"", False
        return b"", (self._text(),)

    def _take(self, data: bytes, keys: bytearray) -> None:
        """Append `data` to the paste that is under way, else to `keys` unless it is dropped."""
        if self._depth:
            self._pasted += data[: KEPT_BYTES - len(self._pasted)]
        elif self._drop_until_s is None:
            keys += data

    def _text(self) -> str:
        """Return the pasted text without control characters other than line ends and tabs, and forget it."""
        text = self._pasted.decode("utf-8", "replace")
        self._pasted.clear()
        return "".join(
            character for character in text if character.isprintable() or character in "\r\n\t"
        )


def _next_marker(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what is before the first marker in `data`, the marker, and what is after it; no marker is empty."""
    found = [(at, marker) for marker in (PASTE_START, PASTE_END) if (at := data.find(marker)) >= 0]
    if not found:
        return data, b"", b""
    at, marker = min(found)
    return data[:at], marker, data[at + len(marker) :]


def _partial_bytes(data: bytes) -> int:
    """Return how many bytes at the end of `data` may be the beginning of a marker."""
    for size in range(len(PASTE_START) - 1, 0, -1):
        if data.endswith((PASTE_START[:size], PASTE_END[:size])):
            return size
    return 0
