"""The connections of a lane that are open so far, in words."""

from __future__ import annotations

from engines.model.connecting import LaneConnecting


def connecting_text(step: LaneConnecting) -> str:
    """Return how far a lane is with its connections, in one line. Pure."""
    counts = f"lane {step.lane}: {step.opened:,} of {step.wanted:,} connected"
    return f"{counts}, waiting for {step.waiting_for}" if step.waiting_for else counts
