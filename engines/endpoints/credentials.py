"""Cache of credentials, which are fetched from their source and kept until they expire or are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TypeVar

from engines.endpoints.credential_sources import (
    Credential,
    CredentialSource,
    SecretError,
    origin,
)
from engines.endpoints.daemon_threads import in_thread

RETRY_S = 1.0
"""Minimum time between two fetches from one source, so that hundreds of connections refused at once cause one fetch."""

FETCH_LIMIT_S = 30.0
"""Total time in seconds of a fetch. A file may be a pipe that nobody writes to, and a service may answer a byte at a
time; a command is given less by its source."""


T = TypeVar("T")


@dataclass(slots=True)
class _CacheEntry:
    """Last result of a source with its time, and the lock that is held while the source is fetched."""

    lock: Lock = field(default_factory=Lock)
    credential: Credential | None = None
    error: SecretError | None = None
    asked_s: float = 0.0


_cache: dict[CredentialSource, _CacheEntry] = {}


def credential(source: CredentialSource, refused: Credential | None = None) -> Credential:
    """Return the credential of `source`, from the cache while it is valid.

    Blocks while the source is fetched, by this thread or another.

    `refused` is a credential that a server has just refused. The source is then fetched again, unless another thread
    has done so since, or the last fetch was less than `RETRY_S` ago. The result may therefore be the refused
    credential. Raises SecretError if the fetch fails; for `RETRY_S` seconds after that the same error is raised without
    another fetch.
    """
    entry = _cache.setdefault(source, _CacheEntry())
    with entry.lock:
        age_s = monotonic() - entry.asked_s
        if age_s <= RETRY_S and entry.error is not None:
            raise entry.error
        known = entry.credential
        usable = known != refused or age_s <= RETRY_S
        if known is not None and usable and age_s <= source.lifetime_s:
            return known
        entry.credential = entry.error = None
        try:
            entry.credential = _fetched(source)
        except SecretError as error:
            entry.error = error
            raise
        finally:
            entry.asked_s = monotonic()
        return entry.credential


def _fetched(source: CredentialSource) -> Credential:
    """Return the credential of `source`; raise SecretError, also if there is none within `FETCH_LIMIT_S`."""
    late = f"{origin(source)}: no password within {FETCH_LIMIT_S:.0f} s"
    try:
        return in_thread(source.fetch, FETCH_LIMIT_S, late)
    except TimeoutError as error:
        raise SecretError(str(error)) from None


def with_credential(
    source: CredentialSource | None,
    configured: Credential,
    attempt: Callable[[Credential], T],
    refused: Callable[[Exception], bool],
) -> T:
    """Return the result of `attempt` with the credential of `source`, or with `configured` if `source` is None.

    If `attempt` raises an error for which `refused` returns True, the source is fetched again. If that gives another
    credential, it is tried once; if not, the first error is raised. With a source, `configured` is never tried. Raises
    SecretError, and what `attempt` raises.
    """
    if source is None:
        return attempt(configured)
    first = credential(source)
    try:
        return attempt(first)
    except Exception as error:
        if not refused(error):
            raise
        second = credential(source, refused=first)
        if second == first:
            raise
    return attempt(second)
