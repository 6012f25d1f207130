"""What the screen says of a race besides its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from engines.config import Race


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of a race that stand in the header, as last asked for.

    `where` says whose servers are raced ("sandbox" or an endpoint), `duration_s` is None for a race without an end,
    `hold` makes every lane wait at the start line.
    """

    preset: str = "fair"
    writers: int = 1
    readers: int = 1
    batch: int = 100
    ttl_s: float = 120.0
    where: str = "sandbox"
    duration_s: float | None = None
    hold: bool = False

    @staticmethod
    def of(settings: Race, *, hold: bool = False) -> Setup:
        """The header's part of a race's settings."""
        return Setup(
            preset=settings.preset,
            writers=settings.writers,
            readers=settings.readers,
            batch=settings.batch,
            ttl_s=settings.ttl_s,
            duration_s=settings.duration_s,
            hold=hold,
        )
