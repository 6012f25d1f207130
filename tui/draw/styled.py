"""Lines of text as plain data: what a widget shows, independent of terminal and stylesheet.

A span is (text, style name). The stylesheet gives each style name its colours. Since spans are not markup, text from a
server cannot become markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from engines.model.lanes import LANES

Span = tuple[str, str]
"""A text and its style name."""
Line = tuple[Span, ...]
"""One row of text."""

TEXT = "text"
QUIET = "quiet"
STRONG = "strong"
GOOD = "good"
WARN = "warn"
BAD = "bad"
BADGE = "badge"

STYLES = (TEXT, QUIET, STRONG, GOOD, WARN, BAD, BADGE, *LANES, *(f"{lane}-text" for lane in LANES))
"""All style names.

A lane's style has the lane's id as its name; the style with `-text` is for text that must be readable.
"""

BLANK: Line = ()
"""An empty row."""


def width(line: Iterable[Span]) -> int:
    """Return the width of the spans in cells."""
    return sum(cell_len(text) for text, _ in line)


def fit(spans: Iterable[Span], cells: int) -> Line:
    """Return the line cut or padded to exactly `cells` cells, with empty spans dropped and spans of equal style joined.

    Performance: joining matters, because each span costs a colour sequence in every frame that repaints the row.
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
    """Return the first variant that takes at most `cells` cells; empty where none does.

    For text that would be wrong if it were cut, such as a figure.
    """
    return next((list(spans) for spans in variants if width(spans) <= cells), [])


def justify(left: Iterable[Span], right: Iterable[Span], cells: int) -> Line:
    """Return `left` at the left edge and `right` at the right edge. If they do not both fit, `left` is cut."""
    end = tuple(right)
    available = cells - width(end)
    if available <= 0:
        return fit(end, cells)
    return fit((*fit(left, available), *end), cells)


def ascii_line(line: Line) -> Line:
    """Return the line in ASCII with the same width, for a terminal that cannot show other characters."""
    return tuple((to_ascii(text), style) for text, style in line)


_ASCII = str.maketrans("…·━─│▌●▲■✓✗█░▶▸", "~.=-||o^#+x#.>>")
"""Similar ASCII characters of the characters outside ASCII that the screen uses."""


def to_ascii(text: str) -> str:
    """Return `text` with a similar ASCII character of one cell for each other character.

    A character without a similar one becomes a question mark.
    """
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else "?" * max(cell_len(char), 0) for char in text.translate(_ASCII)
    )
