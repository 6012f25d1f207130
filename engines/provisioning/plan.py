"""Things to be done to other people's servers, said before they are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """`what` will be done on the server `where`, each in one line; `do` does it, and says what came of it."""

    where: str
    what: str
    apply: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Deeds in their order, and (where, what) of all that is left as it is."""

    changes: tuple[PlannedChange, ...] = ()
    unchanged: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes, self.unchanged + other.unchanged)
