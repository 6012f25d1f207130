"""Sources of frames: a running race, a recording, a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from engines.model.connecting import LaneConnecting
from engines.model.controls import Control
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo

ProgressCallback = Callable[[str | LaneConnecting], None]
"""Receives a short description of each step while a source starts, and how far each lane is with its connections. It
may raise an exception to abandon the start."""


class SourceInfo(Protocol):
    """The part of a source that is known before its first frame."""

    @property
    def lane_infos(self) -> tuple[LaneInfo, ...]:
        """Return the lanes, from left to right."""

    @property
    def environment(self) -> RaceEnvironment:
        """Return what `engines.results.summary.Summary` says about the environment of the race."""


class FrameSource(SourceInfo, Protocol):
    """A context manager that starts on entry and removes everything it made on exit.

    Entry takes seconds if private servers have to be started. Only `engines.pipeline.run_pipeline` iterates `frames`.
    """

    @property
    def closing_counts(self) -> ClosingCounts:
        """Return the counts for the comparison with the servers. They are complete after the last frame."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def frames(self) -> Iterator[Frame]:
        """Yield a frame per interval until the race is over or `stop` is called. Blocks between frames."""

    def stop(self) -> None:
        """End the race. Any thread and any signal handler may call it."""

    def send(self, control: Control) -> None:
        """Pass a control to the race. Any thread may call it."""


FrameSourceFactory = Callable[[ProgressCallback], FrameSource]
"""Creates a source that has not started yet and reports the steps of its start to the callback."""
