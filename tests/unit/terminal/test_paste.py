"""Pasted text never reaches the keys, however it is cut, nested or left without an end."""

from __future__ import annotations

import pytest

from tui.terminal.paste import (
    INTERRUPTS,
    KEPT_BYTES,
    PASTE_END,
    PASTE_START,
    SILENCE_S,
    PasteSplitter,
)


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
    assert splitter.feed(b"q", 30.0) == (b"q", ())


def test_the_rest_of_a_paste_that_stalled_is_dropped_up_to_a_pause() -> None:
    splitter = PasteSplitter()
    splitter.feed(PASTE_START + b"r", 10.0)
    assert splitter.feed(b"", 12.1) == (b"", ("r",))
    assert splitter.feed(b"rrr", 12.1) == (b"", ())
    assert splitter.feed(b"r", 12.4) == (b"", ())
    assert splitter.feed(b"", 12.7) == (b"", ())
    assert splitter.feed(b"q", 13.0) == (b"q", ())


def test_the_late_end_of_a_paste_that_stalled_makes_keys_keys() -> None:
    splitter = PasteSplitter()
    splitter.feed(PASTE_START + b"r", 10.0)
    splitter.feed(b"", 12.1)
    assert splitter.feed(b"rrr" + PASTE_END + b"q", 15.0) == (b"q", ())
    assert splitter.feed(b"w", 15.1) == (b"w", ())


@pytest.mark.parametrize("size", range(1, len(PASTE_START)))
def test_a_start_whose_halves_come_far_apart_is_a_start(size: int) -> None:
    splitter = PasteSplitter()
    keys = b""
    for data, now_s in (
        (PASTE_START[:size], 10.0),
        (b"", 10.05),
        (b"", 10.4),
        (PASTE_START[size:] + b"rrr", 10.5),
        (PASTE_END + b"q", 10.6),
    ):
        keys += splitter.feed(data, now_s)[0]
    # Escape and Alt-[ cannot be told from so short a beginning.
    assert keys == (PASTE_START[:size] if size < 3 else b"") + b"q"


def test_part_of_a_marker_is_a_key_in_the_end() -> None:
    splitter = PasteSplitter()
    splitter.feed(b"\x1b[2", 10.0)
    assert splitter.feed(b"~", 10.1) == (b"\x1b[2~", ())
    splitter.feed(b"\x1b[20", 11.0)
    assert splitter.feed(b"", 12.1) == (b"\x1b[20", ())


@pytest.mark.parametrize("key", INTERRUPTS)
def test_ctrl_c_gets_out_of_every_paste(key: bytes) -> None:
    for sent in (PASTE_START + b"r", PASTE_START * 3 + b"r" + PASTE_END):
        splitter = PasteSplitter()
        splitter.feed(sent, 10.0)
        assert splitter.feed(b"q", 10.1) == (b"", ())
        assert splitter.feed(key, 10.2) == (key, ("rq",))
        assert splitter.feed(b"q", 10.3) == (b"q", ())
    splitter = PasteSplitter()
    splitter.feed(PASTE_START, 10.0)
    splitter.feed(b"", 12.1)
    assert splitter.feed(key, 12.2) == (key, ())


def test_a_paste_with_a_start_too_many_is_over_after_a_short_pause() -> None:
    splitter = PasteSplitter()
    assert splitter.feed(PASTE_START + b"r" + PASTE_START + b"r" + PASTE_END, 10.0) == (b"", ())
    assert splitter.feed(b"", 10.6) == (b"", ("rr",))
    assert splitter.feed(b"q", 10.7) == (b"q", ())


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
