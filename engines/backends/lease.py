"""Lease: the right to race in a namespace on a server, which one telemon holds at a time.

A lease ends by itself when its holder was killed.
"""

from __future__ import annotations

from typing import Protocol

LEASE_S = 15.0
"""Time in seconds after which a lease in Redis ends that is not renewed. Less ends it while its holder is only slow;
more lets the next race wait longer after a kill."""

RENEW_EVERY_S = 5.0
"""Seconds between two renewals. Two may fail before the lease ends."""


ENDING = "which ends just now"
"""The holder of a lease that was gone when its holder was asked for."""


class LeaseHeldError(Exception):
    """Another telemon holds the lease; the message says who."""


class LeaseRefusedError(Exception):
    """The server keeps no lease for this user; the message is the server's reason."""


class LeaseLostError(Exception):
    """The lease was lost while it was held; the message says who has it now, empty if that is not known."""


class Lease(Protocol):
    """A lease on one server. The methods block, at most for the time limits of a connection."""

    def take(self) -> None:
        """Take it. Raises LeaseHeldError, LeaseRefusedError, or one of the FAILURES of the product's client."""
        ...

    def renew(self) -> None:
        """Make it last. It moves no counter that a race is compared with. Raises LeaseLostError."""
        ...

    def confirm(self) -> None:
        """Look whether it was held all the time. It may move counters. Raises LeaseLostError."""
        ...

    def release(self) -> None:
        """Give it back, if it is still one's own. Raises nothing."""
        ...
