"""Keys of cars in telemon's namespace: which of them telemon wrote, and which somebody else did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from engines.backends.redis.client import client, nodes, slot_map, slot_owner
from engines.endpoints.endpoint import RedisEndpoint
from engines.wire import resp
from engines.workload.dataset import KeyRange
from engines.workload.redis_keys import is_row, redis_key

AT_ONCE = 5_000
"""Requests that are sent to a node before their replies are read: one round trip for each so many keys."""

FOREIGN_NAMED = 3
"""Number of foreign keys that are remembered by name; the others are counted."""

SCAN_COUNT = 1_000
"""Keys that one SCAN looks at. More keeps the server from its other clients for longer."""

WRONG_TYPE = "WRONGTYPE"
"""First word of the error for a GET of a key that holds no string."""


@dataclass(slots=True)
class KeySurvey:
    """What was found under the keys of cars.

    A key is telemon's own if it holds a string that is a row of the very car that the key is named for, and if the car
    is one that races write. Every other key with the name of a car's is foreign.
    """

    own: dict[str, list[int]] = field(default_factory=dict)
    """Address of a node -> cars whose keys there are telemon's."""
    foreign: list[bytes] = field(default_factory=list)
    """Names of the first `FOREIGN_NAMED` foreign keys."""
    foreign_count: int = 0
    commands: dict[str, dict[str, int]] = field(default_factory=dict)
    """Address of a node -> how far its counters moved by this survey, by their names in `RedisCounters`."""

    @property
    def own_count(self) -> int:
        """Return the number of telemon's own keys."""
        return sum(map(len, self.own.values()))

    def count_in(self, keys: KeyRange) -> int:
        """Return how many cars of `keys` have a key of telemon's."""
        return sum(car_id in keys for cars in self.own.values() for car_id in cars)

    def add_foreign(self, name: bytes) -> None:
        """Count a foreign key."""
        self.foreign_count += 1
        if len(self.foreign) < FOREIGN_NAMED:
            self.foreign.append(name)

    @property
    def foreign_text(self) -> str:
        """Return the foreign keys in words: the first by name, the others as a number."""
        # Whoever wrote a key chose its name: anything but printable ASCII is escaped.
        names = ", ".join(repr(name)[2:-1] for name in self.foreign)
        more = self.foreign_count - len(self.foreign)
        keys = "key" if self.foreign_count == 1 else "keys"
        return f"{keys} {names}{f' and {more:,} more' if more else ''}"


def survey(endpoint: RedisEndpoint, cars: KeyRange) -> KeySurvey:
    """Ask for the key of each car of `cars`, with one GET each, and for no other key. Blocks.

    Raises one of redis.FAILURES.
    """
    ranges, prefix = slot_map(endpoint), endpoint.namespace.key_prefix
    cars_by_address: dict[str, list[int]] = {}
    for car_id in range(cars.first, cars.last + 1):
        # A slot that nobody serves holds no key.
        address = slot_owner(ranges, resp.key_slot(redis_key(car_id, prefix)))
        if address is not None:
            cars_by_address.setdefault(address, []).append(car_id)
    found = KeySurvey()
    for address, wanted in cars_by_address.items():
        with client(address, endpoint) as node:
            _look(found, address, node, prefix, wanted)
    return found


def scan(endpoint: RedisEndpoint) -> KeySurvey:
    """Look for all keys with the name of a car's in the namespace, on all nodes. Blocks. Raises one of redis.FAILURES.

    SCAN walks through all keys in small steps, so it does not block the server as KEYS would. A key with a number in
    its name that is no car's is foreign.
    """
    namespace, found = endpoint.namespace, KeySurvey()
    prefix = namespace.key_prefix
    for address in nodes(endpoint):
        with client(address, endpoint) as node:
            cars = set()
            for name in node.scan_iter(match=prefix + b"*", count=SCAN_COUNT):
                car_id = namespace.car_of(name)
                if car_id is not None:
                    cars.add(car_id)
                elif name.removeprefix(prefix).isdigit():
                    found.add_foreign(name)
            _look(found, address, node, prefix, sorted(cars))
    return found


def _look(found: KeySurvey, address: str, node: Redis, prefix: bytes, cars: Sequence[int]) -> None:
    own, hits = [], 0
    names = (redis_key(car_id, prefix) for car_id in cars)
    for car_id, value in zip(cars, _ask(node, map(resp.get, names)), strict=True):
        hits += value is not None
        if is_row(car_id, value):
            own.append(car_id)
        elif value is not None:
            found.add_foreign(redis_key(car_id, prefix))
    found.own[address] = own
    found.commands[address] = {
        "get_calls": len(cars),
        "keyspace_hits": hits,
        "keyspace_misses": len(cars) - hits,
    }


def delete(endpoint: RedisEndpoint, found: KeySurvey) -> int:
    """Delete the keys that a survey found to be telemon's. Return how many were deleted. Raises one of redis.FAILURES.

    One UNLINK per key: on a cluster node, one command must not span slots.
    """
    prefix, removed = endpoint.namespace.key_prefix, 0
    for address, cars in found.own.items():
        with client(address, endpoint) as node:
            unlinks = (resp.command(b"UNLINK", redis_key(car_id, prefix)) for car_id in cars)
            removed += sum(_ask(node, unlinks))
    return removed


def delete_own_keys(endpoint: RedisEndpoint) -> int:
    """Look for telemon's own keys on all nodes and delete them, and no others. Return how many were deleted.

    Raises one of redis.FAILURES.
    """
    return delete(endpoint, scan(endpoint))


def _ask(node: Redis, requests: Iterable[bytes]) -> Iterator[Any]:
    """Yield the reply to each request, which is encoded. The reply to a GET of no string is the error for it.

    Performance: redis-py's pipelines take several times as long for 50,001 keys. Raises redis.RedisError.
    """
    requests = iter(requests)
    connection: Any = node.connection_pool.get_connection()
    try:
        while batch := list(islice(requests, AT_ONCE)):
            connection.send_packed_command([b"".join(batch)])
            for _ in batch:
                try:
                    reply = connection.read_response()
                except ResponseError as error:
                    if WRONG_TYPE not in str(error):
                        raise
                    reply = error
                yield reply
    except BaseException:
        # Replies that nobody has read would be taken for those to the next requests.
        connection.disconnect()
        raise
    finally:
        node.connection_pool.release(connection)
