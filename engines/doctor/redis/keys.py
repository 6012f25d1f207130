"""Checks of telemon's namespace on a Redis server: who races in it, and whose keys are in it."""

from __future__ import annotations

from redis.exceptions import NoPermissionError

from engines.backends.redis import lease
from engines.backends.redis.marker import ForeignKeyError
from engines.doctor.check import CheckRunner, Checks
from engines.endpoints.endpoint import RedisEndpoint
from engines.provisioning.leases import racing_text
from engines.provisioning.ownership import survey_race_keys
from engines.provisioning.prepare import PREPARE_HINT
from engines.workload.dataset import HOT_KEYS

LEASE = "other telemons"
"""Name of the check."""

KEYS = "keys"
"""Name of the check."""


def check_lease(runner: CheckRunner, endpoint: RedisEndpoint) -> Checks[bool]:
    """Check that no other telemon races in the namespace. Raises redis.RedisError.

    Yields no check if the user may not ask: the check of the permissions says so.
    """
    try:
        holder = lease.holder(endpoint)
    except NoPermissionError:
        return True
    except ForeignKeyError as error:
        yield runner.fail(LEASE, "foreign_key", str(error), endpoint.namespace.advice)
        return None
    if holder is not None:
        found, _, step = racing_text(holder, endpoint.namespace).partition("; ")
        yield runner.fail(LEASE, "already_racing", found, step)
        return None
    yield runner.ok(LEASE, "none races here in this namespace")
    return True


def check_keys(runner: CheckRunner, endpoint: RedisEndpoint, *, cache: bool) -> Checks[bool]:
    """Check that the keys that a race would write are telemon's or free, and that a store holds the hot cars.

    Raises redis.RedisError.
    """
    try:
        found = survey_race_keys(endpoint, cache=cache)
    except ForeignKeyError as error:
        yield runner.fail(
            KEYS,
            "foreign_key",
            str(error),
            f"telemon changes no such key: {endpoint.namespace.advice}",
        )
        return None
    present = found.count_in(HOT_KEYS)
    if cache:
        yield runner.ok(KEYS, "none of somebody else's in the place of telemon's")
        return True
    if present < len(HOT_KEYS):
        yield runner.fail(
            KEYS,
            "not_seeded",
            f"holds {present:,} of the {len(HOT_KEYS):,} cars that readers ask for",
            PREPARE_HINT,
        )
        return None
    yield runner.ok(KEYS, f"holds all {present:,} hot cars")
    return True
