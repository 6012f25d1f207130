"""What a race came to: the totals of its frames, and the objects that a program reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from engines import __version__
from engines.config import Race
from engines.distribution import Distribution
from engines.frame import Cache, Client, Entrant, Frame, LaneFrame, LaneState, Work
from engines.histogram import Latencies

SCHEMA = 1
"""Version of the objects below; more keys may come without a new one."""

UNMEASURED = (LaneState.STARTING, LaneState.WARMING)


class WorkTotal:
    """One role of one lane over the whole race."""

    def __init__(self) -> None:
        self.operations = 0
        self.rows = 0
        self.interval_s = 0.0
        self.errors: dict[str, int] = {}
        self.service = Distribution()
        self.failures = Distribution()
        self.response: Distribution | None = None

    def add(self, work: Work, interval_s: float) -> None:
        """Count `work`, done in `interval_s`."""
        self.operations += work.operations
        self.rows += work.rows
        self.interval_s += interval_s
        for kind, count in work.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.service.add(work.service)
        self.failures.add(work.failures)
        if work.response is not None:
            self.response = self.response or Distribution()
            self.response.add(work.response)

    def work(self) -> Work:
        return Work(
            operations=self.operations,
            rows=self.rows,
            service=self.service.latencies(),
            response=self.response.latencies() if self.response is not None else None,
            failures=self.failures.latencies(),
            errors=dict(self.errors),
            interval_s=self.interval_s,
        )


class LaneTotal:
    """One lane over the whole race."""

    def __init__(self) -> None:
        self.state = LaneState.STARTING
        self.answered = False
        self.write = WorkTotal()
        self.read = WorkTotal()
        self.cache = Cache()
        self.redirects = 0
        self.reconnects = 0
        self.server: Mapping[str, int] = {}
        self._cpu_s = 0.0
        self._bound_s = 0.0
        self._interval_s = 0.0
        self._loop_lag = Distribution()

    def add(self, lane: LaneFrame, interval_s: float, measured: bool) -> None:
        """Count what the lane did in an interval, or only note how it is when that is not `measured`."""
        self.state = lane.state
        self.server = lane.server or self.server
        self.answered = self.answered or bool(lane.write.operations or lane.read.operations)
        if not measured or lane.state in UNMEASURED:
            return
        if lane.state is LaneState.PAUSED and not (lane.write.operations or lane.read.operations):
            return  # told to rest: no rate is lowered by it
        for total, work in ((self.write, lane.write), (self.read, lane.read)):
            # Engines that are gone measure no interval, but time goes on: a lane that is down earns no rate for it.
            gone = lane.state is LaneState.DOWN and not work.interval_s
            total.add(work, interval_s if gone else work.interval_s)
        self.cache = Cache.merged((self.cache, lane.cache))
        self.redirects += lane.redirects
        self.reconnects += lane.reconnects
        self._interval_s += interval_s
        self._cpu_s += lane.client.cpu_share * interval_s
        self._bound_s += interval_s if lane.client.client_bound else 0.0
        self._loop_lag.add(lane.client.loop_lag)

    @property
    def client(self) -> Client:
        """Mean share of a core, weighted by time, and every loop lag."""
        share = self._cpu_s / self._interval_s if self._interval_s else 0.0
        return Client(cpu_share=share, loop_lag=self._loop_lag.latencies())

    @property
    def client_bound_share(self) -> float:
        """The share of the measured time in which the lane was client-bound, from 0 to 1."""
        return self._bound_s / self._interval_s if self._interval_s else 0.0

    def frame(self, lane: str) -> LaneFrame:
        """The whole race as if it were one interval."""
        return LaneFrame(
            lane=lane,
            state=self.state,
            write=self.write.work(),
            read=self.read.work(),
            cache=self.cache,
            redirects=self.redirects,
            reconnects=self.reconnects,
            client=self.client,
            server=self.server,
        )


class Summary:
    """Totals of a race. Holds sums only: as large after an hour as after a minute.

    `facts` is what else is known of where and how it ran, for the result's `fairness`; its `notes`, a list of
    sentences, are what must be said beside the numbers.
    """

    def __init__(
        self, settings: Race, entrants: Iterable[Entrant], facts: Mapping[str, object]
    ) -> None:
        self.settings = settings
        self.entrants = tuple(entrants)
        self.facts = dict(facts)
        self.duration_s = 0.0
        """The measured time so far."""
        self._totals = {entrant.lane: LaneTotal() for entrant in self.entrants}
        self._started_at_s: float | None = None

    def add(self, frame: Frame) -> None:
        """Count a frame. What happened while warming counts for nothing but `unanswered`."""
        if self._started_at_s is None:
            self._started_at_s = frame.at_utc_s - frame.interval_s
        self.duration_s = max(self.duration_s, frame.elapsed_s)
        for lane in frame.lanes:
            self._totals[lane.lane].add(lane, frame.interval_s, measured=frame.elapsed_s > 0)

    def lanes(self) -> tuple[LaneFrame, ...]:
        """The whole race as if it were one interval, in the order of the entrants."""
        return tuple(total.frame(lane) for lane, total in self._totals.items())

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The lanes that have not acknowledged a single operation, not even while warming."""
        return tuple(lane for lane, total in self._totals.items() if not total.answered)

    def notes(self) -> tuple[str, ...]:
        """What must be said beside the numbers, a sentence each."""
        common = [str(note) for note in _listed(self.facts.get("notes"))]
        notes = list(common)
        for entrant in self.entrants:
            # What holds for all lanes is among the facts' notes, and said once.
            notes += [f"{entrant.lane}: {note}" for note in entrant.notes if note not in common]
        for lane, total in self._totals.items():
            if total.client.client_bound:
                notes.append(
                    f"{lane}: client-bound, telemon and not the servers may be what limits it"
                )
        return tuple(dict.fromkeys(notes))

    def result(self) -> dict[str, object]:
        """The object that `telemon run --format json` prints. Rates are counts over the measured interval;
        latencies in us to 0.1, all 0 where there was no operation."""
        entrants = {entrant.lane: entrant for entrant in self.entrants}
        lanes = []
        for lane in self.lanes():
            entrant = entrants[lane.lane]
            total = self._totals[lane.lane]
            shown = lane_object(lane)
            lanes.append(
                {
                    "id": lane.lane,
                    "title": entrant.title,
                    "approach": entrant.approach,
                    **shown,
                    "client": {
                        **client_object(lane.client),
                        "client_bound_share": round(total.client_bound_share, 3),
                    },
                    "server": {
                        "product": entrant.product,
                        "version": entrant.version,
                        "durability": entrant.durability,
                        "notes": list(entrant.notes),
                        "counters": dict(lane.server),
                    },
                }
            )
        return {
            "schema": SCHEMA,
            "telemon": __version__,
            "started_at": timestamp(self._started_at_s or 0.0),
            "duration_s": round(self.duration_s, 3),
            "warmup_s": self.settings.warmup_s,
            "settings": self.settings.to_json(),
            "fairness": self._fairness(),
            "lanes": lanes,
        }

    def _fairness(self) -> dict[str, object]:
        settings = self.settings
        return {
            **self.facts,
            "preset": settings.preset,
            "connections": {"writers": settings.writers, "readers": settings.readers},
            "processes": settings.processes,
            "batch": settings.batch,
            "seed": settings.seed,
            "notes": list(self.notes()),
        }


