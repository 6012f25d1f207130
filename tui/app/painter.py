"""Draw screen states on the race screen so that none is ever visible in part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from textual.app import App

from tui.screens.race import RaceScreen
from tui.view.state import ScreenState


class FramePainter:
    """A painter that lets Textual paint a screen state only when all of it is drawn.

    `draw` draws everything at once, as after a key. `draw_incrementally` draws one part per iteration of the event
    loop: on a machine whose processors are all busy, a key would otherwise wait until the whole frame is drawn.
    """

    def __init__(self, app: App[Any], screen: RaceScreen) -> None:
        self._app = app
        self._screen = screen
        self._steps: Iterator[None] | None = None
        self._batch = ExitStack()
        self._scheduled: asyncio.Handle | None = None
        self._drawn: Callable[[], object] = lambda: None

    def draw(self, screen_state: ScreenState) -> None:
        """Draw a screen state at once, in place of one that is being drawn."""
        with self._app.batch_update():
            for _ in self._screen.draw_steps(screen_state):
                pass
            self._flush()

    def draw_incrementally(self, screen_state: ScreenState, drawn: Callable[[], object]) -> None:
        """Start to draw a screen state part by part.

        `drawn` is called once when it, or a newer one in its place, is drawn.
        """
        self._flush()
        self._drawn = drawn
        self._steps = self._screen.draw_steps(screen_state)
        self._batch.enter_context(self._app.batch_update())
        self._step()

    def _step(self) -> None:
        """Draw the next part and schedule the one after it."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._flush()
        except Exception as error:
            self._flush()
            self._app._handle_exception(error)
        else:
            self._scheduled = asyncio.get_running_loop().call_soon(self._step)

    def _flush(self) -> None:
        """End the batched update, so that Textual paints everything drawn since it began."""
        if self._steps is None:
            return
        self._steps = None
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._batch.close()
        # The screen's own timer has paused, because it found the update batched: check once more.
        self._screen.check_idle()
        self._drawn()
