"""Exit codes of the `telemon` command, documented in its help. Changing a number breaks scripts that check it."""

from __future__ import annotations

DONE = 0

FAILED = 1
"""The race could not be run, a lane or a role of it never answered, acknowledged rows were lost, an engine or a private
server died unasked, or a check, a planned change or an output failed."""

USAGE = 2
"""Wrong usage or configuration."""

INTERRUPTED = 130
"""Ended by SIGINT: what a shell reports for it."""

BROKEN_PIPE = 141
"""Ended because nobody reads stdout any more: what a shell reports for SIGPIPE."""


def for_signal(number: int) -> int:
    """Return the exit code that a shell reports for a program ended by signal `number`."""
    return 128 + number
