"""State of the cache of lane `cached`: cold or filled before the warm-up, and flushed during the race."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from random import Random
from threading import Thread

from pymysql.err import DataError

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.mysql.rows import read_rows
from engines.backends.redis import client as redis
from engines.backends.redis import own_keys
from engines.backends.redis.marker import ForeignKeyError
from engines.config.race_config import RaceConfig
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.errors import PreparationError, doctor_hint
from engines.provisioning.ownership import foreign_key_note, survey_race_keys
from engines.workload.dataset import CACHED_KEYS, HOT_KEYS, KeyRange
from engines.workload.redis_keys import is_row
from engines.workload.ttl import jittered_ttl_ms


def prepare_cache(endpoints: LaneEndpoints, settings: RaceConfig, *, private: bool = True) -> int:
    """Delete telemon's own keys from a lane's cache. For a filled start, then copy every hot key from the lane's MySQL.

    Only the keys that a race writes are asked for, and only those that telemon wrote are deleted.

    Returns the number of keys filled, 0 for a lane without a cache. `private` says that the servers belong to the
    sandbox. Blocks. Raises PreparationError.
    """
    server, cache = endpoints.mysql, endpoints.redis
    if server is None or cache is None:
        return 0
    address = f"Redis at {cache.host}:{cache.port}"
    try:
        own_keys.delete(cache, survey_race_keys(cache, cache=True))
        if settings.cache != "filled":
            return 0
        address = f"MySQL at {server.host}:{server.port}"
        rows = list(_rows(server, HOT_KEYS))
        address = f"Redis at {cache.host}:{cache.port}"
        redis.fill(cache, rows, _ttls_ms(settings))
    except ForeignKeyError as error:
        raise PreparationError(
            f"lane {endpoints.lane}: {foreign_key_note(cache, error)}"
        ) from error
    except (*mysql.FAILURES, *redis.FAILURES) as error:
        raise PreparationError(
            f"lane {endpoints.lane}: {address}: the cache could not be made {settings.cache}: "
            f"{error_text(error, cache.namespace)}{doctor_hint(private)}"
        ) from error
    return len(rows)


def flush_caches(
    lanes: Iterable[LaneEndpoints],
    private: Container[str],
    note: Callable[[str | None, str], None],
    account: Callable[[str, str, Mapping[str, int]], None],
) -> list[Thread]:
    """Delete telemon's own keys from the cache of every lane that has one, in background threads.

    `note` is called with lane and result from those threads. `account` is called there with lane, address of a node,
    and how far the flush has moved that node's counters: they are compared with the race's own counts. The lanes in
    `private` are on sandbox servers. Returns the threads at once.
    """

    def flush_one(lane: str, cache: RedisEndpoint) -> None:
        try:
            found = own_keys.survey(cache, CACHED_KEYS)
            for address, commands in found.commands.items():
                account(lane, address, commands)
            removed = own_keys.delete(cache, found)
        except redis.FAILURES as error:
            text = error_text(error, cache.namespace)
            note(lane, f"the cache was not flushed: {text}{doctor_hint(lane in private)}")
            return
        others = f"; {found.foreign_text} of somebody else stay" if found.foreign_count else ""
        note(lane, f"cache flushed: {removed:,} keys removed{others}")

    threads = [
        Thread(target=flush_one, args=(endpoints.lane, endpoints.redis), daemon=True)
        for endpoints in lanes
        if endpoints.mysql is not None and endpoints.redis is not None
    ]
    for thread in threads:
        thread.start()
    return threads


def _rows(server: MySQLEndpoint, keys: KeyRange) -> Iterator[tuple[int, bytes]]:
    """Yield id and payload of each car of `keys` in the table, as a reader would fill it after a miss.

    Raises one of mysql.FAILURES, also for a row that is none.
    """
    table = server.namespace.table
    with mysql.cursor(server) as cursor:
        rows = read_rows(cursor, table, f"car_id BETWEEN {keys.first} AND {keys.last}")
    for car_id, row in rows.items():
        if car_id not in keys or not is_row(car_id, row):
            raise DataError(f"table {table} holds a row that is not six numbers")
        yield car_id, row


def _ttls_ms(settings: RaceConfig) -> Callable[[], int]:
    """Return a function that returns the time to live of the next key in ms.

    It is spread like that of keys that readers fill.
    """
    random = Random(f"{settings.seed}:ttl:start").random
    ttl_ms, jitter = settings.ttl_s * 1000, settings.ttl_jitter
    return lambda: jittered_ttl_ms(ttl_ms, jitter, random())
