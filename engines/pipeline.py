"""The pipeline from a source of frames to its consumers.

`run_pipeline` is the only loop over the frames of a source. The screen (`tui.app.feed`) and the headless run
(`tui.cli.run`) both use it, and neither front end may get a loop of its own: a recording, a page for spectators or an
exporter of metrics is one more consumer. `tests/unit/house/test_pipeline.py` checks this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from engines.source import FrameSource, SourceInfo


class FrameConsumer(Protocol):
    """A receiver of all frames of a race.

    `run_pipeline` calls all methods in one thread, never two at the same time. A consumer must not wait: while it
    does, no frame is made, no control is passed on, and the screen shows nothing new. A consumer that writes to
    something slow has a queue and a thread of its own, or drops what does not fit. The engine processes are not
    affected by a late consumer: they go on, and their reports wait in the sockets for the next frames.

    Two consumers touch something slow. The screen's feed posts a picture only after the last one was drawn, so a slow
    terminal costs pictures. The printer of the headless run writes to stdout, which may block: a pipe that nobody
    reads suspends the frames and not the race.

    A consumer that holds a resource releases it in a context manager of its caller: `finish` is not always called.
    """

    def start(self, source: SourceInfo, /) -> None:
        """Prepare for the first frame of a source that has started."""

    def frame(self, frame: Frame, /) -> None:
        """Take the next frame. A RaceError ends the race with its result, any other exception without one."""

    def finish(self, closing: ClosingCounts, error: RaceError | None, /) -> None:
        """Conclude the race after its last frame. `error` is what ended it early, None if it ended in order."""


def run_pipeline(source: FrameSource, consumers: Sequence[FrameConsumer]) -> None:
    """Pass every frame of a source to every consumer, and block until the last one has been passed on.

    `source` has been entered, and its servers run until the caller leaves it: results are there before the servers
    are gone. Consumers are called in the order given. A consumer that may raise an exception comes last: the ones after
    it miss the frame.

    Raises RaceError if the source or a consumer does; `finish` is called before, so that what was measured until then
    is not lost. Raises any other exception of the source or of a consumer at once, without `finish`.
    """
    for consumer in consumers:
        consumer.start(source)
    try:
        for frame in source.frames():
            for consumer in consumers:
                consumer.frame(frame)
    except RaceError as error:
        _finish(source, consumers, error)
        raise
    _finish(source, consumers, None)


def _finish(
    source: FrameSource, consumers: Sequence[FrameConsumer], error: RaceError | None
) -> None:
    closing = source.closing_counts
    for consumer in consumers:
        consumer.finish(closing, error)
