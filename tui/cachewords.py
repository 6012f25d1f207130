"""How a lane's reads were answered, in one or two lines."""

from __future__ import annotations

from tui.figures import count, share, short
from tui.ink import BAD, QUIET, STRONG, TEXT, Line, Span, spread
from tui.loopwords import late
from tui.raster import thin_bar
from tui.view import LaneView

NO_CACHE = "no cache: every read is a SELECT"


def counts(lane: LaneView, *, brief: bool = False) -> list[Span]:
    """Hits and misses, and for the lazy cache what the misses led to."""
    if lane.lane == "mysql":
        return [(NO_CACHE, QUIET)]
    write = short if brief else count
    cache = lane.cache
    spans = [
        ("hits ", QUIET), (write(cache.hits), STRONG),
        ("  misses ", QUIET), (write(cache.misses), STRONG if cache.misses else TEXT),
    ]  # fmt: skip
    if brief:
        spans.append((f"  {share(lane.hit_ratio)}", STRONG))
    if lane.lane == "cached" and brief:
        spans += [("  fills ", QUIET), (write(cache.fills), TEXT)]
        spans += [("  dup ", QUIET), (write(cache.duplicate_fills), TEXT)]
    if cache.skipped:
        spans += [("  skipped ", QUIET), (write(cache.skipped), TEXT)]
    return spans


def fills_line(lane: LaneView) -> Line:
    """What the misses of the lazy cache led to. A fill that several readers made at once is a stampede."""
    if lane.lane != "cached":
        return ()
    return (
        ("fills ", QUIET), (count(lane.cache.fills), TEXT),
        ("  duplicates ", QUIET), (count(lane.cache.duplicate_fills), TEXT),
    )  # fmt: skip


def ratio_line(lane: LaneView, width: int, glyphs: str) -> Line:
    """The hit ratio of the last second as a bar; nothing for a lane without a cache."""
    if lane.lane == "mysql":
        return ()
    label: list[Span] = [("hit ratio ", QUIET), (share(lane.hit_ratio).rjust(7) + " ", STRONG)]
    full, empty = thin_bar(lane.hit_ratio or 0.0, max(0, width - 18), glyphs)
    return (*label, (full, lane.lane), (empty, QUIET))


def errors(lane: LaneView, width: int) -> Line:
    """What failed since the start, by kind; "no errors" is worth saying too. Beside it, what went less well."""
    kinds: dict[str, int] = {}
    for role in (lane.write, lane.read):
        for kind, number in role.errors.items():
            kinds[kind] = kinds.get(kind, 0) + number
    more: list[Span] = late(lane)
    if lane.reconnects:
        more.append((f"  reconnects {count(lane.reconnects)}", QUIET))
    if lane.redirects:
        more.append((f"  redirects {count(lane.redirects)}", QUIET))
    if not kinds:
        return (("no errors", QUIET), *more)
    worst = sorted(kinds.items(), key=lambda item: -item[1])
    told = ", ".join(f"{kind} {count(number)}" for kind, number in worst)
    total = count(sum(kinds.values()))
    return spread([(f"✗ {total} errors: {told}", BAD)], more, width)