def frame_object(frame: Frame) -> dict[str, object]:
    """A frame as a line of `--format jsonl`, without its buckets."""
    return {
        "seq": frame.seq,
        "at": timestamp(frame.at_utc_s),
        "interval_s": round(frame.interval_s, 3),
        "elapsed_s": round(frame.elapsed_s, 3),
        "lanes": [{"id": lane.lane, **lane_object(lane)} for lane in frame.lanes],
        "events": [
            {"at": timestamp(event.at_utc_s), "lane": event.lane, "text": event.text}
            for event in frame.events
        ],
    }


def lane_object(lane: LaneFrame) -> dict[str, object]:
    """What a lane did in an interval, however long."""
    ratio = lane.cache.hit_ratio
    return {
        "state": lane.state.value,
        "write": work_object(lane.write),
        "read": {
            **work_object(lane.read),
            "hits": lane.cache.hits,
            "misses": lane.cache.misses,
            "hit_ratio": None if ratio is None else round(ratio, 4),
            "fills": lane.cache.fills,
            "duplicate_fills": lane.cache.duplicate_fills,
            "skipped": lane.cache.skipped,
        },
        "redirects": lane.redirects,
        "reconnects": lane.reconnects,
        "client": client_object(lane.client),
    }


def work_object(work: Work) -> dict[str, object]:
    """One role's work; rows / measured_s is rows_per_s. `failures_us` and `response_us` are null where there is
    nothing to tell."""
    return {
        "rows": work.rows,
        "rows_per_s": round(work.rows_per_s, 1),
        "operations": work.operations,
        "measured_s": round(work.interval_s, 3),
        "errors": dict(work.errors),
        "service_us": latencies_object(work.service),
        "response_us": None if work.response is None else latencies_object(work.response),
        "failures_us": latencies_object(work.failures) if work.failures.count else None,
    }


def latencies_object(latencies: Latencies) -> dict[str, float]:
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


def client_object(client: Client) -> dict[str, object]:
    return {
        "cpu_share": round(client.cpu_share, 3),
        "loop_lag_p99_us": round(client.loop_lag.percentile_us(99), 1),
        "client_bound": client.client_bound,
    }


def timestamp(at_utc_s: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_utc_s, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
