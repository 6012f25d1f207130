"""Make the tables and the hot keys on private servers."""

from __future__ import annotations

from collections.abc import Mapping

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import PreparationError
from engines.workload.dataset import HOT_KEYS, TelemetryPool

SEED_VERSION = 1
"""The version of the prepared rows. Writers begin above it, so that a row tells whether a writer has replaced it."""


def seed_lanes(lanes: Mapping[str, LaneEndpoints], seed: int) -> None:
    """Make the tables and the hot keys, in every lane at once.

    It blocks until all are made. Raises PreparationError.
    """
    readings = TelemetryPool(seed)
    for _ in in_parallel(lambda lane: _seed_lane(lane, readings), lanes.values(), len(lanes)):
        pass


def _seed_lane(endpoints: LaneEndpoints, readings: TelemetryPool) -> None:
    server = endpoints.mysql
    if server is not None:
        try:
            with mysql.cursor(server) as cursor:
                mysql.make_table(cursor, server.namespace.table)
                mysql.seed(cursor, server.namespace.table, HOT_KEYS, readings, SEED_VERSION)
        except mysql.ForeignTableError as error:
            raise PreparationError(f"lane {endpoints.lane}: {error}") from error
        except mysql.FAILURES as error:
            raise PreparationError(
                f"lane {endpoints.lane}: MySQL at {server.host}:{server.port}: "
                f"{error_text(error, server.namespace)}"
            ) from error
    nodes = endpoints.redis
    if nodes is not None and server is None:
        try:
            redis.seed(nodes, HOT_KEYS, readings, SEED_VERSION)
        except redis.FAILURES as error:
            raise PreparationError(
                f"lane {endpoints.lane}: Redis at {nodes.host}:{nodes.port}: "
                f"{error_text(error, nodes.namespace)}"
            ) from error
