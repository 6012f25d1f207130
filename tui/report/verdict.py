"""Why each lane stands where it stands: the places of all lanes at the end, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.metrics.frame import Entrant, LaneFrame, Work
from engines.results.offered_load import Offer
from engines.results.rounds import Spread
from engines.results.summary import Summary
from tui.draw.format import plain
from tui.report.findings import Field, Runner, sentences
from tui.view.ranking import Place, places

METRICS = ("write", "read", "p99")
"""What lanes are ranked by: rows written and read per second, and the p99 of reads."""


@dataclass(frozen=True, slots=True)
class Finish:
    """A lane at the end: its whole race as one interval, its places (by `METRICS`), and why.

    `offers` holds, by role, what an open loop offered (empty for a closed one); `spreads`, by metric, from where to
    where the rounds of heats lie apart (empty without at least two rounds).
    """

    entrant: Entrant
    frame: LaneFrame
    places: Mapping[str, Place]
    sentences: tuple[str, ...]
    offers: Mapping[str, Offer] = field(default_factory=dict)
    spreads: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def read_p99_us(self) -> float | None:
        """What lanes are ranked by as "p99"; None where nothing was read."""
        return read_p99_us(self.frame)


def read_p99_us(frame: LaneFrame) -> float | None:
    """The p99 of reads: of an open loop from when each was due, which alone tells what waited."""
    return _p99_us(frame.read)


def _p99_us(work: Work) -> float | None:
    latencies = work.service if work.response is None else work.response
    return latencies.percentile_us(99) or None


def finishes(summary: Summary) -> tuple[Finish, ...]:
    """Every lane of a race that is over, from left to right."""
    frames = summary.lanes()
    ranked = {
        "write": places({f.lane: f.write.rows_per_s for f in frames}, higher_wins=True),
        "read": places({f.lane: f.read.rows_per_s for f in frames}, higher_wins=True),
        "p99": places({f.lane: read_p99_us(f) for f in frames}, higher_wins=False),
    }
    runners = tuple(
        Runner(
            frame=frame,
            title=plain(entrant.title),
            places={metric: by[frame.lane] for metric, by in ranked.items()},
            p99_us=read_p99_us(frame),
            offers=summary.offers(frame.lane),
            spreads=_spreads(summary, frame.lane),
        )
        for entrant, frame in zip(summary.entrants, frames, strict=True)
    )
    race = Field(runners, summary.settings, tuple(summary.changes))
    return tuple(
        Finish(
            entrant,
            runner.frame,
            runner.places,
            tuple(sentences(runner, race)),
            runner.offers,
            runner.spreads,
        )
        for entrant, runner in zip(summary.entrants, runners, strict=True)
    )


def _spreads(summary: Summary, lane: str) -> dict[str, Spread]:
    """By metric; one round alone has no spread."""
    if len(summary.rounds.of(lane)) < 2:
        return {}
    found = summary.rounds.spread(lane)
    spreads = {role: found[role]["rows_per_s"] for role in ("write", "read")}
    # As lanes are ranked: by response times where there are any.
    for figure in ("response_p99_us", "p99_us"):
        if figure in found["read"]:
            spreads["p99"] = found["read"][figure]
            break
    return spreads
