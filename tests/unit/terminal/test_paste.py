"""Pasted text never reaches the keys, however it is cut, nested or left without an end."""

from __future__ import annotations

import pytest

from tui.terminal.paste import KEPT_BYTES, PASTE_END, PASTE_START, SILENCE_S, PasteSplitter


@pytest.mark.parametrize("step_bytes", [1, 2, 3, 5, 7, 4096])
@pytest.mark.parametrize(
    "pasted",
    [
        b"rrr",
        b"r\x1b[Ar\x1br\x1b",
        b"\x1b[20r",
        b"r" + PASTE_START + b"r" + PASTE_END + b"r",
        b"r\xffr",
    ],
    ids=["plain", "escapes", "part of a marker", "nested markers", "not UTF-8"],
)
def test_keys_around_a_paste_are_all_that_reach_the_keys(pasted: bytes, step_bytes: int) -> None:
    splitter = PasteSplitter()
    sent = b"w" + PASTE_START + pasted + PASTE_END + b"q"
    keys = b""
    texts: list[str] = []
    for at in range(0, len(sent), step_bytes):
        more, ended = splitter.feed(sent[at : at + step_bytes], 0.0)
        keys += more
        texts += ended
    assert keys == b"wq"
    assert len(texts) == 1
    assert "\x1b" not in texts[0]


def test_an_end_without_a_start_drops_what_came_before_it() -> None:
    assert PasteSplitter().feed(b"rrr" + PASTE_END + b"q", 0.0) == (b"q", ())


def test_a_paste_without_an_end_is_over_after_a_silence() -> None:
    splitter = PasteSplitter()
    assert splitter.feed(PASTE_START + b"rr", 10.0) == (b"", ())
    assert splitter.feed(b"", 10.0 + SILENCE_S / 2) == (b"", ())
    assert splitter.feed(b"r", 10.0 + SILENCE_S / 2) == (b"", ())
    assert splitter.feed(b"", 10.0 + SILENCE_S * 2) == (b"", ("rrr",))
    assert splitter.feed(b"q", 20.0) == (b"q", ())


def test_a_huge_paste_is_cut() -> None:
    splitter = PasteSplitter()
    splitter.feed(PASTE_START, 0.0)
    for _ in range(100):
        assert splitter.feed(b"r" * 4096, 0.0) == (b"", ())
    assert splitter.feed(PASTE_END, 0.0) == (b"", ("r" * KEPT_BYTES,))


def test_the_escape_key_is_a_key_when_nothing_follows() -> None:
    splitter = PasteSplitter()
    assert splitter.feed(b"\x1b", 0.0) == (b"", ())
    assert splitter.feed(b"", 0.1) == (b"\x1b", ())
