"""Write what is to be said of a lane at the end, in sentences made from nothing but the numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.model.controls import FlushCache, Ttl
from engines.model.lanes import LANES
from engines.model.roles import ROLES
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import RoundRange
from engines.results.summary import LoadChange
from engines.workload.dataset import HOT_KEYS
from tui.draw.format import NEAR, TIE_FACTOR, count, latency, margin, ordinal, sanitize, share
from tui.view.ranking import Rank

MANY = 100
"""Minimum number of operations for a p99. With fewer, the p99 is simply the slowest operation."""


@dataclass(frozen=True, slots=True)
class LaneOutcome:
    """The numbers of a lane at the end.

    `ranks` and `spreads` (ranges over the rounds of heats) are by metric ("write", "read", "p99"),
    `offered_loads` by role. `p99_us` is the value by which the lane is ranked as "p99".
    """

    frame: LaneFrame
    title: str
    ranks: Mapping[str, Rank]
    p99_us: float | None
    offered_loads: Mapping[str, OfferedLoad]
    spreads: Mapping[str, RoundRange]

    def work(self, role: str) -> RoleStats:
        """Return the statistics of a role ("write" or "read")."""
        return self.frame.role(role)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All lanes of a race, its settings at the start, and the changes of load during the race."""

    outcomes: tuple[LaneOutcome, ...]
    settings: RaceConfig
    changes: tuple[LoadChange, ...]

    def reference(self, outcome: LaneOutcome, metric: str) -> LaneOutcome | None:
        """Return the reference lane of a lane: the leader, and for the leader the best of the other lanes.

        Returns None if no other lane has a rank.
        """
        others = [
            other
            for other in self.outcomes
            if other is not outcome and other.ranks[metric].position is not None
        ]
        return min(others, key=lambda other: other.ranks[metric].position or 0, default=None)


def findings(outcome: LaneOutcome, race: Comparison) -> Iterator[str]:
    """Yield sentences about a lane: each role's rank and rate, or "It acknowledged nothing." in their place.

    Then follow response times, answers of the cache, troubles, and whether telemon limited the lane. In an open loop
    the offered load, and whether it was held, stands in place of the rank.
    """
    connections = race.settings.connections
    asked = [role for role in ROLES if connections[role] or outcome.work(role).operations]
    if asked and not any(outcome.work(role).operations for role in asked):
        yield "It acknowledged nothing."
    else:
        for role in asked:
            yield _capital(_role(outcome, race, role)) + "."
    if outcome.offered_loads and outcome.p99_us is not None:
        yield from _response_standing(outcome, race)
    if outcome.frame.read.operations and LANES[outcome.frame.lane].reads_redis:
        yield from _answers(outcome.frame, race)
    yield from _troubles(outcome.frame)
    reason = outcome.frame.client.bound_by
    if reason:
        yield f"telemon, not its servers, may have held it back: client-bound by {reason}."


def _role(outcome: LaneOutcome, race: Comparison, role: str) -> str:
    work = outcome.work(role)
    if not work.operations:
        return f"it acknowledged no {role}"
    if not work.interval_s:
        return f"it acknowledged {count(work.operations)} {role} operations in no time that was measured"
    offer = outcome.offered_loads.get(role)
    if offer is not None:
        return _offered(offer, work, role)
    metric = role
    standing = _standing(outcome, race, metric)
    reference = race.reference(outcome, metric)
    rate = f"{count(work.rows_per_s)} rows/s"
    text = f"{standing} with {rate}" if standing else f"it {_did(role)} {rate}"
    return text + _why(outcome, reference, role)


def _did(role: str) -> str:
    return "wrote" if role == "write" else "read"


