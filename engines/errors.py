"""Errors that end a race or a preparation, each with a message of one line for the user."""

from __future__ import annotations


class RaceError(Exception):
    """The race could not be run; the message is one line for the user."""


DOCTOR_HINT = "`telemon doctor` says why"
"""The next step after a user-provided server could not be used."""


def doctor_hint(sandboxed: bool) -> str:
    """Return the hint to append to the error of a server; empty for sandbox servers."""
    return "" if sandboxed else f"; {DOCTOR_HINT}"


class PreparationError(Exception):
    """A server could not be prepared; the message names the server and the reason in one line."""


class PlanError(Exception):
    """A server refuses what telemon needs to inspect, prepare or clean it; one line with the next step."""


class NotPreparedError(Exception):
    """A server lacks what a race needs; one line that names the server and the next step."""
