"""The thread that takes frames from a source, counts every one of them, and shows as many as the screen can take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from textual.message import Message

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Event, Frame
from engines.model.controls import Control
from engines.results.summary import Summary
from engines.source import FrameSource, FrameSourceFactory
from tui.messages import LanesKnown, Progress, SourceEnded, ViewReady
from tui.view.history import ViewBuilder
from tui.view.host_load import HostMonitor

EARLY = 0.8
"""A frame that comes this near to its turn is shown: two clocks never agree to the millisecond."""


class AbandonedError(Exception):
    """The start was given up because the user quit."""


class FrameFeed:
    """Owns the source and everything that is computed from frames. Only `run` is executed in its thread; the other
    methods may be called from any.

    `post` hands a message to the screen. No picture is posted before the last one was taken (`taken`), so a slow
    terminal costs pictures, not memory and not measurements.
    """

    def __init__(
        self,
        settings: RaceConfig,
        factory: FrameSourceFactory,
        post: Callable[[Message], object],
        *,
        fps: float,
        host: HostMonitor | None = None,
    ) -> None:
        self._settings = settings
        self._factory = factory
        self._post = post
        self._interval_s = 1 / fps
        self._host = host
        self._lock = threading.Lock()
        self._history = ViewBuilder(heats=settings.heats)
        self._source: FrameSource | None = None
        self._elapsed_s = 0.0
        self._reset_s = 0.0
        self._stopped = threading.Event()
        self._waiting = False
        self._behind = False
        """Whether frames were counted that no picture holds."""
        self._posted_s = float("-inf")
        self._thread = threading.Thread(target=self.run, name="feed", daemon=True)
        self.summary: Summary | None = None
        self.error: BaseException | None = None
        self.dropped = 0
        """How many frames were counted but not shown."""

    def start(self) -> None:
        """Start the source in a thread of its own."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the source to be gone; whether it is."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the race; its frames up to now stay counted. During the start, the start is given up."""
        self._stopped.set()
        with self._lock:
            source = self._source
        if source is not None:
            source.stop()

    def send(self, control: Control) -> bool:
        """Ask the race for something; whether there is one to ask."""
        with self._lock:
            source = self._source
        if source is None:
            return False
        source.send(control)
        return True

    def run(self) -> None:
        """Take frames until there are no more. Never raises: what went wrong is in `error` and in the last message."""
        started_s = time.monotonic()

        def on_progress(text: str) -> None:
            if self._stopped.is_set():
                raise AbandonedError
            self._post(Progress(text, time.monotonic() - started_s))

        try:
            with self._factory(on_progress) as source:
                with self._lock:
                    self._source = source
                    self.summary = Summary(self._settings, source.lane_infos, source.environment)
                self._post(LanesKnown(source.lane_infos))
                if not self._stopped.is_set():
                    for frame in source.frames():
                        self._take(frame)
                with self._lock:
                    self.summary.reconcile_with_servers(
                        source.warm, source.counter_caveats, source.shards
                    )
                self._show_last()
        except AbandonedError:
            pass
        except BaseException as error:
            self.error = error
        finally:
            with self._lock:
                self._source = None
            self._post(SourceEnded(self.error))

    def _take(self, frame: Frame) -> None:
        host = self._host.load() if self._host is not None else None
        with self._lock:
            assert self.summary is not None
            self._elapsed_s = frame.elapsed_s
            counted = frame
            if self._reset_s:
                counted = replace(frame, elapsed_s=max(0.0, frame.elapsed_s - self._reset_s))
            self.summary.add(counted)
            self._history.add(frame)
            now_s = time.monotonic()
            if self._waiting or now_s - self._posted_s < self._interval_s * EARLY:
                self.dropped += 1
                self._behind = True
                return
            view = self._history.view(host)
            self._waiting = True
            self._behind = False
            self._posted_s = now_s
        if view is not None:
            self._post(ViewReady(view))

    def _show_last(self) -> None:
        host = self._host.load() if self._host is not None else None
        with self._lock:
            view = self._history.view(host)
        if view is not None:
            self._post(ViewReady(view))

    def taken(self) -> None:
        """The screen has taken the last picture and is ready for another."""
        with self._lock:
            self._waiting = False

    def catch_up(self) -> None:
        """Show what was dropped, if no frame has come since: for a source that has paused."""
        with self._lock:
            late_s = time.monotonic() - self._posted_s
            due = self._behind and not self._waiting and late_s > 2 * self._interval_s
            self._behind = self._behind and not due
        if due:
            self._show_last()

    def note(self, text: str) -> None:
        """Put an event of the screen itself into the log."""
        with self._lock:
            self._history.note(Event(time.time(), None, text))

    def resize(self, window_s: float) -> None:
        """Change the window of percentiles and standings, and show it at once."""
        with self._lock:
            self._history.resize(window_s)
        self._show_last()

    def set_visible_points(self, points: int) -> None:
        """Fit the charts' axes to so many points."""
        with self._lock:
            self._history.set_visible_points(points)

    def reset(self) -> None:
        """Count from zero, in the totals on the screen and in the result, and show it at once."""
        with self._lock:
            self._history.reset()
            if self.summary is not None:
                self.summary = self.summary.restarted()
                self._reset_s = self._elapsed_s
        self._show_last()
