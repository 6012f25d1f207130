"""What programs read: frames and their parts as JSON-ready objects. Rates are counts over the measured interval;
latencies are in us to 0.1, all 0 where there was no operation."""

from __future__ import annotations

from datetime import UTC, datetime

from engines import __version__
from engines.metrics.frame import Frame, LaneFrame
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import ClientStats, RoleStats
from engines.model.lanes import LaneInfo
from engines.results.fairness import fairness
from engines.results.offered_load import OfferedLoad
from engines.results.reconciliation import Reconciliation
from engines.results.rounds import FIGURES, RoundRange
from engines.results.summary import Summary

SCHEMA = 1
"""Version of the result; more keys may come without a new one."""


def frame_json(frame: Frame) -> dict[str, object]:
    """A frame as a line of `--format jsonl`, without its buckets."""
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
    """What a lane did in an interval, however long."""
    ratio = lane.cache.hit_ratio
    return {
        "state": lane.state.value,
        "write": role_json(lane.write),
        "read": {
            **role_json(lane.read),
            "hits": lane.cache.hits,
            "misses": lane.cache.misses,
            "hit_ratio": None if ratio is None else round(ratio, 4),
            "fills": lane.cache.fills,
            "duplicate_fills": lane.cache.duplicate_fills,
            "skipped": lane.cache.skipped,
        },
        "redirects": lane.redirects,
        "reconnects": lane.reconnects,
        "client": client_json(lane.client),
    }


def role_json(work: RoleStats) -> dict[str, object]:
    """One role's work; rows / measured_s is rows_per_s. `failures_us`, `response_us` and `processor_wait_us` are null
    where there is nothing to tell."""
    return {
        "rows": work.rows,
        "rows_per_s": round(work.rows_per_s, 1),
        "operations": work.operations,
        "measured_s": round(work.interval_s, 3),
        "errors": dict(work.errors),
        "service_us": latencies_json(work.service),
        "response_us": None if work.response is None else latencies_json(work.response),
        "failures_us": latencies_json(work.failures) if work.failures.count else None,
        "processor_wait_us": _rounded(work.scheduling_delay.mean_us),
    }


def latencies_json(latencies: LatencyDistribution) -> dict[str, float]:
    """A distribution in us, rounded to 0.1."""
    figures = {
        "min": latencies.min_us,
        "mean": latencies.mean_us,
        "p50": latencies.percentile_us(50),
        "p90": latencies.percentile_us(90),
        "p99": latencies.percentile_us(99),
        "p999": latencies.percentile_us(99.9),
        "max": latencies.max_us,
    }
    return {name: round(value_us, 1) for name, value_us in figures.items()}


def offered_load_json(offer: OfferedLoad) -> dict[str, object]:
    """An open loop's offer; what cannot be said is null."""
    off_percent = offer.off_percent
    return {
        "offered_per_s": offer.offered_per_s,
        "achieved_per_s": round(offer.achieved_per_s, 1),
        "off_percent": None if off_percent is None else round(off_percent, 2),
        "held": offer.held,
        "backlog_end": offer.backlog,
        "backlog_max": offer.backlog_max,
    }


def heat_json(number: int, lane: LaneFrame) -> dict[str, object]:
    """A lane's heat in round `number`; what there is nothing to tell of is null."""
    return {
        "round": number,
        **{
            role: {
                "measured_s": round(work.interval_s, 3),
                "rows": work.rows,
                **{name: _rounded(figure(work)) for name, figure in FIGURES.items()},
                "errors": dict(work.errors),
            }
            for role, work in (("write", lane.write), ("read", lane.read))
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def range_json(spread: RoundRange) -> dict[str, float]:
    """A figure of all rounds together, between the lowest and the highest of a single one."""
    return {
        "min": round(spread.low, 1),
        "merged": round(spread.merged, 1),
        "max": round(spread.high, 1),
    }


def reconciliation_json(found: Reconciliation) -> dict[str, object]:
    """telemon's counts beside the servers', warm-up included, and what that comes to in words. `shard` is the address
    of the cluster's node that a check is about, null for the sum over all servers of the lane."""
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


def client_json(client: ClientStats) -> dict[str, object]:
    """What telemon cost; `client_bound_by` is null where the lane is not client-bound."""
    return {
        "cpu_share": round(client.cpu_share, 3),
        "loop_lag_p99_us": round(client.loop_lag.percentile_us(99), 1),
        "own_lag_p99_us": round(client.cpu_loop_lag.percentile_us(99), 1),
        "client_bound": client.client_bound,
        "client_bound_by": client.bound_by or None,
    }


def timestamp(at_utc_s: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
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
    for role in ("write", "read"):
        work = shown[role]
        assert isinstance(work, dict)
        overhead_us = lane_info.overhead_us.get(role)
        work["floor_us"] = None if overhead_us is None else round(overhead_us, 1)
    found = summary.reconciliations.get(lane.lane)
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
