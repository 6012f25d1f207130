"""JSON of frames and their parts, as objects that `json` can write.

Rates are counts over the measured interval. Latencies are in us, rounded to 0.1.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from engines import __version__
from engines.metrics.figures import Shown, Unit, figures_of
from engines.metrics.frame import Frame, LaneFrame
from engines.metrics.stats import ClientStats, IntervalStats
from engines.model.deaths import EngineDeath
from engines.model.lanes import LaneInfo
from engines.model.read_back import ReadBack
from engines.model.roles import ROLES, Role
from engines.results.death_text import death_step, describe_death
from engines.results.fairness import fairness
from engines.results.offered_load import OfferedLoad
from engines.results.reconciliation import Reconciliation
from engines.results.rounds import RoundRange
from engines.results.summary import DeathInRace, Summary

SCHEMA = 1
"""Version of the result; more keys may come without a new one."""


def frame_json(frame: Frame) -> dict[str, object]:
    """Return a frame as a line of `--format jsonl`, without its buckets."""
    return {
        "seq": frame.seq,
        "at": timestamp(frame.at_utc_s),
        "interval_s": round(frame.interval_s, 3),
        "elapsed_s": round(frame.elapsed_s, 3),
        "lanes": [
            {
                "id": lane.lane,
                **lane_json(lane),
                "heat": lane.heat,
                "backlog": dict(lane.backlog),
                "late": lane.late,
                "overloaded": lane.overloaded,
            }
            for lane in frame.lanes
        ],
        "events": [
            {"at": timestamp(event.at_utc_s), "lane": event.lane, "text": event.text}
            for event in frame.events
        ],
    }


def lane_json(lane: LaneFrame) -> dict[str, object]:
    """Return what a lane did in an interval, however long."""
    return {
        "state": lane.state.value,
        "write": role_json(lane, "write"),
        "read": role_json(lane, "read"),
        "redirects": lane.redirects,
        "reconnects": lane.reconnects,
        "client": client_json(lane.client),
    }


def role_json(lane: LaneFrame, role: Role) -> dict[str, object]:
    """Return the figures of one role. rows / measured_s is rows_per_s.

    Latencies stand in an object by group. Schema 1: `errors` is by kind; `service_us`, and in an open loop
    `response_us`, have zeros where nothing was measured; any other group is null then, and so is any other figure.
    """
    stats = lane.stats(role)
    found: dict[str, object] = {}
    groups: dict[str, dict[str, float | None]] = {}
    for figure in figures_of(role, Shown.JSON):
        name, *inner = figure.json_path
        value = _rounded(figure.value(stats), figure.unit)
        if inner:
            found[name] = groups.setdefault(name, {})
            groups[name][inner[0]] = value
        else:
            found[name] = dict(stats.work.errors) if name == "errors" else value
    with_zeros = {"service_us"} if stats.work.response is None else {"service_us", "response_us"}
    for name, group in groups.items():
        if set(group.values()) == {None}:
            found[name] = dict.fromkeys(group, 0.0) if name in with_zeros else None
    return found


def offered_load_json(load: OfferedLoad) -> dict[str, object]:
    """Return the offered load of an open loop and what was achieved; null where it is not known."""
    off_percent = load.off_percent
    return {
        "offered_per_s": load.offered_per_s,
        "achieved_per_s": round(load.achieved_per_s, 1),
        "off_percent": None if off_percent is None else round(off_percent, 2),
        "held": load.held,
        "backlog_end": load.backlog,
        "backlog_max": load.backlog_max,
    }


def heat_json(number: int, lane: LaneFrame) -> dict[str, object]:
    """Return a lane's heat in round `number`; a figure that was not measured is null."""
    return {"round": number, **{role: _heat_role_json(lane.stats(role), role) for role in ROLES}}


def _heat_role_json(stats: IntervalStats, role: Role) -> dict[str, object]:
    return {
        "measured_s": round(stats.work.interval_s, 3),
        "rows": stats.work.rows,
        **{
            figure.name: _rounded(figure.value(stats), figure.unit)
            for figure in figures_of(role, Shown.HEATS)
        },
        "errors": dict(stats.work.errors),
    }


def _rounded(value: float | None, unit: Unit) -> float | None:
    return None if value is None else unit.rounded(value)


def range_json(spread: RoundRange) -> dict[str, float]:
    """Return a figure of all rounds together, between the lowest and the highest round."""
    return {
        "min": spread.unit.rounded(spread.low),
        "merged": spread.unit.rounded(spread.merged),
        "max": spread.unit.rounded(spread.high),
    }


def reconciliation_json(found: Reconciliation) -> dict[str, object]:
    """Return telemon's counts beside the servers', warm-up included, with a verdict in words.

    `shard` is the address of the cluster node that a check is about; null for the sum over all servers of the lane.
    """
    return {
        "reconciled": found.reconciled,
        "verdict": found.verdict,
        "checks": [
            {
                "what": check.what,
                "counter": check.counter,
                "telemon": check.ours,
                "servers": check.theirs,
                "shard": check.shard or None,
            }
            for check in found.checks
        ],
    }


