"""Reads again, at the end of a race, what its result claims of the servers: durability settings and times to live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from random import Random
from threading import Lock, Thread
from time import monotonic
from typing import TypeGuard, TypeVar

from engines.backends.failure_text import problem_text
from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.backends.redis.reply_parser import unexpected_reply
from engines.backends.server_facts import read_durability
from engines.consistency.setting_changes import claimed_settings, compare_settings
from engines.endpoints.endpoint import LaneEndpoints, RedisEndpoint
from engines.model.read_back import CacheLifetimes, SettingChange, UnreadSettings
from engines.model.server_facts import ServerFacts
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS
from engines.workload.namespace import DEFAULT, Namespace
from engines.workload.redis_keys import redis_key

KEYS_CHECKED = 200
"""Number of hot keys whose time to live is asked for."""

NO_KEY, ENDLESS = -2, -1
"""Answers of PTTL for a key that does not exist, and for one that never expires."""

FAILURES = (*mysql.FAILURES, *redis.FAILURES)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ServerClaims:
    """What was claimed of a lane's servers and is otherwise, and what of it could not be read again."""

    changes: tuple[SettingChange, ...] = ()
    unread: tuple[UnreadSettings, ...] = ()
    lifetimes: CacheLifetimes | None = None


class ClaimCheck:
    """The check of all lanes. It begins when the object is made.

    Each question to a server has a thread of its own: one that hangs or fails hides no answer to another, and delays
    nobody for longer than `results` is told to wait.
    """

    def __init__(
        self,
        endpoints: Mapping[str, LaneEndpoints],
        servers: Mapping[str, Sequence[ServerFacts]],
        allowed_ms: int,
    ) -> None:
        """Begin. `servers` are the facts from before the race, `allowed_ms` the longest TTL that a fill asked for."""
        self._lanes = tuple(endpoints)
        self._lock = Lock()
        self._changes: dict[tuple[str, str], Sequence[SettingChange]] = {}
        """By lane and role."""
        self._unread: dict[tuple[str, str], UnreadSettings | None] = {}
        self._lifetimes: dict[str, CacheLifetimes] = {}
        work: list[Callable[[], None]] = []
        for lane, at in endpoints.items():
            for server in servers.get(lane, ()):
                claimed = claimed_settings(server)
                if claimed:
                    # This counts until the thread has an answer.
                    late = UnreadSettings(server.role, claimed, timed_out=True)
                    self._unread[lane, server.role] = late
                    work.append(partial(self._check_settings, lane, at, server))
            if at.mysql is not None and at.redis is not None:
                self._lifetimes[lane] = CacheLifetimes(
                    allowed_ms=allowed_ms, unread=KEYS_CHECKED, timed_out=True
                )
                work.append(partial(self._check_lifetimes, lane, at.redis, allowed_ms))
        self._threads = [Thread(target=each, name="claims", daemon=True) for each in work]
        for thread in self._threads:
            thread.start()

    def _check_settings(self, lane: str, at: LaneEndpoints, server: ServerFacts) -> None:
        changes: tuple[SettingChange, ...] = ()
        unread: UnreadSettings | None
        try:
            changes, unread = compare_settings(server, *read_durability(at, server.role))
        except Exception as error:
            problem = problem_text(error, FAILURES, at.namespace)
            unread = UnreadSettings(server.role, claimed_settings(server), problem=problem)
        with self._lock:
            self._changes[lane, server.role] = changes
            self._unread[lane, server.role] = unread

    def _check_lifetimes(self, lane: str, cache: RedisEndpoint, allowed_ms: int) -> None:
        try:
            found = judge_ttls(read_ttls(cache), allowed_ms, cache.namespace)
        except Exception as error:
            found = CacheLifetimes(
                allowed_ms=allowed_ms,
                unread=KEYS_CHECKED,
                problem=problem_text(error, FAILURES, cache.namespace),
            )
        with self._lock:
            self._lifetimes[lane] = found

    def results(self, until_s: float) -> dict[str, ServerClaims]:
        """Return what is known of each lane by `until_s` (monotonic clock). Blocks until then at most."""
        for thread in self._threads:
            thread.join(max(0.0, until_s - monotonic()))
        with self._lock:
            return {
                lane: ServerClaims(
                    tuple(chain.from_iterable(_of(lane, self._changes))),
                    tuple(unread for unread in _of(lane, self._unread) if unread is not None),
                    self._lifetimes.get(lane),
                )
                for lane in self._lanes
            }


def _of(lane: str, found: Mapping[tuple[str, str], Found]) -> Iterator[Found]:
    """Yield what was found of each server of a lane."""
    return (each for (of, _), each in found.items() if of == lane)


def read_ttls(cache: RedisEndpoint) -> list[object]:
    """Return what PTTL says of some hot keys: a number for each, or what came in its place, an exception for example.

    Blocks. Raises one of redis.FAILURES if the nodes are not known.
    """
    ranges = redis.slot_map(cache)
    keys: dict[str, list[bytes]] = {}
    found: list[object] = []
    hot = range(HOT_KEYS.first, HOT_KEYS.last + 1)
    for car_id in Random(len(HOT_KEYS)).sample(hot, KEYS_CHECKED):
        name = redis_key(car_id, cache.namespace.key_prefix)
        owner = redis.slot_owner(ranges, key_slot(name))
        if owner is None:
            found.append(redis.unserved(key_slot(name), name))
        else:
            keys.setdefault(owner, []).append(name)
    for address, names in keys.items():
        try:
            with (
                redis.client(address, cache) as node,
                node.pipeline(transaction=False) as pipeline,
            ):
                for name in names:
                    pipeline.pttl(name)
                found += pipeline.execute(raise_on_error=False)
        except redis.FAILURES as error:
            found += [error] * len(names)
    return found


def _is_ttl(answer: object) -> TypeGuard[int]:
    """Return whether an answer to PTTL is one: a time in ms, or the number for none or for no key."""
    return type(answer) is int and answer >= NO_KEY


def judge_ttls(
    answers: Sequence[object], allowed_ms: int, namespace: Namespace = DEFAULT
) -> CacheLifetimes:
    """Return how many of the keys that exist never expire, or stay longer than `allowed_ms`. Pure.

    `answers` are those of `read_ttls`. What is no time in ms is not read.
    """
    ttls_ms = [each for each in answers if _is_ttl(each)]
    others = [each for each in answers if not _is_ttl(each)]
    existing = [ttl_ms for ttl_ms in ttls_ms if ttl_ms != NO_KEY]
    problem = ""
    if others:
        first = others[0]
        if not isinstance(first, Exception):
            first = unexpected_reply("PTTL", first, "it is no time")
        problem = problem_text(first, FAILURES, namespace)
    return CacheLifetimes(
        checked=len(existing),
        endless=existing.count(ENDLESS),
        longer=sum(ttl_ms > allowed_ms + 1 for ttl_ms in existing),
        allowed_ms=allowed_ms,
        unread=len(others),
        problem=problem,
    )
