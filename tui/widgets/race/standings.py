"""Compare all lanes: rank and factor in writes, reads and read p99, and the race track."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw import lane_style
from tui.draw.chart import bar
from tui.draw.format import NOTHING, clip, clock, count, latency, ordinal, short
from tui.draw.styled import QUIET, STRONG, TEXT, Line, Span, first_fitting, fit
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.panel import Panel

COLUMN_CELLS = 23
"""Width of the column of one metric in cells."""
NAME_CELLS = 22
"""Width of the column of the lanes' names in cells."""


def metric(lane: LaneView, key: str) -> tuple[Span, ...]:
    """Return one cell of the table: value, position and factor, each in a fixed column."""
    rank = lane.ranks.get(key)
    number, write = {
        "write": (lane.write.window_rows_per_s, short),
        "read": (lane.read.window_rows_per_s, short),
        "p99": (lane.read.ranking_p99_us or 0.0, latency),
    }[key]
    value = write(number) if number else NOTHING
    if rank is None or rank.position is None:
        return fit([(f"{value:>8}", TEXT if number else QUIET)], COLUMN_CELLS)
    leads = rank.position == 1
    style = lane_style.text_style(lane.lane) if leads else TEXT
    return fit(
        [
            (f"{value:>8}", TEXT),
            (f"  {ordinal(rank.position)}", style),
            (f"{lane_style.factor_text(rank):>7}", style if leads else QUIET),
        ],
        COLUMN_CELLS,
    )


def track_line(lane: LaneView, furthest: int, width: int, glyphs: str) -> Line:
    """Return how far a lane has come: the rows written and read as a bar, full for the leader (`furthest` rows)."""
    total = lane_style.done(lane, lane.rows, count)
    track_cells = max(0, width - 16)
    full, empty = bar(lane.rows / furthest if furthest else 0.0, track_cells, glyphs)
    # The number is left of the bar: Textual sends a row up to its last changed cell, and the number changes often.
    return fit([(total.rjust(14) + "  ", STRONG), (full, lane.lane), (empty, QUIET)], width)


class Standings(Panel):
    """A heading and a row per lane. On a narrow screen only the track is shown: each lane shows the rest itself."""

    DEFAULT_CSS = "Standings { height: 4; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the heading and a row per lane; nothing before the first view."""
        if screen_state.view is None:
            return []
        lanes, glyphs = screen_state.view.lanes, screen_state.presentation.glyphs
        furthest = max((lane.rows for lane in lanes), default=0)
        columns = (
            size.width >= NAME_CELLS + 3 * COLUMN_CELLS + 24 and not screen_state.presentation.stage
        )
        used = NAME_CELLS + (3 * COLUMN_CELLS if columns else 0)
        heading: list[Span] = [(" standings".ljust(NAME_CELLS), TEXT)]
        if columns:
            over = (
                "last heat"
                if screen_state.load_settings.heats
                else f"over {screen_state.view.window_s:g} s"
            )
            p99 = "response p99" if any(lane.paced for lane in lanes) else "read p99"
            for title in ("writes/s", "reads/s", p99):
                heading.append(
                    (f"{title:>8}  {over}"[: COLUMN_CELLS - 1].ljust(COLUMN_CELLS), QUIET)
                )
        since = "in the last heat" if screen_state.load_settings.heats else "from the start"
        if screen_state.view.reset_s is not None:
            since = f"since the reset at {clock(screen_state.view.reset_s)}"
        left = size.width - cells(heading)
        titles = (f"rows written and read, {since}", f"rows, {since}", "rows")
        heading += first_fitting(([(text, QUIET)] for text in titles), left)
        lines: list[Line] = [fit(heading, size.width)]
        for lane in lanes:
            name = clip(lane_style.name(screen_state.lane_info(lane.lane)), NAME_CELLS - 4)
            mark: Span = (f" {lane_style.shape(lane.lane)} ", lane.lane)
            spans: list[Span] = [*fit([mark, (name, lane_style.text_style(lane.lane))], NAME_CELLS)]
            if columns:
                for key in ("write", "read", "p99"):
                    spans += metric(lane, key)
            lines.append((*spans, *track_line(lane, furthest, size.width - used - 1, glyphs)))
        return lines
