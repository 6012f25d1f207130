"""Removing what telemon made on servers of one's own: exactly that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from redis import Redis

from engines.deed import Deed, DeedError, Plan
from engines.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.key import KEY_PREFIX
from engines.prepare import DOCTOR, mysql_name, redis_name, said
from engines.servers import mysql, place, redis

OWN_KEY = re.compile(rb"%b([0-9]{1,19}|doctor:[0-9a-f]+:[0-9]+)" % KEY_PREFIX)
"""The names that telemon gives: a car's, and the doctor's. Who else uses its prefix is left alone."""

AT_ONCE = 500
"""Keys in one round trip."""


def plan(lanes: Mapping[str, LaneEndpoints]) -> Plan:
    """What `telemon clean` would do on `lanes`. Only looks. Raises DeedError."""
    whole = Plan()
    for endpoints in lanes.values():
        if endpoints.mysql is not None:
            whole += _mysql_plan(endpoints.mysql)
        if endpoints.redis is not None:
            whole += _redis_plan(endpoints.redis)
    return whole


def _mysql_plan(endpoint: MySQLEndpoint) -> Plan:
    name = mysql_name(endpoint)
    deeds, left = [], []

    def drop_table() -> str:
        with mysql.session(endpoint) as cursor:
            dropped = place.drop_table(cursor)
        return f"{'removed' if dropped else 'no longer there:'} table {mysql.TABLE}"

    def drop_database() -> str:
        with mysql.session(endpoint) as cursor:
            others = place.drop_database(cursor, endpoint.database)
        if others:
            return f"database {endpoint.database} stays: somebody else has {', '.join(others[:3])} in it"
        return f"removed database {endpoint.database}"

    try:
        with mysql.session(endpoint) as cursor:
            mark = place.comment(cursor, mysql.TABLE)
            made = place.made_database(cursor)
            others = place.strangers(cursor) if made else []
    except mysql.FAILURES as error:
        if place.missing_database(error):
            return Plan(left=((name, f"there is no database {endpoint.database}"),))
        raise DeedError(f"{name}: {said(error)}; {DOCTOR}") from error
    if mark == mysql.MARK:
        deeds.append(Deed(name, f"drop table {mysql.TABLE} (its comment: {mark})", drop_table))
    elif mark is not None:
        left.append((name, f"table {mysql.TABLE}: not made by telemon (its comment is {mark!r})"))
    else:
        left.append((name, f"there is no table {mysql.TABLE}"))
    if made and not others:
        what = f"drop database {endpoint.database}, which telemon made and nobody else uses"
        deeds.append(Deed(name, what, drop_database))
    elif made:
        what = (
            f"database {endpoint.database}: telemon made it, but it holds {', '.join(others[:3])}"
        )
        left.append((name, what))
    else:
        left.append((name, f"database {endpoint.database}: not made by telemon"))
    return Plan(tuple(deeds), tuple(left))


def _redis_plan(endpoint: RedisEndpoint) -> Plan:
    name = redis_name(endpoint)

    def unlink() -> str:
        return f"removed {remove_keys(endpoint):,} keys"

    try:
        held = len(set(_own_keys(endpoint)))  # SCAN may say a key twice
    except redis.FAILURES as error:
        raise DeedError(f"{name}: {said(error)}; {DOCTOR}") from error
    if not held:
        return Plan(left=((name, "holds no key of telemon's"),))
    return Plan((Deed(name, f"remove {held:,} keys {KEY_PREFIX.decode()}...", unlink),))


def remove_keys(endpoint: RedisEndpoint) -> int:
    """Remove telemon's keys, on every node; how many there were. Raises one of redis.FAILURES."""
    removed = 0
    for address in redis.nodes(redis.settled(endpoint)):
        with redis.client(address, endpoint) as node:
            names = _own_keys_of(node)
            while some := list(islice(names, AT_ONCE)):
                # One UNLINK a key: on a cluster's node one command must not span slots.
                with node.pipeline(transaction=False) as pipeline:
                    for name in some:
                        pipeline.unlink(name)
                    removed += sum(pipeline.execute())
    return removed


def _own_keys(endpoint: RedisEndpoint) -> Iterator[bytes]:
    for address in redis.nodes(redis.settled(endpoint)):
        with redis.client(address, endpoint) as node:
            yield from _own_keys_of(node)


def _own_keys_of(node: Redis) -> Iterator[bytes]:
    """telemon's keys on one node. SCAN goes over all keys without ever holding the server up, as KEYS would."""
    for name in node.scan_iter(match=KEY_PREFIX + b"*", count=1000):
        if OWN_KEY.fullmatch(name):
            yield name
