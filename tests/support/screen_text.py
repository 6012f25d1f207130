"""A screen as a small text file: its rows, and the style of every run of cells. A tenth of an SVG, and a diff shows
what has changed."""

from __future__ import annotations

from itertools import groupby
from string import ascii_letters
from typing import Any

from rich.style import Style
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.app import App


class TextPicture(SingleFileSnapshotExtension):
    """Keeps a picture in a file of its own."""

    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


def picture(app: App[Any]) -> str:
    """The rows between bars, so that no blank is lost; then the runs of each row, and what their letters stand for."""
    letters: dict[str, str] = {}
    rows, runs = [], []
    for strip in app.screen._compositor.render_strips():
        rows.append("|" + "".join(segment.text for segment in strip) + "|")
        cells = []
        for segment in strip:
            words = _words(segment.style)
            letter = letters.setdefault(words, ascii_letters[len(letters)])
            cells.append((letter, segment.cell_length))
        joined = groupby(cells, key=lambda run: run[0])
        runs.append(" ".join(f"{letter}{sum(n for _, n in found)}" for letter, found in joined))
    legend = [f"{letter} {words}" for words, letter in letters.items()]
    return "\n".join([*rows, "", *runs, "", *legend, ""])


def _words(style: Style | None) -> str:
    """Colours and attributes, nothing of what a style means to Textual."""
    if style is None:
        return "none"
    words = [
        word for word in ("bold", "dim", "italic", "underline", "reverse") if getattr(style, word)
    ]
    if style.color is not None:
        words.append(style.color.name)
    if style.bgcolor is not None:
        words.append(f"on {style.bgcolor.name}")
    return " ".join(words) or "none"
