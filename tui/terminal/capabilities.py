"""What the terminal can do and what would be kind to the line behind it. Read from outside, never set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Color = Literal["truecolor", "256", "16", "none"]
Glyphs = Literal["braille", "block", "ascii"]

COLORS = ("auto", "truecolor", "256", "16", "none")
GLYPHS = ("auto", "braille", "block", "ascii")

LOCAL_FPS = 4.0
REMOTE_FPS = 2.0

REMOTE_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
MULTIPLEXER_VARIABLES = ("TMUX", "STY", "ZELLIJ")

DUMB_TERMS = ("", "dumb", "unknown")
"""What TERM says of a terminal that cannot move its cursor."""

POOR_TERMS = ("dumb", "unknown", "vt100", "vt102", "vt220")


@dataclass(frozen=True, slots=True)
class TerminalOptions:
    """What the user said of the terminal; None and "auto" leave it to `Terminal.detect`."""

    color: str = "auto"
    glyphs: str = "auto"
    fps: float | None = None
    mouse: bool | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """How to draw: `fps` frames per second at most, `mouse` whether to ask for mouse reports (a reattached session
    that has lost its mouse mode would send ones that nobody can read), `animation` whether anything may move that is
    not data. `remote` says that it is reached through SSH, `multiplexed` that tmux, screen or zellij stands before
    it."""

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
        """The terminal that `environ` describes; `encoding` is that of the stream drawn on. What was said wins, and
        NO_COLOR (any value but the empty one) wins over the terminal. Raises ValueError for an unknown colour or
        glyph name or a rate that is not above 0."""
        flags = flags or TerminalOptions()
        remote = any(environ.get(variable) for variable in REMOTE_VARIABLES)
        term = environ.get("TERM", "").lower()
        multiplexed = term.startswith(("screen", "tmux")) or any(
            environ.get(variable) for variable in MULTIPLEXER_VARIABLES
        )
        detached = remote or multiplexed
        found = Terminal(
            color=_color(environ, term),
            glyphs=_glyphs(encoding, term),
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
    """Whether the terminal that `environ` describes can show a screen at all."""
    return environ.get("TERM", "").lower() not in DUMB_TERMS


def _color(environ: Mapping[str, str], term: str) -> Color:
    if environ.get("NO_COLOR") or term in ("dumb", "unknown"):
        return "none"
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    if "256color" in term or term.endswith(("-direct", "kitty")):
        return "truecolor" if term.endswith(("-direct", "kitty")) else "256"
    return "16"


def _glyphs(encoding: str | None, term: str) -> Glyphs:
    if (encoding or "").lower().replace("-", "").replace("_", "") != "utf8" or term in POOR_TERMS:
        return "ascii"
    # The Linux console's font has blocks but no braille.
    return "block" if term == "linux" else "braille"
