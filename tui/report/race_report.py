"""The report of a race: its standings, findings, figures and caveats, as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engines.metrics.frame import LaneFrame
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.model.caveats import ClientBound, Overloaded
from engines.model.lanes import LaneInfo
from engines.results.caveat_text import caveat_sentences
from engines.results.fairness import fairness_lines
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import RoundRange
from engines.results.summary import Summary
from engines.text import one_line
from tui.draw.format import clock, count, latency, sanitize
from tui.report.findings import Comparison, LaneOutcome, findings
from tui.view.ranking import Rank, rank_lanes


@dataclass(frozen=True, slots=True)
class TrustNote:
    """A line about how far the numbers can be trusted. `good` is False for a warning."""

    text: str
    good: bool = False


@dataclass(frozen=True, slots=True)
class RaceReport:
    """The report of a race that is over.

    `trust` tells how far the numbers can be trusted. `notes` are the other caveats, one sentence each. `changes` are
    the controls that were applied, one line each. `figures` holds, by lane, the latencies as (label, text). `sheet` is
    the fairness sheet as (label, text). `fault` is the error that ended the race early, in one line.
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
    agreed = [titles[lane] for lane, each in checked.items() if each.reconciled]
    if not checked:
        yield TrustNote(
            "counts not compared with the servers' own: the race did not come to its end"
        )
    elif len(agreed) == len(checked):
        yield TrustNote("counts reconciled with the servers' own", good=True)
    elif agreed:
        yield TrustNote(f"counts reconciled with the servers' own: {', '.join(agreed)}", good=True)
    apart: dict[str, list[str]] = {}
    for lane, each in checked.items():
        if not each.reconciled:
            apart.setdefault(each.verdict, []).append(titles[lane])
    for verdict, lanes in apart.items():
        yield TrustNote(one_line(f"counts of {', '.join(lanes)} {verdict}"))
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
    for role in ("write", "read"):
        work = lane_report.frame.write if role == "write" else lane_report.frame.read
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
    """Return a median with the client overhead in it, "60 us, of which telemon 25"; "" if the overhead is not known.

    The overhead is measured before the race. If it is not below the median, the machine was busier then, and the text
    says so. The scheduling delay in the race comes on top of it and is known as a mean only.
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
"""The metrics by which lanes are ranked: rows written and read per second, and the p99 of reads."""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """The result of a lane: its whole race as one interval, its ranks by metric (`METRICS`), and its findings.

    `offered_loads` holds, by role, the load that an open loop offered; it is empty for a closed loop. `spreads` holds,
    by metric, the range over the rounds of heats; it is empty with fewer than two rounds.
    """

    lane_info: LaneInfo
    frame: LaneFrame
    ranks: Mapping[str, Rank]
    findings: tuple[str, ...]
    offered_loads: Mapping[str, OfferedLoad] = field(default_factory=dict)
    spreads: Mapping[str, RoundRange] = field(default_factory=dict)

    @property
    def read_p99_us(self) -> float | None:
        """The p99 of reads in us that ranks the lane; None without reads."""
        return read_p99_us(self.frame)


def read_p99_us(frame: LaneFrame) -> float | None:
    """Return the p99 of reads in us, None without reads. In an open loop it is that of the response time."""
    return _p99_us(frame.read)


def _p99_us(work: RoleStats) -> float | None:
    latencies = work.service if work.response is None else work.response
    return latencies.percentile_us(99) or None


def lane_reports(summary: Summary) -> tuple[LaneReport, ...]:
    """Return the report of every lane, from left to right."""
    frames = summary.lanes()
    ranked = {
        "write": rank_lanes({f.lane: f.write.rows_per_s for f in frames}, higher_wins=True),
        "read": rank_lanes({f.lane: f.read.rows_per_s for f in frames}, higher_wins=True),
        "p99": rank_lanes({f.lane: read_p99_us(f) for f in frames}, higher_wins=False),
    }
    runners = tuple(
        LaneOutcome(
            frame=frame,
            title=sanitize(lane_info.title),
            places={metric: by[frame.lane] for metric, by in ranked.items()},
            p99_us=read_p99_us(frame),
            offered_loads=summary.offered_loads(frame.lane),
            spreads=_spreads(summary, frame.lane),
        )
        for lane_info, frame in zip(summary.lane_infos, frames, strict=True)
    )
    race = Comparison(runners, summary.settings, tuple(summary.changes))
    return tuple(
        LaneReport(
            lane_info,
            runner.frame,
            runner.places,
            tuple(findings(runner, race)),
            runner.offered_loads,
            runner.spreads,
        )
        for lane_info, runner in zip(summary.lane_infos, runners, strict=True)
    )


def _spreads(summary: Summary, lane: str) -> dict[str, RoundRange]:
    """Return the range over the rounds, by metric; empty with fewer than two rounds."""
    if len(summary.rounds.of(lane)) < 2:
        return {}
    found = summary.rounds.spread(lane)
    spreads = {role: found[role]["rows_per_s"] for role in ("write", "read")}
    # Lanes are ranked by response times if there are any.
    for figure in ("response_p99_us", "p99_us"):
        if figure in found["read"]:
            spreads["p99"] = found["read"][figure]
            break
    return spreads