def read_back_json(found: ReadBack) -> dict[str, object]:
    """Return what the servers hold of a sample of the acknowledged rows.

    `problem` says why rows are `unread`; null if none is, or if the servers were only too slow (`timed_out`).
    """
    return {**asdict(found), "problem": found.problem or None, "lost": found.lost}


def client_json(client: ClientStats) -> dict[str, object]:
    """Return the cost of telemon itself; `client_bound_by` is null where the lane is not client-bound."""
    return {
        "cpu_share": round(client.cpu_share, 3),
        "loop_lag_p99_us": round(client.loop_lag_p99_us, 1),
        "own_lag_p99_us": round(client.cpu_loop_lag_p99_us, 1),
        "client_bound": client.client_bound,
        "client_bound_by": client.bound_by or None,
    }


def death_json(found: DeathInRace) -> dict[str, object]:
    """Return the death of an engine process or of a private server; what is not known, or not of it, is null.

    `text` says it in words, `next_step` what to do about it.
    """
    death = found.death
    of_kind: dict[str, object]
    if isinstance(death, EngineDeath):
        words = [death.last_words] if death.last_words else []
        of_kind = {"process": "engine", "role": death.role, "number": death.number, "server": None}
    else:
        words = list(death.last_lines)
        of_kind = {"process": "server", "role": None, "number": None, "server": death.server}
    return {
        "at": timestamp(death.at_utc_s),
        "elapsed_s": round(found.elapsed_s, 3),
        "lane": death.lane,
        **of_kind,
        "signal": death.end.signal_name,
        "exit_status": death.end.status,
        "cause": death.cause,
        "last_words": words,
        "text": describe_death(death),
        "next_step": death_step(death),
    }


def timestamp(at_utc_s: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_utc_s, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result_document(summary: Summary) -> dict[str, object]:
    """Return the object that `telemon run --format json` prints."""
    return {
        "schema": SCHEMA,
        "telemon": __version__,
        "started_at": timestamp(summary.started_at_s or 0.0),
        "duration_s": round(summary.duration_s, 3),
        "warmup_s": summary.settings.warmup_s,
        "settings": summary.settings.to_json(),
        "changes": [
            {
                "at": timestamp(change.at_utc_s),
                "elapsed_s": round(change.elapsed_s, 3),
                "text": change.text,
            }
            for change in summary.changes
        ],
        "changes_left_out": summary.changes_left_out,
        "deaths": [death_json(each) for each in summary.deaths],
        "fairness": {
            **fairness(summary.environment, summary.settings),
            "notes": list(summary.notes()),
        },
        "heats": _heats_json(summary),
        "lanes": [
            _lane_result_json(summary, lane_info, lane)
            for lane_info, lane in zip(summary.lane_infos, summary.lanes(), strict=True)
        ],
    }


def _lane_result_json(summary: Summary, lane_info: LaneInfo, lane: LaneFrame) -> dict[str, object]:
    total = summary.totals[lane.lane]
    shown = lane_json(lane)
    for role in ROLES:
        work = shown[role]
        assert isinstance(work, dict)
        overhead_us = lane_info.overhead_us.get(role)
        work["floor_us"] = None if overhead_us is None else round(overhead_us, 1)
    found = summary.reconciliations.get(lane.lane)
    stored = summary.read_backs.get(lane.lane)
    return {
        "id": lane.lane,
        "title": lane_info.title,
        "approach": lane_info.approach,
        **shown,
        "pace": _pace_json(summary, lane),
        "heats": _rounds_json(summary, lane.lane),
        "client": {
            **client_json(lane.client),
            "client_bound_share": round(total.client_bound_share, 3),
        },
        "reconciliation": None if found is None else reconciliation_json(found),
        "read_back": None if stored is None else read_back_json(stored),
        "server": {
            "product": lane_info.product,
            "version": lane_info.version,
            "durability": lane_info.durability,
            "notes": list(lane_info.notes),
            "counters": dict(lane.server),
        },
    }


def _pace_json(summary: Summary, lane: LaneFrame) -> dict[str, object] | None:
    offered_loads = summary.offered_loads(lane.lane)
    if not offered_loads:
        return None
    total = summary.totals[lane.lane]
    return {
        **{role: offered_load_json(each) for role, each in offered_loads.items()},
        "late": lane.late,
        "overloaded": lane.overloaded,
        "overloaded_s": round(total.overloaded_s, 3),
    }


def _heats_json(summary: Summary) -> dict[str, object] | None:
    if not summary.settings.heats:
        return None
    return {
        "rounds": summary.settings.rounds,
        "order": [{"round": number, "lane": lane} for number, lane in summary.rounds.order],
    }


def _rounds_json(summary: Summary, lane: str) -> dict[str, object] | None:
    if not summary.settings.heats:
        return None
    return {
        "rounds": [heat_json(number, frame) for number, frame in summary.rounds.of(lane).items()],
        "spread": {
            role: {name: range_json(spread) for name, spread in figures.items()}
            for role, figures in summary.rounds.spread(lane).items()
        },
    }
