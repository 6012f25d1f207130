"""Where a password comes from, when it is not in the configuration; and keeping it until a server refuses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TypeVar

from engines.endpoints.credential_sources import Credential, CredentialSource, SecretError

RETRY_S = 1.0
"""A source is not asked again sooner: hundreds of connections that are refused at once ask it once."""


T = TypeVar("T")


@dataclass(slots=True)
class _CacheEntry:
    """What a source gave, and when; and the lock under which it is asked."""

    lock: Lock = field(default_factory=Lock)
    credential: Credential | None = None
    error: SecretError | None = None
    asked_s: float = 0.0


_cache: dict[CredentialSource, _CacheEntry] = {}


def credential(source: CredentialSource, refused: Credential | None = None) -> Credential:
    """What `source` says, from memory for as long as it holds. Raises SecretError.

    `refused` is what a server has just refused: the source is asked again, unless somebody else has done so since, or
    it was asked within the last second. So the answer may be the refused credential once more.
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
            entry.credential = source.fetch()
        except SecretError as error:
            entry.error = error
            raise
        finally:
            entry.asked_s = monotonic()
        return entry.credential


def with_credential(
    source: CredentialSource | None,
    configured: Credential,
    attempt: Callable[[Credential], T],
    refused: Callable[[Exception], bool],
) -> T:
    """What `attempt` makes of the credential of `source` (None: of `own`).

    When it raises what `refused` calls a refusal of the credential, the source is asked again, and a different one is
    tried once. Raises SecretError, and what `attempt` raises.
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
