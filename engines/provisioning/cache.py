"""Put the cache of a lane into the state in which the warm-up begins (cold or filled), and flush it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from random import Random
from threading import Thread

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.config.race_config import RaceConfig
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.errors import PreparationError, doctor_hint
from engines.workload.dataset import HOT_KEYS, KeyRange, payload


def prepare_cache(endpoints: LaneEndpoints, settings: RaceConfig, *, private: bool = True) -> int:
    """Remove telemon's own keys from the lane's cache; for a filled start, copy every hot row from MySQL into it.

    Return the number of rows that were copied, 0 for a lane without a cache. `private` says that the servers are
    private ones. It blocks until the cache is ready. Raises PreparationError.
    """
    server, cache = endpoints.mysql, endpoints.redis
    if server is None or cache is None:
        return 0
    at = f"Redis at {cache.host}:{cache.port}"
    try:
        redis.delete_own_keys(cache)
        if settings.cache != "filled":
            return 0
        at = f"MySQL at {server.host}:{server.port}"
        rows = list(_rows(server, HOT_KEYS))
        at = f"Redis at {cache.host}:{cache.port}"
        redis.fill(cache, rows, _ttls_ms(settings))
    except (*mysql.FAILURES, *redis.FAILURES) as error:
        raise PreparationError(
            f"lane {endpoints.lane}: {at}: the cache could not be made {settings.cache}: {error_text(error)}"
            f"{doctor_hint(private)}"
        ) from error
    return len(rows)


def flush_caches(
    lanes: Iterable[LaneEndpoints],
    private: Container[str],
    note: Callable[[str | None, str], None],
) -> None:
    """Remove telemon's own keys from the cache of every lane that has one, in a thread per cache.

    It returns at once. `note` is called from these threads with the lane and the result in words. The lanes in
    `private` are on private servers.
    """

    def flush(lane: str, cache: RedisEndpoint) -> None:
        try:
            note(lane, f"cache flushed: {redis.delete_own_keys(cache):,} keys removed")
        except redis.FAILURES as error:
            note(
                lane,
                f"the cache was not flushed: {error_text(error)}{doctor_hint(lane in private)}",
            )

    for endpoints in lanes:
        if endpoints.mysql is not None and endpoints.redis is not None:
            Thread(target=flush, args=(endpoints.lane, endpoints.redis), daemon=True).start()


def _rows(server: MySQLEndpoint, cars: KeyRange) -> Iterator[tuple[int, bytes]]:
    """Return (car id, payload) of each row, as a reader fills it after a miss."""
    with mysql.cursor(server) as cursor:
        cursor.execute(
            f"SELECT car_id, rpm, water_temp, oil_temp, oil_pressure, version FROM {mysql.TABLE} "
            "WHERE car_id BETWEEN %s AND %s",
            (cars.first, cars.last),
        )
        for car_id, *reading, version in cursor.fetchall():
            yield car_id, payload(car_id, b":".join(b"%d" % value for value in reading), version)


def _ttls_ms(settings: RaceConfig) -> Callable[[], int]:
    """Return a function for the TTL in ms of the next key, with the jitter that readers' fills have."""
    sample = Random(f"{settings.seed}:ttl:start").random
    ttl_ms, jitter = settings.ttl_s * 1000, settings.ttl_jitter
    return lambda: max(1, round(ttl_ms * (1 + jitter * (2 * sample() - 1))))
