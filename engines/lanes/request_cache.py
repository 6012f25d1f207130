"""Requests that repeat, each built once.

Performance: call `get` first and subscript only on a miss, as with `engines.driver.session.SessionConnections`.
"""

from __future__ import annotations

from engines.lanes.content import payload_bounds
from engines.wire import mysql, resp
from engines.workload.redis_keys import redis_key
from engines.workload.statements import select


class SelectCache(dict[int, tuple[bytes, bytes]]):
    """The SELECT request of each car, from one table, and the car's id as the answer must have it."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self._select = select(table)

    def __missing__(self, car_id: int) -> tuple[bytes, bytes]:
        request = self[car_id] = (mysql.query(self._select % car_id), b"%d" % car_id)
        return request


class GetCache(dict[int, tuple[int, bytes, bytes, bytes]]):
    """The hash slot and the GET request of each car, and the bounds of its payload (`payload_bounds`).

    `prefix` is that of the keys.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, car_id: int) -> tuple[int, bytes, bytes, bytes]:
        name = redis_key(car_id, self._prefix)
        request = self[car_id] = (resp.key_slot(name), resp.get(name), *payload_bounds(car_id))
        return request
