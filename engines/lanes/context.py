"""What the programs of one engine process share, and what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from engines.endpoints.slot_map import SlotMap
from engines.lanes.fill_tracker import FillTracker
from engines.lanes.request_cache import GetCache, SelectCache
from engines.workload.dataset import TelemetryPool
from engines.workload.streams import Row

MYSQL_ADDRESS = "mysql:"
"""Key of a session's connection to MySQL. It must not look like "host:port", by which Redis connections go."""

AckedVersions = MutableMapping[int, int] | None
"""The last acknowledged version of each car, where somebody wants to know."""


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What the sessions of one engine process share."""

    readings: TelemetryPool
    gets: GetCache
    selects: SelectCache
    topology: SlotMap | None
    fills: FillTracker
    ttl_ms: Callable[[], int]
    issuing: Callable[[], bool]
    """Whether operations may still begin: a reader that skips missing ids ends its search when they may not."""
    redirected: Callable[[], None]
    """Called for every MOVED or ASK."""
    ledger: AckedVersions


def acknowledge(ledger: AckedVersions, rows: list[Row]) -> None:
    if ledger is not None:
        for car_id, _, version in rows:
            ledger[car_id] = version
