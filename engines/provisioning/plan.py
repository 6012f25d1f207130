"""Changes to a user's servers, announced before they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """Change to a server that is shown to the user before it is made.

    `where` names the server and `what` the change, each in one line. `apply` makes the change and returns a one-line
    result.
    """

    where: str
    what: str
    apply: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order in which they are made, and (where, what) of everything that stays unchanged."""

    changes: tuple[PlannedChange, ...] = ()
    unchanged: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes, self.unchanged + other.unchanged)
