"""What the programs of one engine process share, and what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from engines.endpoints.slot_map import SlotMap
from engines.lanes.fill_tracker import FillTracker
from engines.lanes.request_cache import GetCache, SelectCache
from engines.workload.dataset import TelemetryPool
from engines.workload.streams import Row

MYSQL = "mysql"
"""The address of a session's link to MySQL; Redis links go by "host:port"."""

AckedVersions = MutableMapping[int, int] | None
"""The last acknowledged version of each car, where somebody wants to know."""


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What the sessions of one engine process share."""

    telemetry: TelemetryPool
    gets: GetCache
    selects: SelectCache
    slot_map: SlotMap | None
    fills: FillTracker
    ttl_ms: Callable[[], int]
    issuing: Callable[[], bool]
    """Whether operations may still begin: a reader that skips missing ids ends its search when they may not."""
    redirected: Callable[[], None]
    """Called for every MOVED or ASK."""
    acked_versions: AckedVersions


def acknowledge(acked_versions: AckedVersions, rows: list[Row]) -> None:
    if acked_versions is not None:
        for car_id, _, version in rows:
            acked_versions[car_id] = version
