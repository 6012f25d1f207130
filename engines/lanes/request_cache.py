"""Requests that repeat, each built once.

Performance: call `get` first and subscript only on a miss, as with `engines.driver.session.SessionConnections`.
"""

from __future__ import annotations

from engines.wire import mysql, resp
from engines.workload.redis_keys import redis_key
from engines.workload.statements import SELECT


class SelectCache(dict[int, bytes]):
    """The SELECT request of each car."""

    def __missing__(self, car_id: int) -> bytes:
        request = self[car_id] = mysql.query(SELECT % car_id)
        return request


class GetCache(dict[int, tuple[int, bytes]]):
    """The hash slot and the GET request of each car."""

    def __missing__(self, car_id: int) -> tuple[int, bytes]:
        name = redis_key(car_id)
        request = self[car_id] = (resp.key_slot(name), resp.get(name))
        return request
