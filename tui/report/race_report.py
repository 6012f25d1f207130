"""Collect what a result says besides its ranks, most important part first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engines.metrics.frame import LaneFrame
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.model.caveats import ClientBound, Overloaded
from engines.model.lanes import LaneInfo
from engines.model.roles import ROLES
from engines.results.caveat_text import caveat_sentences
from engines.results.death_text import describe_death
from engines.results.fairness import fairness_lines
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import RoundRange
from engines.results.summary import Summary
from engines.text import one_line
from tui.draw.format import clock, count, latency, margin, ordinal, sanitize, short
from tui.draw.styled import TEXT, WARN
from tui.report.findings import Comparison, LaneOutcome, findings
from tui.view.ranking import Rank, rank_lanes


@dataclass(frozen=True, slots=True)
class TrustNote:
    """A line about how far the numbers can be trusted. `good` is False for a warning."""

    text: str
    good: bool = False


@dataclass(frozen=True, slots=True)
class RaceReport:
    """Everything that the result of a finished race says.

    `trust` are the lines about the reliability of the numbers, `notes` the caveats, one sentence each. `changes` are
    the changes of load during the race. `figures` are the latencies by lane as (label, text); `sheet` is the fairness
    sheet in the same form. `fault` is one line that says what ended the race early; None if nothing did. `deaths` are
    the engine processes and private servers that died unasked, a sentence each.
    """

    heading: str
    paced: bool
    lane_reports: tuple[LaneReport, ...]
    trust: tuple[TrustNote, ...]
    notes: tuple[str, ...]
    changes: tuple[str, ...]
    figures: dict[str, tuple[tuple[str, str], ...]]
    sheet: tuple[tuple[str, str], ...]
    fault: str | None = None
    deaths: tuple[str, ...] = ()


def build_report(summary: Summary, fault: str | None = None) -> RaceReport:
    """Return everything that the result view shows."""
    found = lane_reports(summary)
    return RaceReport(
        heading=_heading(summary),
        paced=any(lane_report.offered_loads for lane_report in found),
        lane_reports=found,
        trust=tuple(_reliability(summary, found)),
        notes=caveat_sentences(
            caveat
            for caveat in summary.caveats()
            # The findings and the trust lines tell these two with their numbers.
            if not isinstance(caveat, ClientBound | Overloaded)
        ),
        changes=tuple(_changes(summary)),
        figures={lane_report.frame.lane: tuple(_figures(lane_report)) for lane_report in found},
        sheet=tuple(_sheet(summary)),
        fault=fault,
        deaths=tuple(describe_death(found.death) for found in summary.deaths),
    )


def _heading(summary: Summary) -> str:
    settings = summary.settings
    text = f"result after {clock(summary.duration_s)}"
    if settings.heats:
        rounds = max((number for number, _ in summary.rounds.order), default=0)
        text += f" of heats, {rounds} round{'s' if rounds != 1 else ''}"
    if summary.separate_durations_s:
        text += ", lanes released one by one"
    if settings.mode == "pace" and settings.rate_per_s is not None:
        text += f", pace {settings.rate_per_s:,.6g}/s"
    return text


def _reliability(summary: Summary, found: tuple[LaneReport, ...]) -> Iterator[TrustNote]:
    titles = {
        lane_report.frame.lane: sanitize(lane_report.lane_info.title) for lane_report in found
    }
    checked = summary.reconciliations
    agreed = [titles[lane] for lane, each in checked.items() if each.complete]
    if not checked:
        yield TrustNote(
            "counts not compared with the servers' own: the race did not come to its end"
        )
    elif len(agreed) == len(checked):
        yield TrustNote("counts reconciled with the servers' own", good=True)
    elif agreed:
        yield TrustNote(f"counts reconciled with the servers' own: {', '.join(agreed)}", good=True)
    differing: dict[tuple[str, bool], list[str]] = {}
    for lane, each in checked.items():
        if not each.complete:
            differing.setdefault((each.verdict, each.reconciled), []).append(titles[lane])
    for (verdict, good), lanes in differing.items():
        yield TrustNote(one_line(f"counts of {', '.join(lanes)} {verdict}"), good=good)
    stored = summary.read_backs
    lost = [titles[lane] for lane, each in stored.items() if each.lost]
    if lost:
        yield TrustNote(f"acknowledged rows are lost: {', '.join(lost)}")
    elif any(each.checked for each in stored.values()):
        rows = sum(each.checked for each in stored.values())
        unread = sum(each.unread for each in stored.values())
        others = f", {count(unread)} were not read" if unread else ""
        yield TrustNote(
            f"{count(rows)} acknowledged rows read back as written{others}", good=not unread
        )
    for word, concerned in (
        ("client-bound", [f for f in found if f.frame.client.client_bound]),
        ("overloaded", [f for f in found if f.frame.overloaded]),
    ):
        if concerned:
            names = ", ".join(titles[lane_report.frame.lane] for lane_report in concerned)
            yield TrustNote(f"{word}: {names}")


def _changes(summary: Summary) -> Iterator[str]:
    for change in summary.changes:
        yield one_line(f"at {change.elapsed_s:.1f} s: {change.text}")
    if summary.changes_left_out:
        yield f"{count(summary.changes_left_out)} times more"


def _figures(lane_report: LaneReport) -> Iterator[tuple[str, str]]:
    for role, work in lane_report.frame.roles:
        if not work.operations:
            continue
        name = "service " if work.response is not None else ""
        share = overhead_share(lane_report.lane_info, role, work)
        yield (
            f"{role}s",
            f"{name}p50 {share or latency(work.service.percentile_us(50))}, {_tails(work.service)}",
        )
        if work.response is not None and work.response.count:
            yield (
                "",
                f"response p50 {latency(work.response.percentile_us(50))}, {_tails(work.response)}",
            )
        offer = lane_report.offered_loads.get(role)
        if offer is not None:
            yield "", _pace(offer)


def _sheet(summary: Summary) -> Iterator[tuple[str, str]]:
    race = summary.settings
    yield (
        "lanes",
        f"preset {race.preset}, seed {race.seed}, at the start {race.writers} writers and {race.readers} readers "
        f"in {race.processes} engine process{'es' if race.processes != 1 else ''} each, batch {race.batch}",
    )
    for label, text in fairness_lines(summary.environment, race):
        yield label, one_line(text)


def _tails(latencies: LatencyDistribution) -> str:
    return (
        f"p99 {latency(latencies.percentile_us(99))}, p99.9 {latency(latencies.percentile_us(99.9))}, "
        f"max {latency(latencies.max_us)}"
    )


def _pace(offer: OfferedLoad) -> str:
    offered = (
        "changed on the way" if offer.offered_per_s is None else f"{offer.offered_per_s:,.6g}/s"
    )
    return (
        f"offered {offered}, achieved {offer.achieved_per_s:,.1f}/s, "
        f"backlog {count(offer.backlog)} at the end, {count(offer.backlog_max)} at most"
    )


def overhead_share(lane_info: LaneInfo, role: str, work: RoleStats) -> str:
    """Return a median beside the client overhead in it: "60 us, of which telemon 25"; "" if the overhead is not known.

    The overhead is measured before the race. If it is not below the median, the machine was busier at that time, and it
    is not a share of the median. The scheduling delay during the race is added as a mean, where it is known.
    """
    overhead_us = lane_info.overhead_us.get(role)
    if overhead_us is None or not work.service.count:
        return ""
    p50_us = work.service.percentile_us(50)
    if overhead_us >= p50_us:
        return (
            f"{p50_us:,.0f} us (telemon's own share is not known: it took {overhead_us:,.0f} us when it was measured, "
            "at a busier moment)"
        )
    wait_us = work.scheduling_delay.mean_us
    waits = "" if wait_us is None else f" (and {wait_us:,.0f} waiting for a processor, mean)"
    return f"{p50_us:,.0f} us, of which telemon {overhead_us:,.0f}{waits}"


METRICS = ("write", "read", "p99")
"""Metrics by which lanes are ranked: rows written and read per second, and the p99 of reads."""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """A lane at the end: its whole race as one interval, its ranks by `METRICS`, and the findings.

    `offered_loads` is what an open loop offered, by role (empty for a closed one). `spreads` are the ranges over the
    rounds of heats, by metric (empty with fewer than two rounds).
    """

    lane_info: LaneInfo
    frame: LaneFrame
    ranks: Mapping[str, Rank]
    findings: tuple[str, ...]
    offered_loads: Mapping[str, OfferedLoad] = field(default_factory=dict)
    spreads: Mapping[str, RoundRange] = field(default_factory=dict)

    @property
    def read_p99_us(self) -> float | None:
        """Return the value by which lanes are ranked as "p99", in us; None if nothing was read."""
        return read_p99_us(self.frame)


def read_p99_us(frame: LaneFrame) -> float | None:
    """Return the p99 of reads in us; None if nothing was read.

    In an open loop it is that of the response times, because only those include the time spent waiting.
    """
    return _p99_us(frame.read)


def _p99_us(work: RoleStats) -> float | None:
    latencies = work.service if work.response is None else work.response
    return latencies.percentile_us(99) or None


def lane_reports(summary: Summary) -> tuple[LaneReport, ...]:
    """Return the reports of all lanes of a finished race, from left to right."""
    frames = summary.lanes()
    ranked = {
        "write": rank_lanes({f.lane: f.write.rows_per_s for f in frames}, higher_wins=True),
        "read": rank_lanes({f.lane: f.read.rows_per_s for f in frames}, higher_wins=True),
        "p99": rank_lanes({f.lane: read_p99_us(f) for f in frames}, higher_wins=False),
    }
    outcomes = tuple(
        LaneOutcome(
            frame=frame,
            title=sanitize(lane_info.title),
            ranks={metric: by[frame.lane] for metric, by in ranked.items()},
            p99_us=read_p99_us(frame),
            offered_loads=summary.offered_loads(frame.lane),
            spreads=_spreads(summary, frame.lane),
        )
        for lane_info, frame in zip(summary.lane_infos, frames, strict=True)
    )
    race = Comparison(outcomes, summary.settings, tuple(summary.changes))
    return tuple(
        LaneReport(
            lane_info,
            outcome.frame,
            outcome.ranks,
            tuple(findings(outcome, race)),
            outcome.offered_loads,
            outcome.spreads,
        )
        for lane_info, outcome in zip(summary.lane_infos, outcomes, strict=True)
    )


def _spreads(summary: Summary, lane: str) -> dict[str, RoundRange]:
    """Return the ranges over the rounds by metric; empty with fewer than two rounds."""
    if len(summary.rounds.of(lane)) < 2:
        return {}
    found = summary.rounds.spread(lane)
    spreads: dict[str, RoundRange] = {role: found[role]["rows_per_s"] for role in ROLES}
    # Lanes are ranked by response times where there are any.
    for figure in ("response_p99_us", "p99_us"):
        if figure in found["read"]:
            spreads["p99"] = found["read"][figure]
            break
    return spreads


def metric_titles(paced: bool) -> dict[str, str]:
    """Return the column title of each of `METRICS`.

    A closed loop shows rows per second, an open loop achieved operations per second. The p99 of an open loop's reads is
    that of the response time.
    """
    if paced:
        return {"write": "write op/s", "read": "read op/s", "p99": "resp. p99"}
    return {"write": "writes/s", "read": "reads/s", "p99": "read p99"}


def metric_value(lane_report: LaneReport, metric: str, cells: int) -> str:
    """Return the lane's figure over the whole race, shortened if it is wider than `cells`."""
    if metric == "p99":
        return latency(lane_report.read_p99_us)
    offer = lane_report.offered_loads.get(metric)
    if offer is not None:
        rate = offer.achieved_per_s
        return f"{rate:.1f}" if rate < 1000 else _count_or_short(rate, cells)
    work = lane_report.frame.write if metric == "write" else lane_report.frame.read
    return _count_or_short(work.rows_per_s, cells)


def _count_or_short(number: float, cells: int) -> str:
    text = count(number)
    return text if len(text) <= cells else short(number)


def metric_rank(lane_report: LaneReport, metric: str) -> tuple[str, str, str]:
    """Return position, factor and style name: ("1st", "+2.7x", "durable").

    The offered rates of an open loop are not ranked: the position is "held", "over" or "short" instead.
    """
    rank = lane_report.ranks[metric]
    offer = lane_report.offered_loads.get(metric)
    if offer is not None:
        if offer.held is None:
            return "", "", TEXT
        over = (offer.off_percent or 0.0) > 0
        return ("held", "", TEXT) if offer.held else ("over" if over else "short", "", WARN)
    if rank.position is None or rank.factor is None:
        return "", "", TEXT
    factor = margin(rank.factor)
    sign = "+" if rank.position == 1 and factor != "level" else ""
    style = lane_report.frame.lane if rank.position == 1 else TEXT
    return ordinal(rank.position), sign + factor, style
