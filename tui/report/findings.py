"""Findings: sentences about the result of a lane, made from the numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.model.controls import FlushCache, Ttl
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import RoundRange
from engines.results.summary import LoadChange
from engines.workload.dataset import HOT_KEYS
from tui.draw.format import LEVEL, NEAR, count, latency, margin, ordinal, sanitize, share
from tui.view.ranking import Rank

MANY = 100
"""With fewer operations than this the p99 is the slowest operation, and is called that."""


@dataclass(frozen=True, slots=True)
class LaneOutcome:
    """The result of a lane as the findings need it.

    `places` (ranks) and `spreads` (ranges over the rounds of heats) are by metric: "write", "read", "p99".
    `offered_loads` is by role. `p99_us` is the p99 that ranks the lane.
    """

    frame: LaneFrame
    title: str
    places: Mapping[str, Rank]
    p99_us: float | None
    offered_loads: Mapping[str, OfferedLoad]
    spreads: Mapping[str, RoundRange]

    def work(self, role: str) -> RoleStats:
        return self.frame.write if role == "write" else self.frame.read


@dataclass(frozen=True, slots=True)
class Comparison:
    """All lanes of a race, its settings at the start, and the changes while it ran."""

    runners: tuple[LaneOutcome, ...]
    settings: RaceConfig
    changes: tuple[LoadChange, ...]

    def rival(self, runner: LaneOutcome, metric: str) -> LaneOutcome | None:
        """Return the reference lane: the leader, or for the leader the best other lane; None without one."""
        others = [
            other
            for other in self.runners
            if other is not runner and other.places[metric].rank is not None
        ]
        return min(others, key=lambda other: other.places[metric].rank or 0, default=None)


def findings(runner: LaneOutcome, race: Comparison) -> Iterator[str]:
    """Return all findings about a lane, its rank first."""
    connections = {"write": race.settings.writers, "read": race.settings.readers}
    asked = [
        role for role in ("write", "read") if connections[role] or runner.work(role).operations
    ]
    if asked and not any(runner.work(role).operations for role in asked):
        yield "It acknowledged nothing."
    else:
        for role in asked:
            yield _capital(_role(runner, race, role)) + "."
    if runner.offered_loads and runner.p99_us is not None:
        yield from _response_standing(runner, race)
    if runner.frame.read.operations and runner.frame.lane != "mysql":
        yield from _answers(runner.frame, race)
    yield from _troubles(runner.frame)
    reason = runner.frame.client.bound_by
    if reason:
        yield f"telemon, not its servers, may have held it back: client-bound by {reason}."


def _role(runner: LaneOutcome, race: Comparison, role: str) -> str:
    work = runner.work(role)
    if not work.operations:
        return f"it acknowledged no {role}"
    if not work.interval_s:
        return f"it acknowledged {count(work.operations)} {role} operations in no time that was measured"
    offer = runner.offered_loads.get(role)
    if offer is not None:
        return _offered(offer, work, role)
    metric = role
    standing = _standing(runner, race, metric)
    rival = race.rival(runner, metric)
    rate = f"{count(work.rows_per_s)} rows/s"
    text = f"{standing} with {rate}" if standing else f"it {_did(role)} {rate}"
    return text + _why(runner, rival, role)


def _did(role: str) -> str:
    return "wrote" if role == "write" else "read"


def _standing(runner: LaneOutcome, race: Comparison, metric: str) -> str:
    """Return the rank, as in "1st, 2.6x ahead in writes"; "" if the lane races alone."""
    if len(race.runners) == 1:
        return ""
    place = runner.places[metric]
    rival = race.rival(runner, metric)
    if rival is None or place.rank is None or place.gap is None:
        return f"the only lane that {_did(metric)}"
    if place.gap < LEVEL:
        return f"level with {rival.title} in {metric}s"
    word = "ahead" if place.rank == 1 else "behind"
    text = f"{ordinal(place.rank)}, {margin(place.gap)} {word} in {metric}s"
    own, its = runner.spreads.get(metric), rival.spreads.get(metric)
    if own is not None and its is not None and own.low <= its.high and its.low <= own.high:
        text += (
            f" (its rounds, {_range(own)}, and {rival.title}'s, {_range(its)}, overlap: "
            "the difference is no larger than theirs)"
        )
    return text


def _range(spread: RoundRange) -> str:
    return f"{count(spread.low)} to {count(spread.high)}"


def _why(runner: LaneOutcome, rival: LaneOutcome | None, role: str) -> str:
    """Return the latencies behind a rate, beside those of the reference lane.

    In a closed loop the mean latency decides the rate. If the means do not differ as much as the rates, the text does
    not name the latencies as the reason.
    """
    work = runner.work(role)
    own = work.service
    text = f": {_unit(work, role)} took {latency(own.percentile_us(50))} (median; {_tail(work)})"
    place = runner.places[role]
    if rival is None or place.rank is None or (place.rank == 1 and (place.gap or 0) >= LEVEL):
        return text
    its = rival.work(role)
    theirs = its.service
    text += f", {rival.title}'s {latency(theirs.percentile_us(50))} ({_tail(its)})"
    if place.gap is None or place.gap < LEVEL or not theirs.mean_us:
        return text
    ratio = own.mean_us / theirs.mean_us
    if ratio < LEVEL:
        return text + "; its latencies are not what it lost by"
    if ratio**2 < place.gap:
        return text + "; that explains a part of the gap only"
    # A percentile is the bound of a histogram bucket: equal latencies may differ by one bucket.
    if own.percentile_us(50) < LEVEL * theirs.percentile_us(50):
        return text + (
            f"; it lost by its slow ones: the mean is {latency(own.mean_us)}, "
            f"{rival.title}'s {latency(theirs.mean_us)}"
        )
    return text


def _unit(work: RoleStats, role: str) -> str:
    size = work.rows / work.operations
    if role == "read":
        return "a read"
    return f"a batch of {size:.0f} rows" if size >= 1.5 else "a row"


def _tail(work: RoleStats) -> str:
    if work.service.count < MANY:
        return f"the slowest {latency(work.service.max_us)}"
    return f"p99 {latency(work.service.percentile_us(99))}"


def _offered(offer: OfferedLoad, work: RoleStats, role: str) -> str:
    """Return how much of an open loop's offered load was achieved."""
    noun = f"{role} operations"
    done = f"{offer.achieved_per_s:,.1f}"
    if offer.offered_per_s is None:
        text = f"it did {done} {noun}/s; the mode or the rate was changed on the way, so there was no one rate to hold"
    elif offer.held:
        text = f"it held the {offer.offered_per_s:,.6g} {noun}/s offered ({done} done)"
    elif (offer.off_percent or 0.0) > 0:
        text = (
            f"it did {done} {noun}/s, {offer.off_percent or 0.0:.1f} % more than the "
            f"{offer.offered_per_s:,.6g} offered: it had a backlog to work off"
        )
    else:
        text = (
            f"it did {done} of the {offer.offered_per_s:,.6g} {noun}/s offered, "
            f"{-(offer.off_percent or 0.0):.1f} % short"
        )
        if offer.backlog:
            held_up = "overloaded, " if offer.backlog > offer.offered_per_s else ""
            text += f" ({held_up}{count(offer.backlog)} due at the end and not begun)"
    if work.response is None or not work.response.count:
        return text
    return text + (f": service time {_both(work.service)}, response time {_both(work.response)}")


