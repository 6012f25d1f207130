"""The start line: lanes that wait, warm, are let go together or one by one."""

from __future__ import annotations

from functools import partial

from engines.config.race_config import RaceConfig
from engines.model import controls as control
from tui.app.base import RaceApp

COUNT_S = 1.0
"""How long each number of the countdown stands."""


class StartActions(RaceApp):
    """Releases lanes, all of them after a countdown."""

    settings: RaceConfig
    count_s = COUNT_S

    async def action_release(self) -> None:
        """Count down, then let all lanes go."""
        self._show(countdown=3)
        for number in (2, 1):
            self.set_timer(self.count_s * (3 - number), partial(self._count, number))
        self.set_timer(self.count_s * 3, self._go)

    def _count(self, number: int) -> None:
        if self._screen_state.countdown is not None:
            self._show(countdown=number)

    def _go(self) -> None:
        if self._screen_state.countdown is not None:
            self._show(countdown=None, holding=not self.feed.send(control.Release()))

    def _release_one(self, lane: str) -> None:
        if self.feed.send(control.Release(lane)):
            released = self._screen_state.released | {lane}
            self._show(released=released, holding=len(released) < len(self.settings.lanes))
