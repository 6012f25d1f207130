"""What is made of an environment, and what was asked for beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    ("locale", "glyphs"),
    [
        ({"LANG": "en_US.UTF-8"}, "braille"),
        ({"LANG": "de_DE.utf8@euro"}, "braille"),
        ({"LANG": "C.UTF-8"}, "braille"),
        ({"LANG": "en_US"}, "braille"),
        ({"LANG": "C"}, "ascii"),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, "ascii"),
        ({"LC_CTYPE": "C", "LANG": "en_US.UTF-8"}, "ascii"),
        ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "en_US.ISO-8859-1"}, "ascii"),
        ({"LANG": "ja_JP.eucJP"}, "ascii"),
        ({}, "braille"),
        ({"TMUX": "x"}, "ascii"),
        ({"TMUX": "x", "LC_CTYPE": "UTF-8"}, "braille"),
        ({"TMUX": "x", "LANG": "en_US.UTF-8"}, "braille"),
        ({"TMUX": "x", "LANG": "en_US"}, "ascii"),
        ({"TMUX": "x", "LANG": "de_DE@euro"}, "ascii"),
        ({"STY": "x", "LC_ALL": "de_DE"}, "ascii"),
        ({"LC_CTYPE": "UTF-8"}, "braille"),
        ({"TERM": "screen-256color"}, "ascii"),
    ],
    ids=str,
)
def test_a_locale_without_utf_8_gets_no_character_that_it_does_not_have(
    locale: dict[str, str], glyphs: str
) -> None:
    """Python itself calls the encoding UTF-8 in the C locale."""
    assert Terminal.detect({**LOCAL, **locale}, "utf-8").glyphs == glyphs


@pytest.mark.parametrize(
    ("locale", "glyphs"),
    [
        ({"LC_ALL": "C"}, "ascii"),
        ({"LC_ALL": "POSIX"}, "ascii"),
        ({"LANG": "C"}, "ascii"),
        ({"TMUX": "x"}, "ascii"),
        ({"LANG": "C.UTF-8"}, "braille"),
        ({"LC_CTYPE": "C.UTF-8", "TMUX": "x"}, "braille"),
    ],
    ids=str,
)
def test_what_python_makes_of_the_c_locale_is_not_taken_for_the_user_s(
    locale: dict[str, str], glyphs: str
) -> None:
    code = (
        "import os, sys; from tui.terminal.capabilities import Terminal, started_environ; "
        "print(Terminal.detect(started_environ(os.environ), sys.stderr.encoding).glyphs)"
    )
    environ = {"PATH": os.defpath, "TERM": "xterm-256color", **locale}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == f"{glyphs}\n"