def _both(latencies: LatencyDistribution) -> str:
    return f"{latency(latencies.percentile_us(50))} (p99 {latency(latencies.percentile_us(99))})"


def _response_standing(runner: LaneOutcome, race: Comparison) -> Iterator[str]:
    place, rival = runner.places["p99"], race.rival(runner, "p99")
    if place.rank is None or place.gap is None or rival is None:
        return
    apart = margin(place.gap)
    if place.gap < LEVEL:
        where = f"level with that of {rival.title}"
    elif place.rank == 1:
        more = "higher" if place.gap < NEAR else "as high"
        where = f"the lowest, that of {rival.title} is {apart} {more}"
    else:
        above = f"{apart} above" if place.gap < NEAR else apart
        where = f"the {ordinal(place.rank)} lowest, {above} that of {rival.title}"
    yield f"The p99 of its reads' response time is {where}."


def _answers(frame: LaneFrame, race: Comparison) -> Iterator[str]:
    """Return what answered the reads: cache hits, misses and refills, or keys that were missing."""
    cache = frame.cache
    answered = cache.hits + cache.misses
    if not answered:
        return
    if frame.lane == "durable":
        if not cache.misses:
            yield "Every read found its key."
        else:
            yield f"{count(cache.misses)} of {count(answered)} reads found no key."
        return
    if not cache.misses:
        yield f"The cache answered every one of its {count(answered)} reads."
    else:
        misses = f"{count(cache.misses)} {'miss' if cache.misses == 1 else 'misses'} went to MySQL"
        if cache.duplicate_fills:
            misses += (
                f", {count(cache.duplicate_fills)} of them for a car that was being filled already"
            )
        yield f"The cache answered {share(cache.hit_ratio)} of its reads; {misses}."
    flushed = [change for change in race.changes if isinstance(change.control, FlushCache)]
    if flushed:
        times = ", ".join(f"{change.elapsed_s:.1f} s" for change in flushed[:3])
        more = f" and {count(len(flushed) - 3)} times more" if len(flushed) > 3 else ""
        yield f"The cache was flushed at {times}{more}."
    elif _refilled(frame, race):
        yield (
            f"Keys were gone from the cache and filled again: {count(frame.cache.fills)} fills for "
            f"{count(len(HOT_KEYS))} cars{_lifetime(race)}."
        )


def _refilled(frame: LaneFrame, race: Comparison) -> bool:
    """Return whether cars were certainly filled again: there were more fills than cars.

    Duplicate fills do not count. Several processes do not see each other's, so with these nothing is certain.
    """
    settings = race.settings
    if settings.preset != "fair" or settings.processes > 1:
        return False
    return frame.cache.fills - frame.cache.duplicate_fills > len(HOT_KEYS)


def _lifetime(race: Comparison) -> str:
    if any(isinstance(change.control, Ttl) for change in race.changes):
        return ""
    return f", their time to live is {race.settings.ttl_s:g} s"


def _troubles(frame: LaneFrame) -> Iterator[str]:
    failed = frame.write.failed + frame.read.failed
    if failed:
        kinds: dict[str, int] = {}
        for work in (frame.write, frame.read):
            for kind, number in work.errors.items():
                kinds[kind] = kinds.get(kind, 0) + number
        worst = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{sanitize(kind)} {count(number)}" for kind, number in worst[:3])
        more = f" and {len(worst) - 3} other kinds" if len(worst) > 3 else ""
        yield f"{count(failed)} {'operation' if failed == 1 else 'operations'} failed: {told}{more}."
    if frame.reconnects:
        yield f"It had to connect again {_times(frame.reconnects)}."
    if frame.state is LaneState.DOWN:
        yield "It was down at the end."
    elif frame.state is LaneState.RECONNECTING:
        yield "At the end it was without a connection that it needs."


def _times(number: int) -> str:
    return "once" if number == 1 else f"{count(number)} times"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
