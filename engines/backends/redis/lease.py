"""Lease on a Redis server: one key with a random token, which expires unless it is renewed.

While a race is measured it is renewed by PEXPIRE alone, which neither counts as a GET or SET nor finds or misses a key
in the server's statistics. PEXPIRE compares no token: that a lease has become another's is noticed by the time since
the last renewal, and at the end of the race by a GET.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

from redis import Redis
from redis.exceptions import ResponseError

from engines.backends.lease import (
    ENDING,
    LEASE_S,
    LeaseHeldError,
    LeaseLostError,
    LeaseRefusedError,
)
from engines.backends.redis.client import FAILURES, client, owner
from engines.backends.redis.marker import ForeignKeyError, read_signature
from engines.backends.redis.signature import Signature
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.redaction import foreign_text

LEASE_MS = round(LEASE_S * 1000)

DROP_WITHIN_S = LEASE_S / 3
"""A lease is dropped only within this time after a renewal: until then nobody else can have taken it."""


class RedisLease:
    """The lease of an endpoint's namespace; on a cluster, one key on the node that its slot is on."""

    def __init__(self, endpoint: RedisEndpoint) -> None:
        self._endpoint = endpoint
        self._name = endpoint.namespace.lease_key
        self._value = Signature.new("lease").to_bytes()
        self._node: Redis | None = None
        self._held = False
        self._renewed_s = 0.0
        """When the last renewal that succeeded was sent (monotonic clock)."""

    def take(self) -> None:
        """Take the lease.

        Raises LeaseHeldError, LeaseRefusedError, ForeignKeyError if the key is somebody else's, or one of
        redis.FAILURES.
        """
        self._renewed_s = monotonic()
        try:
            found = holder(self._endpoint)
            if found is not None:
                raise LeaseHeldError(found)
            # Now that there is nothing to make last: a lease that its user may neither renew nor give back would keep
            # his next race waiting.
            self._client().pexpire(self._name, LEASE_MS)
            if not self._client().set(self._name, self._value, nx=True, px=LEASE_MS):
                raise LeaseHeldError(holder(self._endpoint) or ENDING)
            self._held = True
        except ResponseError as error:
            raise LeaseRefusedError(foreign_text(error)) from error

    def renew(self) -> None:
        """Make the lease last for `LEASE_S` from now. A server that does not answer is asked again the next time.

        Raises LeaseLostError.
        """
        asked_s = monotonic()
        if asked_s - self._renewed_s >= LEASE_S:
            self._lose()
        try:
            lasts = self._client().pexpire(self._name, LEASE_MS)
        except FAILURES:
            # The next attempt asks anew which node has the key.
            self._close()
            return
        if not lasts:
            self._lose()
        self._renewed_s = asked_s

    def confirm(self) -> None:
        """Look whether the lease is one's own.

        Raises LeaseLostError if it is not, or if that could not be told for longer than it lasts.
        """
        try:
            value = self._client().get(self._name)
        except FAILURES:
            self._close()
            if monotonic() - self._renewed_s >= LEASE_S:
                self._lose()
            return
        if value != self._value:
            self._lose()

    def _lose(self) -> None:
        self._held = False
        found = ""
        with suppress(*FAILURES, ForeignKeyError):
            found = holder(self._endpoint) or ""
        raise LeaseLostError(found)

    def release(self) -> None:
        """Remove the key if it holds one's own token. Raises nothing.

        After a renewal that found the key, and a GET that found the token, the key cannot become another's before it
        expires; so it is dropped only well before that. PEXPIRE drops it, because no other command is needed then.
        """
        if not self._held:
            self._close()
            return
        self._held = False
        with suppress(*FAILURES):
            node, asked_s = self._client(), monotonic()
            renewed = node.pexpire(self._name, LEASE_MS)
            own = renewed and node.get(self._name) == self._value
            if own and monotonic() - asked_s < DROP_WITHIN_S:
                node.pexpire(self._name, 0)
        self._close()

    def _client(self) -> Redis:
        if self._node is None:
            self._node = client(owner(self._endpoint, self._name), self._endpoint)
        return self._node

    def _close(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            with suppress(*FAILURES):
                node.close()


def holder(endpoint: RedisEndpoint) -> str | None:
    """Return who holds the lease of the endpoint's namespace, in words; None if nobody does. Blocks.

    Raises ForeignKeyError if the key is somebody else's, or one of redis.FAILURES.
    """
    found = read_signature(endpoint, "lease", endpoint.namespace.lease_key)
    return None if found is None else found.text
