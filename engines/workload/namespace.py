"""Namespace: the names that one telemon uses on a back end, for its table and its keys."""

from __future__ import annotations

from dataclasses import dataclass

from engines.workload.dataset import ALL_KEYS
from engines.workload.redis_keys import KEY_PREFIX

TABLE = "cars"
"""Name of telemon's table in the default namespace, and the beginning of its name in any other."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Names on a back end. Two namespaces have no table and no key in common.

    `name` is a lower-case letter followed by lower-case letters, digits and underscores; empty for the default
    namespace, whose names are those of telemons that knew no namespaces.
    """

    name: str = ""

    @property
    def table(self) -> str:
        """Return the name of the table. It needs no quoting."""
        return f"{TABLE}_{self.name}" if self.name else TABLE

    @property
    def key_prefix(self) -> bytes:
        """Return the prefix of every key, which ends with a colon."""
        return b"%b%b:" % (KEY_PREFIX, self.name.encode()) if self.name else KEY_PREFIX

    @property
    def marker_key(self) -> bytes:
        """Return the key of the marker, which says whose the namespace is."""
        return self.key_prefix + b"marker"

    @property
    def lease_key(self) -> bytes:
        """Return the key of the lease, which the telemon holds that races in the namespace."""
        return self.key_prefix + b"lease"

    @property
    def doctor_prefix(self) -> bytes:
        """Return the prefix of the keys with which `telemon doctor` tests permissions that it can only test by writing.

        These keys expire by themselves.
        """
        return self.key_prefix + b"doctor:"

    def car_of(self, key: bytes) -> int | None:
        """Return the car whose row telemon stores under `key`; None if it stores none there."""
        digits = key.removeprefix(self.key_prefix)
        if digits == key or not digits.isdigit() or len(digits) > len(str(ALL_KEYS.last)):
            return None
        car_id = int(digits)
        return car_id if car_id in ALL_KEYS and b"%d" % car_id == digits else None

    @property
    def advice(self) -> str:
        """Return the next step for somebody who needs a namespace of his own."""
        other = "a namespace of its own" if not self.name else "another namespace"
        return f'give this telemon {other} (namespace = "NAME", --namespace NAME), then run `telemon prepare`'


DEFAULT = Namespace()
"""The namespace of private servers, and of those of the user while the setting `namespace` is not set."""