def _standing(outcome: LaneOutcome, race: Comparison, metric: str) -> str:
    """Return a text such as "1st, 2.6x ahead in writes"; "" if no other lane is in the race."""
    if len(race.outcomes) == 1:
        return ""
    rank = outcome.ranks[metric]
    reference = race.reference(outcome, metric)
    if reference is None or rank.position is None or rank.factor is None:
        return f"the only lane that {_did(metric)}"
    if rank.factor < TIE_FACTOR:
        return f"level with {reference.title} in {metric}s"
    word = "ahead" if rank.position == 1 else "behind"
    text = f"{ordinal(rank.position)}, {margin(rank.factor)} {word} in {metric}s"
    own, its = outcome.spreads.get(metric), reference.spreads.get(metric)
    if own is not None and its is not None and own.low <= its.high and its.low <= own.high:
        text += (
            f" (its rounds, {_range(own)}, and {reference.title}'s, {_range(its)}, overlap: "
            "the difference is no larger than theirs)"
        )
    return text


def _range(spread: RoundRange) -> str:
    return f"{count(spread.low)} to {count(spread.high)}"


def _why(outcome: LaneOutcome, reference: LaneOutcome | None, role: str) -> str:
    """Return the latencies behind a rate, beside those of the reference lane.

    In a closed loop the mean latency decides the rate. If it does not differ as much as the rates do, the latencies are
    not called the reason.
    """
    work = outcome.work(role)
    own = work.service
    text = f": {_unit(work, role)} took {latency(own.percentile_us(50))} (median; {_tail(work)})"
    rank = outcome.ranks[role]
    if (
        reference is None
        or rank.position is None
        or (rank.position == 1 and (rank.factor or 0) >= TIE_FACTOR)
    ):
        return text
    its = reference.work(role)
    theirs = its.service
    text += f", {reference.title}'s {latency(theirs.percentile_us(50))} ({_tail(its)})"
    if rank.factor is None or rank.factor < TIE_FACTOR or not theirs.mean_us:
        return text
    ratio = own.mean_us / theirs.mean_us
    if ratio < TIE_FACTOR:
        return text + "; its latencies are not what it lost by"
    if ratio**2 < rank.factor:
        return text + "; that explains a part of the gap only"
    # A percentile is the value of a histogram bucket, so equal latencies may differ slightly.
    if own.percentile_us(50) < TIE_FACTOR * theirs.percentile_us(50):
        return text + (
            f"; it lost by its slow ones: the mean is {latency(own.mean_us)}, "
            f"{reference.title}'s {latency(theirs.mean_us)}"
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
    """Return how an open loop met its offered load."""
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


def _response_standing(outcome: LaneOutcome, race: Comparison) -> Iterator[str]:
    rank, reference = outcome.ranks["p99"], race.reference(outcome, "p99")
    if rank.position is None or rank.factor is None or reference is None:
        return
    factor = margin(rank.factor)
    if rank.factor < TIE_FACTOR:
        where = f"level with that of {reference.title}"
    elif rank.position == 1:
        more = "higher" if rank.factor < NEAR else "as high"
        where = f"the lowest, that of {reference.title} is {factor} {more}"
    else:
        above = f"{factor} above" if rank.factor < NEAR else factor
        where = f"the {ordinal(rank.position)} lowest, {above} that of {reference.title}"
    yield f"The p99 of its reads' response time is {where}."


def _answers(frame: LaneFrame, race: Comparison) -> Iterator[str]:
    """Yield how reads were answered by the cache, or by the durable store."""
    cache = frame.cache
    answered = cache.hits + cache.misses
    if not answered:
        return
    if not LANES[frame.lane].has_cache:
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
    """Return whether it is certain that keys were filled more than once.

    There were more fills than keys, not counting those that two readers made at once. Several engine processes do not
    see each other's fills, so with more than one the answer is False.
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
        by_kind = ", ".join(f"{sanitize(kind)} {count(number)}" for kind, number in worst[:3])
        more = f" and {len(worst) - 3} other kinds" if len(worst) > 3 else ""
        yield f"{count(failed)} {'operation' if failed == 1 else 'operations'} failed: {by_kind}{more}."
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
