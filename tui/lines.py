"""A race as lines of text: one per lane and interval, and the table at its end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from engines.config import Race
from engines.frame import Entrant, Event, Frame, LaneFrame, Work
from engines.kind import one_line
from engines.summary import Summary

COLUMNS = (
    ("time_s", 7),
    ("lane", -8),
    ("state", -12),
    ("write_rows/s", 12),
    ("p50_ms", 9),
    ("p99_ms", 9),
    ("read_rows/s", 12),
    ("p50_ms", 9),
    ("p99_ms", 9),
    ("hits", 9),
    ("misses", 8),
    ("errors", 7),
)
"""Title and width of each column; a negative width is a column of words, aligned to the left."""

LABEL_WIDTH = 22
LANE_WIDTH = 16

CACHELESS = "mysql"
"""The lane that has neither hits nor misses."""


def header() -> str:
    """The titles of the columns of `frame_lines`."""
    return _row([title for title, _ in COLUMNS])


def frame_lines(frame: Frame) -> Iterator[str]:
    """A line for each lane of a frame."""
    for lane in frame.lanes:
        cacheless = lane.lane == CACHELESS
        line = _row(
            [
                f"{frame.elapsed_s:.1f}",
                lane.lane,
                lane.state.value,
                _count(lane.write.rows_per_s),
                *_percentiles(lane.write),
                _count(lane.read.rows_per_s),
                *_percentiles(lane.read),
                "-" if cacheless else _count(lane.cache.hits),
                "-" if cacheless else _count(lane.cache.misses),
                _count(lane.write.failed + lane.read.failed),
            ]
        )
        yield f"{line}  client-bound" if lane.client.client_bound else line


def event_line(event: Event) -> str:
    """An event as one line, whatever a server put into it."""
    text = one_line(event.text)
    return f"{event.lane}: {text}" if event.lane else text


def final_table(summary: Summary) -> Iterator[str]:
    """The result of a race: what was raced, the lanes side by side, who they are, and what must be said beside it."""
    lanes = summary.lanes()
    yield from _settings(summary.settings, summary.duration_s)
    yield ""
    yield _figures("", [lane.lane for lane in lanes])
    yield _figures("state", [lane.state.value for lane in lanes])
    yield from _role("writes", lanes, lambda lane: lane.write)
    yield from _role("reads", lanes, lambda lane: lane.read)
    cached = [lane.lane != CACHELESS for lane in lanes]
    if any(cached):
        for label, value in CACHE_FIGURES.items():
            yield _figures(
                label,
                [value(lane) if has else "-" for lane, has in zip(lanes, cached, strict=True)],
            )
    if any(lane.cache.skipped for lane in lanes):
        yield _figures("  skipped ids", [_count(lane.cache.skipped) for lane in lanes])
    yield _figures("telemon itself", ["" for _ in lanes])
    yield _figures("  cpu of one core", [_share(lane.client.cpu_share) for lane in lanes])
    yield _figures(
        "  loop lag p99 ms", [_ms(lane.client.loop_lag.percentile_us(99)) for lane in lanes]
    )
    yield _figures(
        "  client-bound", ["YES" if lane.client.client_bound else "no" for lane in lanes]
    )
    yield ""
    for entrant in summary.entrants:
        yield from _entrant(entrant)
    troubles = list(_troubles(lanes))
    if troubles:
        yield ""
        yield from troubles
    notes = summary.notes()
    if notes:
        yield ""
        for note in notes:
            yield f"note: {one_line(note)}"


CACHE_FIGURES: Mapping[str, Callable[[LaneFrame], str]] = {
    "  hits": lambda lane: _count(lane.cache.hits),
    "  misses": lambda lane: _count(lane.cache.misses),
    "  hit ratio": lambda lane: _share(lane.cache.hit_ratio),
    "  fills": lambda lane: _count(lane.cache.fills),
    "  duplicate fills": lambda lane: _count(lane.cache.duplicate_fills),
}


def _settings(race: Race, duration_s: float) -> Iterator[str]:
    yield (
        f"measured {duration_s:.1f} s after {race.warmup_s:g} s of warm-up, preset {race.preset}, "
        f"seed {race.seed}"
    )
    processes = f", {race.processes} processes per role" if race.processes > 1 else ""
    yield (
        f"per lane {race.writers} writers and {race.readers} readers{processes}, "
        f"batch {race.batch}, TTL {race.ttl_s:g} s"
    )


def _role(
    name: str, lanes: tuple[LaneFrame, ...], work: Callable[[LaneFrame], Work]
) -> Iterator[str]:
    works = [work(lane) for lane in lanes]
    yield _figures(f"{name}, rows/s", [_count(part.rows_per_s) for part in works])
    yield _figures("  rows", [_count(part.rows) for part in works])
    for label, percent in (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)):
        yield _figures(
            f"  {label} ms",
            [_ms(part.service.percentile_us(percent), part) for part in works],
        )
    yield _figures("  max ms", [_ms(part.service.max_us, part) for part in works])
    yield _figures("  errors", [_count(part.failed) for part in works])


def _entrant(entrant: Entrant) -> Iterator[str]:
    yield one_line(f"{entrant.lane}: {entrant.title}, {entrant.approach}")
    yield one_line(f"  {entrant.product}, version {entrant.version}; {entrant.durability}")


def _troubles(lanes: tuple[LaneFrame, ...]) -> Iterator[str]:
    for lane in lanes:
        for role, work in (("write", lane.write), ("read", lane.read)):
            if work.errors:
                kinds = sorted(work.errors.items(), key=lambda item: (-item[1], item[0]))
                said = ", ".join(f"{kind} {_count(count)}" for kind, count in kinds)
                yield one_line(f"{lane.lane}: {role} errors: {said}")
        if lane.reconnects or lane.redirects:
            yield f"{lane.lane}: {_count(lane.reconnects)} reconnects, {_count(lane.redirects)} redirects"


def _row(cells: list[str]) -> str:
    return " ".join(
        cell.ljust(-width) if width < 0 else cell.rjust(width)
        for cell, (_, width) in zip(cells, COLUMNS, strict=True)
    )


def _figures(label: str, cells: list[str]) -> str:
    return (label.ljust(LABEL_WIDTH) + "".join(cell.rjust(LANE_WIDTH) for cell in cells)).rstrip()


def _percentiles(work: Work) -> list[str]:
    return [_ms(work.service.percentile_us(percent), work) for percent in (50, 99)]


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _ms(us: float, work: Work | None = None) -> str:
    """A latency in ms to the us; "-" where there was no operation to take it of."""
    return "-" if work is not None and not work.service.count else f"{us / 1000:.3f}"


def _share(part: float | None) -> str:
    return "-" if part is None else f"{part * 100:.1f} %"
