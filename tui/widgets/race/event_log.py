"""The event log: the latest events, the newest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from textual.geometry import Size

from engines.metrics.frame import Event
from tui.draw import lane_style
from tui.draw.format import clip, sanitize
from tui.draw.styled import BAD, QUIET, TEXT, Line, Span
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel


def event_spans(event: Event, width: int) -> Line:
    """Return an event as UTC time, lane and text in at most `width` cells, without control characters."""
    at = datetime.fromtimestamp(event.at_utc_s, UTC).strftime("%H:%M:%S")
    spans: list[Span] = [(f" {at} ", QUIET)]
    if event.lane is not None:
        spans.append(
            (
                f"{lane_style.shape(event.lane)} {sanitize(event.lane)} ",
                lane_style.text_style(event.lane),
            )
        )
    style = TEXT if event.death is None else BAD
    return (*spans, (clip(sanitize(event.text), width - cells(spans)), style))


class EventLog(Panel):
    """A heading and as many of the latest events as fit."""

    DEFAULT_CSS = "EventLog { height: 4; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the heading, if there is more than one row, and the events."""
        if screen_state.view is None:
            return []
        heading: list[Line] = [((" events (UTC)", TEXT),)] if size.height > 1 else []
        shown = screen_state.view.events[-(size.height - len(heading)) :]
        return [*heading, *(event_spans(event, size.width) for event in shown)]
