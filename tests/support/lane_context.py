"""The context of a lane's programs, for tests that run them without an engine process."""

from __future__ import annotations

from engines.endpoints.slot_map import SlotMap
from engines.lanes.context import LaneContext
from engines.lanes.fill_tracker import FillTracker
from engines.lanes.request_cache import GetCache, SelectCache
from engines.workload.dataset import TelemetryPool
from engines.workload.namespace import DEFAULT, Namespace
from engines.workload.statements import upsert_head


def lane_context(
    slot_map: SlotMap, telemetry: TelemetryPool, namespace: Namespace = DEFAULT
) -> LaneContext:
    """Return a context with empty request caches, in which operations are issued and no version is kept."""
    return LaneContext(
        telemetry=telemetry,
        upsert_head=upsert_head(namespace.table),
        key_prefix=namespace.key_prefix,
        gets=GetCache(namespace.key_prefix),
        selects=SelectCache(namespace.table),
        slot_map=slot_map,
        fills=FillTracker(),
        ttl_ms=lambda: 1,
        issuing=lambda: True,
        redirected=lambda: None,
        acknowledged=lambda _: None,
        given_up=lambda _: None,
    )
