"""State that the programs of one engine process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engines.endpoints.slot_map import SlotMap
from engines.lanes.fill_tracker import FillTracker
from engines.lanes.request_cache import GetCache, SelectCache
from engines.workload.dataset import TelemetryPool
from engines.workload.streams import Row

MYSQL_ADDRESS = "mysql:"
"""Key of a session's connection to MySQL. It must not look like "host:port", by which Redis connections go."""


@dataclass(frozen=True, slots=True)
class LaneContext:
    """State that the sessions of one engine process share."""

    telemetry: TelemetryPool
    """The telemetry samples that writers send."""
    upsert_head: bytes
    """The beginning of every upsert, which names the table."""
    key_prefix: bytes
    """The prefix of every key."""
    gets: GetCache
    """GET requests of all readers."""
    selects: SelectCache
    """SELECT requests of all readers."""
    slot_map: SlotMap | None
    """The nodes of the lane's Redis; None in a lane without Redis."""
    fills: FillTracker
    """Cache fills in flight, to count duplicates."""
    ttl_ms: Callable[[], int]
    """Returns the time to live of the next cache fill, in ms."""
    issuing: Callable[[], bool]
    """Returns whether operations may still start. A reader that skips missing keys stops its search if not."""
    redirected: Callable[[], None]
    """Called for every MOVED or ASK."""
    acknowledged: Callable[[list[Row]], object]
    """Called with each batch that is acknowledged as a whole."""
    given_up: Callable[[list[Row]], object]
    """Called with each batch that was sent and gets no answer: it may or may not be stored, now or later."""
