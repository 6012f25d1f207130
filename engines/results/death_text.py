"""Sentences for deaths of processes. No other module of `engines` or `tui` words one. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from engines.model.deaths import Death, DeathCause, EngineDeath, Manner
from engines.text import one_line

CAUSES = {
    DeathCause.HUNG: "it did not end when it was told to, and was killed",
    DeathCause.CLOSED: "it closed its channel and did not end, and was killed",
    DeathCause.NO_SPACE: "no space was left on its disk",
    DeathCause.OUT_OF_MEMORY: "out of memory",
    DeathCause.SUPERVISOR_DIED: "the process that keeps the sandbox was killed, and its servers with it",
}

REPORT_STEP = "report it with this line and what `telemon --version` prints"

STEPS_BY_CAUSE = {
    DeathCause.HUNG: f"if the machine did not stand still, {REPORT_STEP}",
    DeathCause.CLOSED: REPORT_STEP,
    DeathCause.NO_SPACE: "make room there, or name a directory with room (sandbox.directory)",
    DeathCause.OUT_OF_MEMORY: "free memory or raise its limit, or race with fewer connections and processes",
    DeathCause.SUPERVISOR_DIED: "find out who killed it: the system's log tells if it was for lack of memory "
    "(journalctl -k)",
}
"""The next step where the cause is known."""

STEPS_BY_MANNER = {
    Manner.KILLED: "perhaps for lack of memory, else by somebody: the system's log tells (journalctl -k, or dmesg)",
    Manner.OVER_LIMIT: "raise the limit of processor time or file size for this user (ulimit -t, ulimit -f)",
    Manner.SIGNALLED: "somebody sent the signal: find out who",
    Manner.UNKNOWN: "the system's log may tell (journalctl, or dmesg)",
}
"""The next step by how it ended, for engine processes and servers alike."""

ENGINE_STEPS = {
    Manner.CRASHED: f"Python or one of its extensions crashed: {REPORT_STEP}",
    Manner.FAILED: f"its last words say why: {REPORT_STEP}",
    Manner.LEFT: f"it ended as if it had been told to: {REPORT_STEP}",
}
"""The same for engine processes."""

SERVER_STEPS = {
    Manner.CRASHED: "the server crashed: try another version of it, and report it to its makers",
    Manner.FAILED: "its last lines say why; if they do not, run the server by hand",
    Manner.LEFT: "somebody told it to shut down: find out who",
}
"""The same for private servers."""


def death_step(death: Death) -> str:
    """Return the next step after a death, as a sentence without a full stop: by its cause, else by how it ended."""
    if death.cause is not None:
        return STEPS_BY_CAUSE[death.cause]
    steps = ENGINE_STEPS if isinstance(death, EngineDeath) else SERVER_STEPS
    return {**STEPS_BY_MANNER, **steps}[death.end.manner]


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
