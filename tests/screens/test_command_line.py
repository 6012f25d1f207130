"""From the command line to the terminal: what the screen's options do, and how often a fault is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.support.pty import OnPty
from tests.support.pty_command import BROKEN

SIZE = (120, 36)

MOUSE = b"\x1b[?1000h"
"""Asks a terminal for mouse reports."""


def command(*arguments: str, environ: Mapping[str, str] | None = None) -> OnPty:
    """`telemon` with these arguments."""
    return OnPty(*arguments, size=SIZE, environ=environ, module="tests.support.pty_command")


def quit_with(screen: OnPty) -> dict[str, Any]:
    """Press q; what was told."""
    screen.press("q")
    code, told = screen.result(15)
    assert code == 0
    found: dict[str, Any] = json.loads(told)
    assert found["code"] == 0
    return found


def graphics(received: bytes) -> set[str]:
    """The parameters of all SGR sequences, those of a colour as one: "31", "38;2;1;2;3"."""
    found: set[str] = set()
    for sequence in re.findall(rb"\x1b\[([0-9;]*)m", received):
        found |= set(re.findall(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+", sequence.decode()))
    return found


def colours(codes: Iterable[str]) -> set[str]:
    """Those that ask for a colour; 39 and 49 are the terminal's own."""
    kinds = re.compile(r"[34][0-7]|9[0-7]|10[0-7]|[34]8;.*")
    return {code for code in codes if kinds.fullmatch(code)}


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [((), {"NO_COLOR": "1"}), (("--color", "none"), {})],
    ids=["NO_COLOR", "--color none"],
)
def test_no_colour_is_sent(arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    """Neither by the race, nor by help, palette and toasts, which are Textual's."""
    with command(*arguments, environ=environ) as screen:
        assert screen.drain_until(b"racing", 20)
        for keys, shown in (
            ("?", b"esc closes"),
            ("\x1b", b""),
            ("c", b"copied"),
            ("\x10", b"pause"),
        ):
            screen.press(keys)
            screen.drain(0.3)
            assert screen.drain_until(shown, 5), shown
        screen.press("\x1b")
        # On a busy machine a key that follows soon is read together with it, and means another key.
        screen.drain(2.0)
        assert quit_with(screen)["color"] == "none"
        assert colours(graphics(bytes(screen.received))) == set()


def test_what_was_said_wins_over_no_color() -> None:
    with command("--color", "truecolor", environ={"NO_COLOR": "1"}) as screen:
        assert screen.drain_until(b"racing", 20)
        assert quit_with(screen)["color"] == "truecolor"
        sent = colours(graphics(bytes(screen.received)))
        hues = {code for code in sent if len(set(code.split(";")[2:])) > 1}
        # Not shades of grey, either.
        assert len(hues) > 5


def test_options_reach_the_screen() -> None:
    with command(
        "--stage", "--hold", "--no-mouse", "--color", "16", "--glyphs", "ascii", "--fps", "9"
    ) as screen:
        # The plates of the stage, and its badge.
        assert screen.drain_until(b"AT THE START LINE", 20)
        assert screen.drain_until(b"WRITES", 5)
        told = quit_with(screen)
        received = bytes(screen.received)
    assert told["hold"]
    assert told["held"]
    assert told["stage"]
    assert (told["color"], told["glyphs"], told["fps"], told["mouse"]) == ("16", "ascii", 9, False)
    assert not told["mouse_asked"]
    assert MOUSE not in received
    assert not re.search(rb"[34]8;[25];", received)
    assert all(ord(char) < 128 for char in received.decode())


def test_without_options_the_terminal_decides() -> None:
    with command() as screen:
        assert screen.drain_until(b"racing", 20)
        told = quit_with(screen)
        received = bytes(screen.received)
    assert not told["hold"]
    assert not told["stage"]
    assert (told["color"], told["glyphs"], told["fps"], told["mouse"]) == (
        "truecolor",
        "braille",
        4,
        True,
    )
    assert MOUSE in received


@pytest.mark.parametrize(
    ("broken", "said"),
    [("start", "nothing was measured: mysql: engine died [1]"), ("race", "the engines are [gone]")],
)
def test_a_fault_is_said_once(broken: str, said: str) -> None:
    with command(environ={BROKEN: broken}) as screen:
        code, told = screen.result(30)
        assert code == 0
        assert json.loads(told)["code"] == 1
        # Beneath the screen, where it stays.
        text = bytes(screen.received).rpartition(b"\x1b[?1049l")[2].decode()
        assert text.count(said) == 1, text
        assert f"telemon: {said}" in text
