"""Lines of text as plain data: what a widget shows, before any terminal or stylesheet is involved.

A span is (text, ink); an ink is a name that a stylesheet gives a colour. Since nothing here is markup, no text from a
server can become any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
Line = tuple[Span, ...]

TEXT = "text"
QUIET = "quiet"
STRONG = "strong"
GOOD = "good"
WARN = "warn"
BAD = "bad"
BADGE = "badge"

LANES = ("mysql", "cached", "durable")

STYLES = (TEXT, QUIET, STRONG, GOOD, WARN, BAD, BADGE, *LANES, *(f"{lane}-text" for lane in LANES))
"""Every ink. A lane's own ink has the lane's id as its name; with `-text` it is the one for what must be read."""

BLANK: Line = ()


def width(line: Iterable[Span]) -> int:
    """How many cells the spans take."""
    return sum(cell_len(text) for text, _ in line)


def fit(spans: Iterable[Span], cells: int) -> Line:
    """The line cut or padded to exactly `cells` cells, empty spans dropped and neighbours of one ink joined.

    Joined spans matter: each costs a colour sequence in every frame that repaints the row.
    """
    kept: list[Span] = []
    left = cells
    for text, style in spans:
        if left <= 0:
            break
        if not text:
            continue
        taken = cell_len(text)
        if taken > left:
            text, taken = set_cell_size(text, left), left
        left -= taken
        if kept and (kept[-1][1] == style or (text.isspace() and style != BADGE != kept[-1][1])):
            kept[-1] = (kept[-1][0] + text, kept[-1][1])
        else:
            kept.append((text, style))
    if left > 0:
        if kept and kept[-1][1] != BADGE:
            kept[-1] = (kept[-1][0] + " " * left, kept[-1][1])
        else:
            kept.append((" " * left, TEXT))
    return tuple(kept)


def first_fitting(variants: Iterable[Sequence[Span]], cells: int) -> list[Span]:
    """The first of the variants that takes at most `cells` cells; nothing where none does. For what would say
    something else when it is cut, as a figure does."""
    return next((list(spans) for spans in variants if width(spans) <= cells), [])


def justify(left: Iterable[Span], right: Iterable[Span], cells: int) -> Line:
    """`left` at the left edge and `right` at the right one. Where both do not fit, `left` is cut."""
    end = tuple(right)
    available = cells - width(end)
    if available <= 0:
        return fit(end, cells)
    return fit((*fit(left, available), *end), cells)


def ascii_line(line: Line) -> Line:
    """The line in ASCII, cell for cell, for a terminal that knows nothing else."""
    return tuple((to_ascii(text), style) for text, style in line)


_ASCII = str.maketrans("…·━─│▌●▲■✓✗█░▶▸", "~.=-||o^#+x#.>>")


def to_ascii(text: str) -> str:
    """`text` with a look-alike of one cell for each character outside ASCII (a question mark where there is none)."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else "?" * max(cell_len(char), 0) for char in text.translate(_ASCII)
    )
