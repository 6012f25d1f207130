"""Why a race could not be run."""

from __future__ import annotations


class RaceError(Exception):
    """The race could not be run; the message is one line for the user."""


DOCTOR_HINT = "`telemon doctor` says why"
"""The next step after a server of one's own could not be used."""


def doctor_hint(sandboxed: bool) -> str:
    """What is said after a failure of a server; nothing where the server is telemon's own."""
    return "" if sandboxed else f"; {DOCTOR_HINT}"


class PreparationError(Exception):
    """A server could not be made ready; the message says which and why, in one line."""


class PlanError(Exception):
    """A server keeps telemon from looking, preparing or cleaning; one line with the next step."""


class NotPreparedError(Exception):
    """A server lacks what a race needs; one line that names the server and the next step."""
