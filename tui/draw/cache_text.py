"""Write how a lane's reads were answered, in one or two lines."""

from __future__ import annotations

from engines.model.lanes import LANES
from tui.draw.chart import thin_bar
from tui.draw.format import clip, count, sanitize, share, short
from tui.draw.open_loop_text import late_text
from tui.draw.styled import BAD, QUIET, STRONG, TEXT, Line, Span, first_fitting, justify
from tui.draw.styled import width as cells
from tui.view.view import LaneView

NO_CACHE = (
    "no cache: every read is a SELECT",
    "no cache: reads are SELECTs",
    "no cache",
)
"""Texts for a lane without a cache; the longest that fits is shown."""


def hit_counts(lane: LaneView, width: int, *, brief: bool = False) -> list[Span]:
    """Return hits and misses in at most `width` cells.

    With `brief`, the hit ratio and for the cache-aside lane the fills are added, because the caller has no line for
    them. Parts that do not fit are left out: half a number would be a wrong one.
    """
    if not LANES[lane.lane].reads_redis:
        return first_fitting(([(text, QUIET)] for text in NO_CACHE), width)
    cache = lane.cache
    for write in (short,) if brief else (count, short):
        hits: list[Span] = [("hits ", QUIET), (write(cache.hits), STRONG)]
        missed = STRONG if cache.misses else TEXT
        misses: list[Span] = [("  misses ", QUIET), (write(cache.misses), missed)]
        parts: list[list[Span]] = []
        if brief:
            parts.append([(f"  {share(lane.hit_ratio):>7}", STRONG)])
        if brief and LANES[lane.lane].has_cache:
            parts += [
                [("  fills ", QUIET), (write(cache.fills), TEXT)],
                [("  dup ", QUIET), (write(cache.duplicate_fills), TEXT)],
            ]
        if cache.skipped:
            parts.append([("  skipped ", QUIET), (write(cache.skipped), TEXT)])
        if cells([*hits, *misses]) <= width:
            break
    spans = first_fitting(([*hits, *misses], hits), width)
    for part in parts:
        if cells(spans) + cells(part) > width:
            break
        spans += part
    return spans


def fills_line(lane: LaneView, width: int) -> Line:
    """Return the cache fills of the cache-aside lane.

    Duplicate fills (several readers fill one key at once) are a stampede.

    Returns an empty line for other lanes.
    """
    if not LANES[lane.lane].has_cache:
        return ()
    variants: list[list[Span]] = [
        [
            ("fills ", QUIET), (write(lane.cache.fills), TEXT),
            (f"  {word} ", QUIET), (write(lane.cache.duplicate_fills), TEXT),
        ]
        for write, word in ((count, "duplicates"), (short, "duplicates"), (short, "dup"))
    ]  # fmt: skip
    return tuple(first_fitting(variants, width))


def ratio_line(lane: LaneView, width: int, glyphs: str) -> Line:
    """Return the hit ratio of the last second as a bar; an empty line for a lane without a cache."""
    if not LANES[lane.lane].reads_redis:
        return ()
    label: list[Span] = [("hit ratio ", QUIET), (share(lane.hit_ratio).rjust(7) + " ", STRONG)]
    full, empty = thin_bar(lane.hit_ratio or 0.0, max(0, width - 18), glyphs)
    return (*label, (full, lane.lane), (empty, QUIET))


def error_line(lane: LaneView, width: int) -> Line:
    """Return the number of errors since the start by kind, or "no errors".

    Late starts, reconnects and redirects are shown at the right edge, as far as they fit.
    """
    kinds: dict[str, int] = {}
    for role in (lane.write, lane.read):
        for kind, number in role.errors.items():
            kinds[kind] = kinds.get(kind, 0) + number
    more: list[Span] = late_text(lane)
    if lane.reconnects:
        more.append((f"  reconnects {count(lane.reconnects)}", QUIET))
    if lane.redirects:
        more.append((f"  redirects {count(lane.redirects)}", QUIET))
    if not kinds:
        none = ("no errors", QUIET)
        return tuple(first_fitting(([none, *more], [none, *late_text(lane)], [none]), width))
    worst = sorted(kinds.items(), key=lambda item: -item[1])
    by_kind = ", ".join(f"{sanitize(kind)} {count(number)}" for kind, number in worst)
    total = f"✗ {count(sum(kinds.values()))} errors"
    more = first_fitting((more, late_text(lane)), width - len(total))
    return justify([(clip(f"{total}: {by_kind}", width - cells(more)), BAD)], more, width)
