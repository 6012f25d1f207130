"""The thread that runs the pipeline for the screen: it counts every frame and shows as many as the screen can draw."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from textual.message import Message

from engines.config.race_config import RaceConfig
from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame
from engines.model.connecting import LaneConnecting
from engines.model.controls import Control
from engines.pipeline import run_pipeline
from engines.results.summary import Summary
from engines.source import FrameSource, FrameSourceFactory, SourceInfo
from tui.messages import LanesKnown, Progress, SourceEnded, ViewReady
from tui.view.history import ViewBuilder
from tui.view.host_load import HostMonitor

EARLY = 0.8
"""Share of the interval between two pictures after which a frame is shown. With 1.0, a frame that is due is dropped
if it comes a millisecond early."""


ABANDON_S = 0.5
"""Seconds that leaving waits for a start to end. After a stop, a start that still waits is in a call that nothing can
interrupt. What it made ends with this process: the servers have a supervisor, and engine processes see their channel
close."""


class AbandonedError(Exception):
    """The user quit while the source started."""


class FrameFeed:
    """The owner of the source and of everything that is computed from frames; a consumer of the pipeline.

    `run`, `start`, `frame` and `finish` are executed in the thread of the feed. Any thread may call the other methods.

    `post` passes a message to the screen and does not wait. At most one picture is posted at a time: the next one
    follows after `taken`, so a slow terminal costs pictures, but no memory and no measurements.
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
        self._starting: FrameSource | None = None
        """The source while it starts; it may be stopped, but takes no controls yet."""
        self._elapsed_s = 0.0
        self._reset_s = 0.0
        self._stopped = threading.Event()
        self._waiting = False
        self._behind = False
        """True if frames were counted after the last picture."""
        self._posted_s = float("-inf")
        self._thread = threading.Thread(target=self.run, name="feed", daemon=True)
        self.summary: Summary | None = None
        self.error: BaseException | None = None
        self.dropped = 0
        """Number of frames that were counted but not shown."""

    def start_thread(self) -> None:
        """Start the source in a thread of its own."""
        self._thread.start()

    def leave(self) -> None:
        """Block until a stopped source is gone, for at most `ABANDON_S` if it has not started yet."""
        with self._lock:
            racing = self._source is not None
        self.join(None if racing else ABANDON_S)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait at most `timeout_s` until the source is gone, and return True if it is."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the race and keep the counts of its frames. During the start, abandon the start."""
        self._stopped.set()
        with self._lock:
            source = self._source or self._starting
        if source is not None:
            source.stop()

    def send(self, control: Control) -> bool:
        """Send a control to the race. Return False if there is no race."""
        with self._lock:
            source = self._source
        if source is None:
            return False
        source.send(control)
        return True

    def run(self) -> None:
        """Run the source to its end. Raises nothing: an exception is kept in `error` and in the last message."""
        started_s = time.monotonic()

        def on_progress(step: str | LaneConnecting) -> None:
            if self._stopped.is_set():
                raise AbandonedError
            self._post(Progress(step, time.monotonic() - started_s))

        try:
            starting = self._factory(on_progress)
            with self._lock:
                self._starting = starting
            if self._stopped.is_set():
                starting.stop()
            with starting as source:
                with self._lock:
                    self._source, self._starting = source, None
                run_pipeline(source, (self,))
        except AbandonedError:
            pass
        except BaseException as error:
            # A start that was stopped fails with whatever it waited for.
            if self.summary is not None or not self._stopped.is_set():
                self.error = error
        finally:
            with self._lock:
                self._source = self._starting = None
            self._post(SourceEnded(self.error))

    def start(self, source: SourceInfo) -> None:
        """Show the lanes. Raises AbandonedError if the user quit before there was a source to stop."""
        with self._lock:
            self.summary = Summary(self._settings, source.lane_infos, source.environment)
        self._post(LanesKnown(source.lane_infos))
        if self._stopped.is_set():
            raise AbandonedError

    def frame(self, frame: Frame) -> None:
        """Count a frame, and post a picture if one is due and the screen has drawn the last one."""
        host = self._host.load() if self._host is not None else None
        with self._lock:
            assert self.summary is not None
            self._elapsed_s = frame.elapsed_s
            counted = frame
            if self._reset_s:
                counted = replace(frame, elapsed_s=max(0.0, frame.elapsed_s - self._reset_s))
            self.summary.frame(counted)
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

    def finish(self, closing: ClosingCounts, error: RaceError | None) -> None:
        """Compare with the servers' counters and show the last picture."""
        with self._lock:
            assert self.summary is not None
            self.summary.finish(closing, error)
        self._show_last()

    def _show_last(self) -> None:
        host = self._host.load() if self._host is not None else None
        with self._lock:
            view = self._history.view(host)
        if view is not None:
            self._post(ViewReady(view))

    def taken(self) -> None:
        """Allow the next picture: the screen has drawn the last one."""
        with self._lock:
            self._waiting = False

    def catch_up(self) -> None:
        """Show the dropped frames if none has come since. Call it regularly, for a source that has paused."""
        with self._lock:
            late_s = time.monotonic() - self._posted_s
            due = self._behind and not self._waiting and late_s > 2 * self._interval_s
            self._behind = self._behind and not due
        if due:
            self._show_last()

    def note(self, text: str) -> None:
        """Add an event of the screen itself to the event log."""
        with self._lock:
            self._history.note(Event(time.time(), None, text))

    def resize(self, window_s: float) -> None:
        """Change the window of percentiles and standings, and show the new one at once."""
        with self._lock:
            self._history.resize(window_s)
        self._show_last()

    def set_visible_points(self, points: int) -> None:
        """Fit the axes of the charts to this number of points."""
        with self._lock:
            self._history.set_visible_points(points)

    def reset(self) -> None:
        """Reset the totals on the screen and in the result, and show them at once."""
        with self._lock:
            self._history.reset()
            if self.summary is not None:
                self.summary = self.summary.restarted()
                self._reset_s = self._elapsed_s
        self._show_last()
