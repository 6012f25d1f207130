"""Why each lane stands where it stands: a sentence or two per lane, made from nothing but the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.frame import Entrant, LaneFrame, LaneState
from engines.summary import Summary
from tui.figures import count, gap, latency, ordinal, plain, share
from tui.standings import Place, places


@dataclass(frozen=True, slots=True)
class Finish:
    """A lane at the end: its whole race as one interval, its places ("write", "read", "p99"), and why."""

    entrant: Entrant
    frame: LaneFrame
    places: Mapping[str, Place]
    sentences: tuple[str, ...]


def finishes(summary: Summary) -> tuple[Finish, ...]:
    """Every lane of a race that is over, from left to right."""
    frames = summary.lanes()
    ranked = {
        "write": places({f.lane: f.write.rows_per_s for f in frames}, higher_wins=True),
        "read": places({f.lane: f.read.rows_per_s for f in frames}, higher_wins=True),
        "p99": places(
            {f.lane: f.read.service.percentile_us(99) or None for f in frames}, higher_wins=False
        ),
    }
    titles = {entrant.lane: plain(entrant.title) for entrant in summary.entrants}
    found = []
    for entrant, frame in zip(summary.entrants, frames, strict=True):
        own = {metric: by[frame.lane] for metric, by in ranked.items()}
        leaders = {
            metric: next((f for f in frames if by[f.lane].rank == 1), None)
            for metric, by in ranked.items()
        }
        found.append(Finish(entrant, frame, own, tuple(_sentences(frame, own, leaders, titles))))
    return tuple(found)


def _sentences(
    frame: LaneFrame,
    own: Mapping[str, Place],
    leaders: Mapping[str, LaneFrame | None],
    titles: Mapping[str, str],
) -> list[str]:
    said = []
    if frame.write.operations:
        said.append(_writes(frame, own["write"], leaders["write"], titles))
    if frame.read.operations:
        said.append(_reads(frame, own["read"], leaders["read"], titles))
        if frame.lane != "mysql":
            said.append(_cache(frame))
    if not frame.write.operations and not frame.read.operations:
        said.append("It acknowledged nothing.")
    failed = frame.write.failed + frame.read.failed
    if failed:
        kinds: dict[str, int] = {}
        for work in (frame.write, frame.read):
            for kind, number in work.errors.items():
                kinds[kind] = kinds.get(kind, 0) + number
        worst = max(kinds, key=lambda kind: kinds[kind])
        said.append(f"{count(failed)} operations failed, most of them with {plain(worst)}.")
    if frame.state is LaneState.DOWN:
        said.append("It went down before the end.")
    if frame.client.client_bound:
        said.append("telemon, not its servers, may have held it back (client-bound).")
    return said


def _standing(place: Place) -> str:
    if place.rank is None:
        return "unplaced"
    if place.gap is None:
        return ordinal(place.rank)
    if place.gap < 1.005:
        return f"{ordinal(place.rank)}, level"
    return f"{ordinal(place.rank)}, {gap(place.gap)} {'ahead' if place.rank == 1 else 'behind'}"


def _writes(
    frame: LaneFrame, place: Place, leader: LaneFrame | None, titles: Mapping[str, str]
) -> str:
    work = frame.write
    size = work.rows / work.operations
    unit = f"a batch of {size:.0f} rows" if size >= 1.5 else "a row"
    text = (
        f"{_standing(place)} in writes with {count(work.rows_per_s)} rows/s: {unit} was "
        f"acknowledged in {latency(work.service.percentile_us(50))} (median)"
    )
    if leader is not None and leader.lane != frame.lane:
        text += f", {titles[leader.lane]}'s in {latency(leader.write.service.percentile_us(50))}"
    return _capital(text + ".")


def _reads(
    frame: LaneFrame, place: Place, leader: LaneFrame | None, titles: Mapping[str, str]
) -> str:
    work = frame.read
    text = (
        f"{_standing(place)} in reads with {count(work.rows_per_s)} rows/s: half of them took "
        f"{latency(work.service.percentile_us(50))} or less, "
        f"one in a hundred more than {latency(work.service.percentile_us(99))}"
    )
    if leader is not None and leader.lane != frame.lane:
        p50 = latency(leader.read.service.percentile_us(50))
        p99 = latency(leader.read.service.percentile_us(99))
        text += f" ({titles[leader.lane]}: {p50} and {p99})"
    return _capital(text + ".")


def _cache(frame: LaneFrame) -> str:
    cache = frame.cache
    if frame.lane == "durable":
        return f"{count(cache.misses)} of {count(cache.hits + cache.misses)} reads found no key."
    text = (
        f"{share(cache.hit_ratio)} of its reads were answered by the cache; "
        f"{count(cache.misses)} misses went to MySQL"
    )
    if cache.duplicate_fills:
        text += f", {count(cache.duplicate_fills)} of them for a car that was being filled already"
    return text + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
