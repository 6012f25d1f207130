"""Sentences for deaths of processes. No other module of `engines` or `tui` words one. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from engines.model.deaths import Death, DeathCause, EngineDeath
from engines.text import one_line

CAUSES = {
    DeathCause.HUNG: "it did not end when it was told to, and was killed",
    DeathCause.CLOSED: "it closed its channel and did not end, and was killed",
    DeathCause.NO_SPACE: "no space was left on its disk",
    DeathCause.OUT_OF_MEMORY: "out of memory",
    DeathCause.SUPERVISOR_DIED: "the process that keeps the sandbox was killed, and its servers with it",
}


def describe_death(death: Death) -> str:
    """Return who died, when and how, and its last words, in one line without a full stop."""
    at = datetime.fromtimestamp(death.at_utc_s, UTC)
    return f"{_who(death)} died at {at:%H:%M:%S} UTC: {_how(death)}"


def announce_death(death: Death) -> str:
    """Return the same without the time, for the event log, which has its own."""
    return f"{_who(death)} died: {_how(death)}"


def _how(death: Death) -> str:
    """Return how a process died, and its last words: "exit status 1: MemoryError"."""
    end = death.end
    parts = [] if death.cause is None else [CAUSES[death.cause]]
    if death.cause not in (DeathCause.HUNG, DeathCause.CLOSED):
        if end.signal is not None:
            parts.append(f"killed by signal {end.signal} ({end.signal_name})")
        elif end.status is not None:
            parts.append(f"exit status {end.status}")
    words = death.last_words if isinstance(death, EngineDeath) else " / ".join(death.last_lines)
    how = ", ".join(parts) or "how is not known"
    return one_line(f"{how}: {words}" if words else how)


def _who(death: Death) -> str:
    if isinstance(death, EngineDeath):
        return f"engine {death.lane}/{death.role} number {death.number}"
    return f"{death.title} ({death.server})"
