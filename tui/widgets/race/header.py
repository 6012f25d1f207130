"""The top line: the race clock and what is raced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.geometry import Size

from tui.draw import lane_style
from tui.draw.format import clock, sanitize
from tui.draw.styled import (
    BADGE,
    GOOD,
    QUIET,
    STRONG,
    TEXT,
    WARN,
    Line,
    Span,
    first_fitting,
    justify,
)
from tui.draw.styled import width as cells
from tui.view.load_settings import LoadSettings
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel


def badges(screen_state: ScreenState, available: int, clock_cells: int) -> list[Span]:
    """Return badges for a held start, a paused load and a frozen display, in at most `available` cells.

    The short variants are used where the long ones would leave less than `clock_cells` cells for the clock.
    """
    variants: list[list[Span]] = [[], []]
    for shown, *texts in (
        # Before the first view, Enter has nothing to release.
        (
            screen_state.start.holding and screen_state.view is not None,
            " AT THE START LINE: ENTER ",
            " ENTER ",
        ),
        (screen_state.paused, " LOAD PAUSED ", " PAUSED "),
        (screen_state.presentation.frozen, " DISPLAY FROZEN ", " FROZEN "),
    ):
        if shown:
            for variant, text in zip(variants, texts, strict=True):
                variant += [(" ", TEXT), (text, BADGE)]
    return first_fitting(variants[:1], available - clock_cells) or first_fitting(
        variants[1:], available
    )


def race_clock(screen_state: ScreenState) -> list[Span]:
    """Return the race clock, and the end of the race if it has one."""
    view = screen_state.view
    if view is None:
        return [("starting, then hold" if screen_state.start.holding else "starting", WARN)]
    if screen_state.start.holding and not view.elapsed_s:
        return [("ready", GOOD)]
    if not view.elapsed_s:
        return [("warming up", WARN)]
    spans: list[Span] = [(clock(view.elapsed_s), STRONG)]
    if screen_state.load_settings.duration_s is not None:
        end = clock(screen_state.load_settings.duration_s)
        # Lanes that were released one by one have an end each.
        separate_ends = len(screen_state.start.released) > 0 and len(view.lanes) > 1
        spans.append((f", {end} each" if separate_ends else f" / {end}", QUIET))
    return spans


def mode(load_settings: LoadSettings) -> list[Span]:
    """Return how operations become due, with the names of the setting: "saturate", or "pace" and the rate."""
    if not load_settings.paced or load_settings.rate_per_s is None:
        return [("saturate", TEXT)]
    return [("pace ", QUIET), (f"{load_settings.rate_per_s:g}/s", TEXT)]


def connections(number: int, role: str) -> list[Span]:
    """Return the number of connections of a role: "1 writer", "8 readers"."""
    return [(f"{number}", TEXT), (f" {role}{'' if number == 1 else 's'}", QUIET)]


def heat(screen_state: ScreenState, *, brief: bool = False) -> list[Span]:
    """Return the current heat: its number of all heats, its lane and its round; empty where lanes race together."""
    current = screen_state.view.current_heat if screen_state.view else None
    heats = screen_state.load_settings.heats
    if current is None or not heats:
        return []
    number = next(
        (
            n
            for n, one in enumerate(heats, 1)
            if (one.round, one.lane) == (current.round, current.lane)
        ),
        0,
    )
    rounds = heats[-1].round
    if brief:
        return [
            (f"heat {number}/{len(heats)} ", TEXT),
            (sanitize(current.lane), lane_style.text_style(current.lane)),
        ]
    return [
        (f"heat {number} of {len(heats)}: ", TEXT),
        (sanitize(current.lane), lane_style.text_style(current.lane)),
        (f", round {current.round} of {rounds}", TEXT),
    ]


NARROW = 60
"""Below this width in columns, the order of the first parts decides what is shown at all."""


class Header(Panel):
    """The top line. Parts that do not fit are left out from the right.

    The window is fitted before all other parts, because every percentile and rank is over it.
    """

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the line: clock and heat at the left, settings beside them, badges at the right."""
        load = screen_state.load_settings
        window = f"{screen_state.view.window_s:g} s" if screen_state.view else "-"
        if load.heats:
            window = "heat"
        now = race_clock(screen_state)
        end = badges(screen_state, size.width - 1, 1 + cells(now[:1]))
        over: list[Span] = [("window ", QUIET), (window, TEXT)]
        parts: list[list[Span]] = [
            [(f"{load.preset}", TEXT)],
            mode(load),
            [(sanitize(load.where), GOOD)],
            [*connections(load.writers, "writer"), (" ", QUIET), *connections(load.readers, "reader")],
            [("batch ", QUIET), (f"{load.batch}", TEXT)],
            [("TTL ", QUIET), (f"{load.ttl_s:g} s", TEXT)],
            over,
            [("y axis ", QUIET), ("shared" if screen_state.presentation.shared_axis else "own", TEXT)],
        ]  # fmt: skip
        if load.paced and size.width < NARROW:
            # Only one of the two fits: the offered rate explains more of the numbers than the preset.
            parts[:2] = parts[1::-1]
        reset_s = screen_state.view.reset_s if screen_state.view else None
        if reset_s is not None:
            parts.insert(2, [("totals since ", QUIET), (clock(reset_s), TEXT)])
        if load.servers:
            parts.append([(sanitize(" ".join(load.servers)), QUIET)])
        line = first_fitting(
            (
                [(" telemon ", STRONG), (" ", TEXT), *now],
                [(" ", TEXT), *now],
                [(" ", TEXT), *now[:1]],
            ),
            size.width - cells(end) - 1,
        )
        separator = "   " if size.width >= 120 else "  "
        if heat_spans := heat(screen_state):
            available = size.width - cells(line) - cells(end) - len(separator) - 1
            line += [
                (separator, QUIET),
                *(heat_spans if cells(heat_spans) <= available else heat(screen_state, brief=True)),
            ]
        available = size.width - cells(line) - cells(end) - 1
        line += _fitting(parts, over, separator, available)
        return [justify(line, [*end, (" ", TEXT)], size.width)]


def _fitting(
    parts: Sequence[list[Span]], first: list[Span], separator: str, available: int
) -> Iterator[Span]:
    """Yield the parts that fit into `available` cells in their order, from the left.

    `first` is fitted before all others.
    """
    kept = len(separator) + cells(first) <= available
    left = available - (len(separator) + cells(first) if kept else 0)
    full = False
    for part in parts:
        if part is first:
            if kept:
                yield (separator, QUIET)
                yield from part
            continue
        full = full or left - len(separator) - cells(part) < 0
        if not full:
            left -= len(separator) + cells(part)
            yield (separator, QUIET)
            yield from part
