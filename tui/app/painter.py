"""Draws scenes on the race screen so that nobody sees half of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from textual.app import App

from tui.screens.race import RaceScreen
from tui.view.state import ScreenState


class FramePainter:
    """What is drawn is painted in one go, whether it is drawn at once, as after a key, or part by part.

    A frame is drawn part by part, each in a turn of the event loop of its own: on a machine whose processors are all
    busy, a key would otherwise wait for the whole of it.
    """

    def __init__(self, app: App[Any], screen: RaceScreen) -> None:
        self._app = app
        self._screen = screen
        self._steps: Iterator[None] | None = None
        self._batch = ExitStack()
        self._scheduled: asyncio.Handle | None = None
        self._drawn: Callable[[], object] = lambda: None

    def draw(self, screen_state: ScreenState) -> None:
        """Draw a scene at once; it takes the place of one that is being drawn."""
        with self._app.batch_update():
            for _ in self._screen.draw_steps(screen_state):
                pass
            self._flush()

    def draw_incrementally(self, screen_state: ScreenState, drawn: Callable[[], object]) -> None:
        """Draw a scene part by part from now on; `drawn` is called once it, or a newer one in its place, is."""
        self._flush()
        self._drawn = drawn
        self._steps = self._screen.draw_steps(screen_state)
        self._batch.enter_context(self._app.batch_update())
        self._step()

    def _step(self) -> None:
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
        """Let be seen what is drawn."""
        if self._steps is None:
            return
        self._steps = None
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._batch.close()
        # Its own timer has found the curtain down, and rests.
        self._screen.check_idle()
        self._drawn()
