"""Actions at the start barrier: release all lanes after a countdown, or one lane."""

from __future__ import annotations

from functools import partial

from engines.config.race_config import RaceConfig
from engines.model import controls as control
from tui.app.base import RaceApp

COUNT_S = 1.0
"""Seconds for which each number of the countdown is shown."""


class StartActions(RaceApp):
    """Actions that release lanes from the start barrier."""

    settings: RaceConfig
    count_s = COUNT_S
    """Seconds per number of the countdown; tests use a shorter time."""

    async def action_release(self) -> None:
        """Count down, then release all lanes."""
        self._show_start(countdown=3)
        for number in (2, 1):
            self.set_timer(self.count_s * (3 - number), partial(self._count, number))
        self.set_timer(self.count_s * 3, self._go)

    def _count(self, number: int) -> None:
        """Show a number of the countdown, unless the countdown was ended."""
        if self._screen_state.start.countdown is not None:
            self._show_start(countdown=number)

    def _go(self) -> None:
        """Release all lanes."""
        if self._screen_state.start.countdown is not None:
            self._show_start(countdown=None, holding=not self.feed.send(control.Release()))

    def _release_one(self, lane: str) -> None:
        """Release one lane at once."""
        if self.feed.send(control.Release(lane)):
            released = self._screen_state.start.released | {lane}
            self._show_start(released=released, holding=len(released) < len(self.settings.lanes))
