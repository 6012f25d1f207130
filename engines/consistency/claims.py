"""Reads again, at the end of a race, what its result claims of the servers: durability settings and times to live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Lock, Thread
from time import monotonic

from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.backends.server_facts import read_durability
from engines.endpoints.endpoint import LaneEndpoints, RedisEndpoint
from engines.model.read_back import CacheLifetimes, SettingChange
from engines.model.server_facts import UNREADABLE, ServerFacts
from engines.text import foreign_number
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import redis_key

KEYS_CHECKED = 200
"""Number of hot keys whose time to live is asked for."""

NO_KEY, ENDLESS = -2, -1
"""Answers of PTTL for a key that does not exist, and for one that never expires."""


COUNTS = ("replicas", "semi_sync_replicas")
"""Facts about durability that are no settings."""


@dataclass(frozen=True, slots=True)
class ServerClaims:
    """What was claimed of a lane's servers and is otherwise, so far as it could be read."""

    changes: tuple[SettingChange, ...] = ()
    lifetimes: CacheLifetimes | None = None


class ClaimCheck:
    """The check of all lanes, each in a thread of its own, which begins when the object is made.

    A server that hangs delays only its own lane, and nobody for longer than `results` is told to wait.
    """

    def __init__(
        self,
        endpoints: Mapping[str, LaneEndpoints],
        servers: Mapping[str, Sequence[ServerFacts]],
        allowed_ms: int,
    ) -> None:
        """Begin. `servers` are the facts from before the race, `allowed_ms` the longest TTL that a fill asked for."""
        self._lock = Lock()
        self._found: dict[str, ServerClaims] = {}
        self._threads = [
            Thread(
                target=self._check,
                args=(lane, at, servers.get(lane, ()), allowed_ms),
                name="claims",
                daemon=True,
            )
            for lane, at in endpoints.items()
        ]
        for thread in self._threads:
            thread.start()

    def _check(
        self, lane: str, at: LaneEndpoints, servers: Sequence[ServerFacts], allowed_ms: int
    ) -> None:
        changes: tuple[SettingChange, ...] = ()
        lifetimes = None
        # What the user may not ask for, or what is down by now, was not checked; neither hides the other.
        with suppress(*mysql.FAILURES, *redis.FAILURES):
            changes = tuple(setting_changes(servers, read_durability(at)))
        if at.mysql is not None and at.redis is not None:
            with suppress(*redis.FAILURES):
                lifetimes = judge_ttls(read_ttls_ms(at.redis), allowed_ms)
        with self._lock:
            self._found[lane] = ServerClaims(changes, lifetimes)

    def results(self, until_s: float) -> dict[str, ServerClaims]:
        """Return what is known of each lane by `until_s` (monotonic clock). Blocks until then at most."""
        for thread in self._threads:
            thread.join(max(0.0, until_s - monotonic()))
        with self._lock:
            return dict(self._found)


def setting_changes(
    before: Sequence[ServerFacts], after: Mapping[str, Mapping[str, str | int]]
) -> Iterator[SettingChange]:
    """Return the durability settings that differ. `after` has them by the server's role. Pure.

    What could not be read at one of the two times is no change. Numbers of replicas are none either: a replica that is
    restarted changes what a commit waits for no more than the settings say.
    """
    for server in before:
        now = after.get(server.role, {})
        for name, value in server.durability.items():
            if name in COUNTS or name not in now or UNREADABLE in (value, now[name]):
                continue
            if now[name] != value:
                yield SettingChange(server.role, name, value, now[name])


def read_ttls_ms(cache: RedisEndpoint) -> list[int]:
    """Return what PTTL says of some hot keys. Blocks. Raises one of redis.FAILURES."""
    ranges = redis.slot_map(cache)
    keys: dict[str, list[bytes]] = {}
    hot = range(HOT_KEYS.first, HOT_KEYS.last + 1)
    for car_id in Random(len(HOT_KEYS)).sample(hot, KEYS_CHECKED):
        name = redis_key(car_id, cache.namespace.key_prefix)
        owner = redis.slot_owner(ranges, key_slot(name))
        if owner is not None:
            keys.setdefault(owner, []).append(name)
    found: list[int] = []
    for address, names in keys.items():
        with (
            redis.client(address, cache) as node,
            node.pipeline(transaction=False) as pipeline,
        ):
            for name in names:
                pipeline.pttl(name)
            answers = (foreign_number(answer) for answer in pipeline.execute())
            found += [ttl_ms for ttl_ms in answers if ttl_ms is not None]
    return found


def judge_ttls(ttls_ms: Sequence[int], allowed_ms: int) -> CacheLifetimes:
    """Return how many of the keys that exist never expire, or stay longer than `allowed_ms`. Pure."""
    existing = [ttl_ms for ttl_ms in ttls_ms if ttl_ms != NO_KEY]
    return CacheLifetimes(
        checked=len(existing),
        endless=existing.count(ENDLESS),
        longer=sum(ttl_ms > allowed_ms + 1 for ttl_ms in existing),
        allowed_ms=allowed_ms,
    )
