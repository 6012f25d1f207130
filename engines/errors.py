"""Why a race could not be run."""

from __future__ import annotations


class RaceError(Exception):
    """The race could not be run; the message is one line for the user."""
