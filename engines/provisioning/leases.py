"""Leases of a race: one on each server of the user, so that no two telemons race in one namespace.

A lease lives in the namespace: telemons in different namespaces have different leases, tables and keys. Private servers
need none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event, Thread
from time import monotonic

from engines.backends.lease import (
    LEASE_S,
    RENEW_EVERY_S,
    Lease,
    LeaseHeldError,
    LeaseLostError,
    LeaseRefusedError,
)
from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.mysql.lease import MySQLLease
from engines.backends.redis import client as redis
from engines.backends.redis.lease import RedisLease
from engines.backends.redis.marker import ForeignKeyError
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT, PreparationError
from engines.model.caveats import LostLease, NoLease
from engines.provisioning.server_names import mysql_name, redis_name
from engines.workload.namespace import Namespace

CONFIRM_WAIT_S = 1.0
"""Seconds that the end of a race waits for the servers to confirm the leases."""

RELEASE_WAIT_S = 2.0
"""Seconds to wait for the servers to take the leases back. A lease that is not given back in time ends by itself."""


def racing_text(holder: str, namespace: Namespace) -> str:
    """Return the message about another telemon that races, with the next step."""
    return (
        f"another telemon is racing on these servers ({holder}); wait until it ends (if it was killed, at most "
        f"{LEASE_S:g} s), or {namespace.advice}"
    )


class _LeaseRenewal:
    """Thread that renews one lease. A server that hangs delays no other lease."""

    def __init__(self, lease: Lease, on_lost: Callable[[str], None]) -> None:
        self._lease = lease
        self._on_lost = on_lost
        self._ending = Event()
        self._confirmed = Event()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start to renew the lease, which was taken."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._ending.wait(RENEW_EVERY_S):
                self._lease.renew()
            if not self._closing.is_set():
                self._lease.confirm()
        except LeaseLostError as error:
            self._on_lost(str(error))
        self._confirmed.set()
        self._closing.wait()
        self._lease.release()

    def end(self) -> None:
        """Have the lease confirmed and not renewed again."""
        self._ending.set()

    def wait_confirmed(self, until_s: float) -> None:
        """Block until that is done, at most until `until_s` (monotonic clock)."""
        self._confirmed.wait(max(0.0, until_s - monotonic()))

    def close(self) -> None:
        """Have the lease released."""
        self._closing.set()
        self._ending.set()

    def join(self, until_s: float) -> None:
        """Block until it is released, at most until `until_s` (monotonic clock)."""
        self._thread.join(max(0.0, until_s - monotonic()))


class RaceLeases:
    """The leases of one race. `note` is called with lane and text when one is lost, from another thread."""

    def __init__(self, note: Callable[[str | None, str], None]) -> None:
        self._note = note
        self._renewals: list[_LeaseRenewal] = []
        self._lost: list[LostLease] = []

    def take(self, lanes: Mapping[str, LaneEndpoints]) -> list[NoLease]:
        """Take the lease of every server of `lanes`. Return a caveat for each server that gives none.

        Blocks while the servers answer. Raises PreparationError if another telemon holds one, or if a server cannot be
        used. What was taken until then is released by `close`.
        """
        refused = []
        for lane, server, lease in _leases(lanes):
            where = f"lane {lane}: {server}"
            try:
                lease.take()
            except LeaseHeldError as error:
                lease.release()
                text = racing_text(str(error), lanes[lane].namespace)
                raise PreparationError(f"{where}: {text}") from error
            except ForeignKeyError as error:
                lease.release()
                raise PreparationError(
                    f"{where}: {error} and is left alone; {lanes[lane].namespace.advice}"
                ) from error
            except LeaseRefusedError as error:
                lease.release()
                refused.append(NoLease(lane, server, str(error)))
            except (*mysql.FAILURES, *redis.FAILURES) as error:
                text = error_text(error, lanes[lane].namespace)
                raise PreparationError(f"{where}: {text}; {DOCTOR_HINT}") from error
            else:
                renewal = _LeaseRenewal(lease, self._on_lost(lane, server))
                renewal.start()
                self._renewals.append(renewal)
        return refused

    def _on_lost(self, lane: str, server: str) -> Callable[[str], None]:
        def lost(holder: str) -> None:
            self._lost.append(LostLease(lane, server, holder))
            other = f"another telemon has it now: {holder}" if holder else "it is gone"
            self._note(lane, f"the lease on {server} is lost: {other}")

        return lost

    def confirm(self, within_s: float = CONFIRM_WAIT_S) -> None:
        """Look whether all leases were held to the end. Call it after the last reading of the servers' counters.

        Blocks for at most `within_s`.
        """
        for renewal in self._renewals:
            renewal.end()
        until_s = monotonic() + within_s
        for renewal in self._renewals:
            renewal.wait_confirmed(until_s)

    @property
    def lost(self) -> tuple[LostLease, ...]:
        """Return the leases that were lost, so far as it is known now."""
        return tuple(self._lost)

    def close(self, within_s: float = RELEASE_WAIT_S) -> None:
        """Release all leases. Call it when nothing races any more. Blocks for at most `within_s`."""
        for renewal in self._renewals:
            renewal.close()
        until_s = monotonic() + within_s
        for renewal in self._renewals:
            renewal.join(until_s)


def _leases(lanes: Mapping[str, LaneEndpoints]) -> Iterator[tuple[str, str, Lease]]:
    """Yield lane, name of the server, and lease. Redis comes first: its lease says best who holds it."""
    for lane, endpoints in lanes.items():
        if endpoints.redis is not None:
            yield lane, redis_name(endpoints.redis), RedisLease(endpoints.redis)
        if endpoints.mysql is not None:
            yield lane, mysql_name(endpoints.mysql), MySQLLease(endpoints.mysql)
