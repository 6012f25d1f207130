"""Separate pasted text from keys in what the terminal sends, so that no pasted character acts as a key."""

from __future__ import annotations

PASTE_START = b"\x1b[200~"
"""What a terminal sends before pasted text."""
PASTE_END = b"\x1b[201~"
"""What a terminal sends after pasted text."""

SILENCE_S = 2.0
"""Silence in seconds after which a paste without an end is taken to be over. Without it, no key would work again."""

KEPT_BYTES = 4096
"""Maximum size in bytes of the pasted text that is kept. The rest is discarded."""


class PasteSplitter:
    """A splitter of terminal input into keys and pasted text.

    Markers within a paste are counted, so that pasted text which holds markers does not end its own paste early.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._held = b""
        self._pasted = bytearray()
        self._last_s = 0.0

    def feed(self, data: bytes, now_s: float) -> tuple[bytes, tuple[str, ...]]:
        """Return the keys in `data`, and the texts whose paste has ended; `now_s` is a monotonic time in seconds.

        A part of a marker at the end is held back until more input comes. Empty `data` tells that none came since the
        last call: what was held back is then a key, and a paste that has been silent for long is over.
        """
        if not data:
            return self._release(now_s)
        self._last_s = now_s
        data, self._held = self._held + data, b""
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
            elif not self._depth:
                # The end of a paste whose start was not seen: what came before it was pasted.
                keys.clear()
            else:
                self._take(before, keys)
                self._depth -= 1
                if not self._depth:
                    texts.append(self._text())
        return bytes(keys), tuple(texts)

    def _release(self, now_s: float) -> tuple[bytes, tuple[str, ...]]:
        """Return what was held back, and the text of a paste that has been silent for `SILENCE_S` seconds."""
        if not self._depth:
            keys, self._held = self._held, b""
            return keys, ()
        if now_s - self._last_s < SILENCE_S:
            return b"", ()
        self._depth = 0
        self._held = b""
        return b"", (self._text(),)

    def _take(self, data: bytes, keys: bytearray) -> None:
        """Append `data` to the paste that is under way, else to `keys`."""
        if self._depth:
            self._pasted += data[: KEPT_BYTES - len(self._pasted)]
        else:
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
