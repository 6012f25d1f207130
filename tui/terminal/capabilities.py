"""Detect what the terminal can show, and what suits the connection behind it. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Color = Literal["truecolor", "256", "16", "none"]
"""Number of colours that the terminal can show."""
Glyphs = Literal["braille", "block", "ascii"]
"""Characters that charts are drawn with."""

COLORS = ("auto", "truecolor", "256", "16", "none")
"""Values of the option `--color`."""
GLYPHS = ("auto", "braille", "block", "ascii")
"""Values of the option `--glyphs`."""

LOCAL_FPS = 4.0
"""Frames per second on a local terminal."""
REMOTE_FPS = 2.0
"""Frames per second through SSH or a terminal multiplexer."""

REMOTE_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
"""Environment variables that SSH sets."""
MULTIPLEXER_VARIABLES = ("TMUX", "STY", "ZELLIJ")
"""Environment variables that tmux, screen and zellij set."""

LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
"""Environment variables that name the locale of characters; the first that is not empty counts."""

DUMB_TERMS = ("", "dumb", "unknown")
"""Values of TERM for a terminal that cannot move its cursor."""

POOR_TERMS = ("dumb", "unknown", "vt100", "vt102", "vt220")
"""Values of TERM for a terminal that gets ASCII only."""


@dataclass(frozen=True, slots=True)
class TerminalOptions:
    """The user's options for the terminal. None and "auto" leave the choice to `Terminal.detect`."""

    color: str = "auto"
    glyphs: str = "auto"
    fps: float | None = None
    mouse: bool | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """How to draw on the terminal.

    `fps` is the maximum number of frames per second. `mouse` says whether to request mouse reports: a reattached
    session that has lost its mouse mode would send reports that cannot be decoded. `animation` says whether anything
    but data may move. `remote` says that the terminal is reached through SSH, `multiplexed` that tmux, screen or zellij
    is in between.
    """

    color: Color = "truecolor"
    glyphs: Glyphs = "braille"
    fps: float = LOCAL_FPS
    mouse: bool = True
    animation: bool = True
    remote: bool = False
    multiplexed: bool = False

    @staticmethod
    def detect(
        environ: Mapping[str, str],
        encoding: str | None = "utf-8",
        flags: TerminalOptions | None = None,
    ) -> Terminal:
        """Return the terminal that `environ` describes; `encoding` is that of the stream to draw on.

        Options win over detection, and NO_COLOR (any value but the empty one) wins over the terminal. Raises ValueError
        for an unknown colour or glyph name, and for a rate that is not above 0 and at most 60.
        """
        flags = flags or TerminalOptions()
        remote = any(environ.get(variable) for variable in REMOTE_VARIABLES)
        term = environ.get("TERM", "").lower()
        multiplexed = term.startswith(("screen", "tmux")) or any(
            environ.get(variable) for variable in MULTIPLEXER_VARIABLES
        )
        detached = remote or multiplexed
        found = Terminal(
            color=_color(environ, term),
            glyphs=_glyphs(encoding, term) if _shows_utf_8(environ, multiplexed) else "ascii",
            fps=REMOTE_FPS if detached else LOCAL_FPS,
            mouse=not detached,
            animation=not detached,
            remote=remote,
            multiplexed=multiplexed,
        )
        if flags.color != "auto":
            if flags.color not in COLORS:
                raise ValueError(f"color {flags.color}: must be one of {', '.join(COLORS)}")
            found = replace(found, color=flags.color)  # type: ignore[arg-type]
        if flags.glyphs != "auto":
            if flags.glyphs not in GLYPHS:
                raise ValueError(f"glyphs {flags.glyphs}: must be one of {', '.join(GLYPHS)}")
            found = replace(found, glyphs=flags.glyphs)  # type: ignore[arg-type]
        if flags.fps is not None:
            if not 0 < flags.fps <= 60:
                raise ValueError(f"fps {flags.fps:g}: must be above 0 and at most 60")
            found = replace(found, fps=flags.fps)
        if flags.mouse is not None:
            found = replace(found, mouse=flags.mouse)
        return found


def can_draw(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal that `environ` describes can show a screen at all."""
    return environ.get("TERM", "").lower() not in DUMB_TERMS


def _color(environ: Mapping[str, str], term: str) -> Color:
    """Return the number of colours that the environment promises."""
    if environ.get("NO_COLOR") or term in ("dumb", "unknown"):
        return "none"
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    if "256color" in term or term.endswith(("-direct", "kitty")):
        return "truecolor" if term.endswith(("-direct", "kitty")) else "256"
    return "16"


def started_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return `environ` with the LC_CTYPE that this process was started with.

    In the C locale Python sets it to C.UTF-8 when it starts (PEP 538), which says nothing about the terminal. Where
    there is no /proc, `environ` is returned as it is.
    """
    try:
        pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return environ
    found = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
    return {**environ, "LC_CTYPE": os.fsdecode(found.get(b"LC_CTYPE", b""))}


def is_utf_8(name: str | None) -> bool:
    """Return whether an encoding, or the codeset of a locale, is UTF-8, however it is written."""
    return (name or "").lower().replace("-", "").replace("_", "") == "utf8"


def _shows_utf_8(environ: Mapping[str, str], multiplexed: bool) -> bool:
    """Return whether the locale lets a terminal show more than ASCII.

    tmux and screen show an underscore for each character that the locale does not have. Without any locale only they
    are known not to show it: a container has none, and its terminal is the user's own.
    """
    name = next((environ[name] for name in LOCALE_VARIABLES if environ.get(name)), "")
    if not name:
        return not multiplexed
    language, _, codeset = name.partition(".")
    if codeset:
        return is_utf_8(codeset.partition("@")[0])
    if multiplexed:
        # Most locales without a codeset in their name are ISO-8859-1. macOS calls its own plainly UTF-8.
        return is_utf_8(language)
    return language.upper() not in ("C", "POSIX")


def _glyphs(encoding: str | None, term: str) -> Glyphs:
    """Return the glyphs that encoding and terminal can show."""
    if not is_utf_8(encoding) or term in POOR_TERMS:
        return "ascii"
    # The font of the Linux console has blocks but no braille.
    return "block" if term == "linux" else "braille"
