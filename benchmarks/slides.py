"""The peer of preset `deck`: the demo's own five loops, on today's redis-py and PyMySQL, one connection each.

The loops are the slides', but for what a slide cannot have: they end after a time, and they keep the times of their
rounds. Connections are opened once, as the writers' slides do; the readers' slides open one per page, which would only
make them slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import randint
from statistics import median

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor
from redis import Redis
from redis.cluster import ClusterNode, RedisCluster

from benchmarks.measured import Measured
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint

TTL_S = 120
BATCH_SIZE = 100

INSERT = (
    "insert into cars(car_id,rpm,water_temp,oil_temp,oil_pressure,version) values(%s,%s,%s,%s,%s,1) "
    "on duplicate key update rpm=%s, water_temp=%s, oil_temp=%s, oil_pressure=%s"
)
SELECT = (
    "select avg(rpm) rpm, avg(water_temp) water_temp, avg(oil_temp) oil_temp, "
    "avg(oil_pressure) oil_pressure from cars where car_id=%s having count(*) > 0"
)


def _timed(turn: Callable[[], object], rows: int, seconds: float) -> Measured:
    """Repeat `turn`, which moves so many rows, for a while after a warm-up of a tenth of it."""
    taken_s: list[float] = []
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < seconds / 10:
        turn()
    began_s = now_s = time.perf_counter()
    while now_s - began_s < seconds:
        turn()
        after_s = time.perf_counter()
        taken_s.append(after_s - now_s)
        now_s = after_s
    return Measured(rows * len(taken_s) / (now_s - began_s), median(taken_s) * 1e6)


def _mysql(endpoint: MySQLEndpoint) -> Connection[DictCursor]:
    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
        cursorclass=DictCursor,
        ssl_disabled=True,
    )


def _cluster(endpoint: RedisEndpoint) -> RedisCluster:
    return RedisCluster(
        startup_nodes=[ClusterNode(endpoint.host, endpoint.port)],  # type: ignore[no-untyped-call]
        password=endpoint.password,
        decode_responses=True,
    )


def write_mysql(endpoint: MySQLEndpoint, seconds: float) -> Measured:
    """Scenario 1, writing."""
    connection = _mysql(endpoint)
    cursor = connection.cursor()

    def batch() -> None:
        for _ in range(BATCH_SIZE):
            car_id = randint(100000000, 999999999)
            values = (randint(750, 4000), randint(60, 99), randint(80, 120), randint(30, 150))
            cursor.execute(INSERT, (car_id, *values, *values))
        connection.commit()

    with connection:
        return _timed(batch, BATCH_SIZE, seconds)


def read_mysql(endpoint: MySQLEndpoint, seconds: float) -> Measured:
    """Scenario 1, reading."""
    connection = _mysql(endpoint)
    cursor = connection.cursor()

    def page() -> None:
        rows = 0
        while rows == 0:
            car_id = randint(50000000, 50001000)
            rows = cursor.execute(SELECT, (car_id,))
        cursor.fetchone()

    with connection:
        return _timed(page, 1, seconds)


def read_cached(cache: RedisEndpoint, endpoint: MySQLEndpoint, seconds: float) -> Measured:
    """Scenario 2, reading through the cache."""
    r = Redis(cache.host, cache.port, password=cache.password, decode_responses=True)
    connection = _mysql(endpoint)
    cursor = connection.cursor()

    def page() -> None:
        car_id = randint(50000000, 50001000)
        payload = r.get(car_id)  # type: ignore[arg-type]
        if payload is None:
            rows = cursor.execute(SELECT, (car_id,))
            if rows:
                d = cursor.fetchone()
                assert d is not None
                filled = (
                    f"{car_id}:{d['rpm']}:{d['water_temp']}:{d['oil_temp']}:{d['oil_pressure']}"
                )
                r.setex(str(car_id), TTL_S, filled)

    with connection:
        return _timed(page, 1, seconds)


def write_durable(endpoint: RedisEndpoint, seconds: float) -> Measured:
    """Scenario 3, writing."""
    r = _cluster(endpoint)

    def batch() -> None:
        for _ in range(BATCH_SIZE):
            car_id = randint(50000000, 50050000)
            rpm = randint(750, 4000)
            water_temp = randint(60, 99)
            oil_temp = randint(80, 120)
            oil_pressure = randint(30, 150)
            payload = f"{car_id}:{rpm}:{water_temp}:{oil_temp}:{oil_pressure}"
            r.set(str(car_id), payload)

    return _timed(batch, BATCH_SIZE, seconds)


def read_durable(endpoint: RedisEndpoint, seconds: float) -> Measured:
    """Scenario 3, reading."""
    r = _cluster(endpoint)

    def page() -> None:
        car_id = randint(50000000, 50050000)
        payload = r.get(str(car_id))
        if payload is None:
            payload = f"{car_id}:0:0:0:0"
        str(payload).split(":", 5)

    return _timed(page, 1, seconds)
