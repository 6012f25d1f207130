"""Changes to servers of the user, shown before they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change to a server that is shown to the user before it is made.

    `what` is the change and `where` the server, each in one line. `apply` makes the change and returns the result in
    one line; it blocks, and raises what the client library raises.
    """

    where: str
    what: str
    apply: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Planned changes in their order, and (where, what) of everything that stays unchanged."""

    changes: tuple[PlannedChange, ...] = ()
    unchanged: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes, self.unchanged + other.unchanged)
