"""Where frames come from: a running race, a recording, a test. The screen knows no more of it than this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from engines.metrics.frame import Frame
from engines.metrics.node_counts import NodeComparison
from engines.metrics.stats import IntervalStats
from engines.model.controls import Control
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.roles import Role

ProgressCallback = Callable[[str], None]
"""Told, in a few words, what is being done while a source starts. May raise to abandon the start."""


class FrameSource(Protocol):
    """A context manager: entering starts it (seconds, on private servers), leaving removes all that it made.

    `frames` blocks between frames and ends when the race is over or after `stop`. `stop` and `send` may be called
    from any thread.
    """

    @property
    def lane_infos(self) -> tuple[LaneInfo, ...]:
        """The lanes, from left to right. Known once the source has been entered."""

    @property
    def environment(self) -> RaceEnvironment:
        """What a fair reading of the result must know, for `engines.results.summary.Summary`."""

    @property
    def warm(self) -> Mapping[str, Mapping[Role, IntervalStats]]:
        """By lane and role, what counts as warm-up and no frame's measured part shows. Known after the last frame."""

    @property
    def counter_caveats(self) -> Mapping[str, Sequence[str]]:
        """By lane, why its servers' own counts need not be whole. Known after the last frame."""

    @property
    def shards(self) -> Mapping[str, Sequence[NodeComparison]]:
        """By lane, what telemon and each node of its cluster counted. Known after the last frame."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def frames(self) -> Iterator[Frame]: ...

    def stop(self) -> None: ...

    def send(self, control: Control) -> None: ...


FrameSourceFactory = Callable[[ProgressCallback], FrameSource]
"""Makes a source that is not started yet and tells `Narrate` how its start goes."""
