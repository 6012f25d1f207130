"""A widget made of plain lines that repaints only the cells that have changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.draw.styled import TEXT, Line, ascii_line, fit


class LinesWidget(Widget):
    """A widget that shows lines of spans. Its screen must be a `StyledScreen`, which has the colours.

    Performance: Textual does not compare cells, so this widget does. An unchanged row is not sent again. A changed row
    is sent up to its last changed cell, because Textual sends a row from its left edge.
    """

    DEFAULT_CSS = "LinesWidget { height: 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False)
        self.ascii_only = False
        self._lines: list[Line] = []
        self._styles_by_name: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}
        """The rows as last painted, until they change."""
        self._background_color: Color | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the text on show, row by row."""
        return tuple("".join(text for text, _ in line) for line in self._lines)

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines, each fitted to the width of the widget; missing ones are blank."""
        width, height = self.size
        new = [fit(line, width) for line in lines[:height]]
        new.extend([fit((), width)] * (height - len(new)))
        if self.ascii_only:
            new = [ascii_line(line) for line in new]
        old = self._lines
        self._lines = new
        if len(old) != len(new):
            self._strips.clear()
            self.refresh()
            return
        changed = [
            Region(0, y, end, 1)
            for y, (before, after) in enumerate(zip(old, new, strict=True))
            if before is not after and (end := last_difference(before, after, width))
        ]
        for region in changed:
            self._strips.pop(region.y, None)
        if changed:
            self.refresh(*changed)

    def notify_style_update(self) -> None:
        """Drop the cached styles and rows, because colours have changed."""
        self._styles_by_name.clear()
        self._strips.clear()
        self._background_color = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of `crop`, each rendered once until it changes.

        Performance: Textual asks every widget for all of its rows in every frame. Its own cache of styled rows does
        work for borders, padding and opacity, which these rows do not have.
        """
        width = self.size.width
        strips = [self._strip(y, width) for y in crop.line_range]
        if crop.column_span != (0, width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _strip(self, y: int, width: int) -> Strip:
        """Return row `y` as a strip, from the cache if it has not changed."""
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != width:
            strip = self.render_line(y)
            for line_filter in self.get_line_filters():
                strip = strip.apply_filter(line_filter, self._background)
            self._strips[y] = strip
        return strip

    def render_line(self, y: int) -> Strip:
        """Return row `y` as a strip of styled segments."""
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self._style(TEXT))
        return Strip(
            [Segment(text, self._style(name)) for text, name in self._lines[y]]
        ).adjust_cell_length(width, self._style(TEXT))

    @property
    def _background(self) -> Color:
        """Return the background colour of the widget."""
        if self._background_color is None:
            self._background_color = self.background_colors[1]
        return self._background_color

    def _style(self, name: str) -> Style:
        """Return the Rich style of a style name on the widget's background."""
        style = self._styles_by_name.get(name)
        if style is None:
            on = Style(bgcolor=self._background.rich_color)
            style = on + self.screen.get_component_rich_style(f"style--{name}")
            self._styles_by_name[name] = style
        return style


def last_difference(before: Line, after: Line, width: int) -> int:
    """Return the number of cells from the left edge up to the last one that differs; 0 for equal lines.

    Lines with characters wider than a cell are compared as a whole.
    """
    if before == after:
        return 0
    old = "".join(text for text, _ in before)
    new = "".join(text for text, _ in after)
    if len(old) != width or len(new) != width:
        return width
    end = width
    old_spans, new_spans = list(before), list(after)
    # Drop the common end of both lines, span by span from the right.
    while old_spans and new_spans and old_spans[-1][1] == new_spans[-1][1]:
        left, right = old_spans[-1][0], new_spans[-1][0]
        shared = _common_suffix(left, right)
        end -= shared
        if shared < len(left) and shared < len(right):
            return end
        for spans, text in ((old_spans, left), (new_spans, right)):
            if shared == len(text):
                spans.pop()
            else:
                spans[-1] = (text[: len(text) - shared], spans[-1][1])
    return end


def _common_suffix(one: str, other: str) -> int:
    """Return the length of the longest common suffix of two texts."""
    if one == other:
        return len(one)
    shared = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        shared += 1
    return shared
