"""Requests that are asked again and again, built once.

To be asked by `get` first, and by subscript where that has nothing: see `engines.driver.session.SessionConnections`.
"""

from __future__ import annotations

from engines.wire import mysql, resp
from engines.workload.redis_keys import redis_key
from engines.workload.statements import SELECT


class SelectCache(dict[int, bytes]):
    """The SELECT of each car, built once."""

    def __missing__(self, car_id: int) -> bytes:
        request = self[car_id] = mysql.query(SELECT % car_id)
        return request


class GetCache(dict[int, tuple[int, bytes]]):
    """The hash slot and the GET of each car, built once."""

    def __missing__(self, car_id: int) -> tuple[int, bytes]:
        name = redis_key(car_id)
        request = self[car_id] = (resp.key_slot(name), resp.get(name))
        return request
