"""The queue of reports between an engine process and the frames of its lane."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engines.ipc.messages import IntervalReport
from engines.race.aggregate import early_part


class ReportQueue:
    """The reports of one engine process that no frame has shown yet, in the order of their intervals.

    Reports flow in one direction: `EngineProcess.receive` adds them, and `LaneRunner.frame` takes them.
    """

    def __init__(self, reports: Iterable[IntervalReport] = ()) -> None:
        self._reports = list(reports)

    def __bool__(self) -> bool:
        return bool(self._reports)

    def __iter__(self) -> Iterator[IntervalReport]:
        return iter(self._reports)

    @property
    def last_index(self) -> int:
        """Return the interval of the last report, -1 if there is none."""
        return self._reports[-1].index if self._reports else -1

    def add(self, report: IntervalReport) -> None:
        """Add the report that the engine process sent last."""
        self._reports.append(report)

    def take(self, index: int) -> list[IntervalReport]:
        """Remove and return the reports of all intervals up to `index`."""
        taken = [report for report in self._reports if report.index <= index]
        self._reports = [report for report in self._reports if report.index > index]
        return taken

    def carry_over(self, taken: Iterable[IntervalReport]) -> None:
        """Leave to the next frame what `taken` measured, because this frame shows the warm-up."""
        early = [part for report in taken if (part := early_part(report)) is not None]
        self._reports = [*early, *self._reports]
