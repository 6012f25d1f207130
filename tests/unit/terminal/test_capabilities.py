"""What is made of an environment, and what was asked for beside it."""

from __future__ import annotations

import pytest

from tui.terminal.capabilities import Terminal, TerminalOptions, can_draw

LOCAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def test_a_good_local_terminal() -> None:
    assert Terminal.detect(LOCAL) == Terminal("truecolor", "braille", 4.0, True, True, False)


@pytest.mark.parametrize("sign", ["SSH_CONNECTION", "SSH_TTY", "TMUX", "STY"])
def test_distant_or_detachable_ones_are_spared(sign: str) -> None:
    found = Terminal.detect({**LOCAL, sign: "x"})
    assert (found.mouse, found.animation, found.fps) == (False, False, 2.0)


def test_a_multiplexer_is_not_afar() -> None:
    found = Terminal.detect({**LOCAL, "TMUX": "x"})
    assert (found.remote, found.multiplexed) == (False, True)
    found = Terminal.detect({**LOCAL, "SSH_TTY": "x"})
    assert (found.remote, found.multiplexed) == (True, False)


@pytest.mark.parametrize(
    ("environ", "can"),
    [(LOCAL, True), ({"TERM": "vt100"}, True), ({"TERM": "Dumb"}, False), ({"TERM": "unknown"}, False), ({}, False)],
)  # fmt: skip
def test_a_dumb_terminal_cannot_draw(environ: dict[str, str], can: bool) -> None:
    assert can_draw(environ) == can


def test_multiplexers_are_known_by_their_terms_too() -> None:
    assert Terminal.detect({"TERM": "screen-256color"}).mouse is False
    assert Terminal.detect({"TERM": "tmux-256color"}).fps == 2.0


@pytest.mark.parametrize(
    ("environ", "color"),
    [
        (LOCAL, "truecolor"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "dumb"}, "none"),
        ({}, "16"),
        ({**LOCAL, "NO_COLOR": "1"}, "none"),
        ({**LOCAL, "NO_COLOR": ""}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
    ],
)
def test_colors(environ: dict[str, str], color: str) -> None:
    assert Terminal.detect(environ).color == color


@pytest.mark.parametrize(
    ("encoding", "term", "glyphs"),
    [
        ("utf-8", "xterm", "braille"), ("UTF8", "xterm", "braille"), ("ascii", "xterm", "ascii"),
        ("iso8859-1", "xterm", "ascii"), (None, "xterm", "ascii"), ("utf-8", "linux", "block"),
        ("utf-8", "vt100", "ascii"),
    ],
)  # fmt: skip
def test_glyphs(encoding: str | None, term: str, glyphs: str) -> None:
    assert Terminal.detect({"TERM": term}, encoding).glyphs == glyphs


def test_what_was_said_wins() -> None:
    flags = TerminalOptions(color="16", glyphs="block", fps=10, mouse=True)
    found = Terminal.detect({**LOCAL, "TMUX": "x", "NO_COLOR": "1"}, "ascii", flags)
    assert (found.color, found.glyphs, found.fps, found.mouse) == ("16", "block", 10, True)
    assert found.animation is False


@pytest.mark.parametrize(
    "flags",
    [
        TerminalOptions(color="pink"),
        TerminalOptions(glyphs="emoji"),
        TerminalOptions(fps=0),
        TerminalOptions(fps=61),
    ],
)
def test_nonsense_is_refused(flags: TerminalOptions) -> None:
    with pytest.raises(ValueError, match="must be"):
        Terminal.detect(LOCAL, "utf-8", flags)
