"""The pipeline: the order of its calls, and what an exception of the source or of a consumer leads to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.config.race_config import RaceConfig
from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from engines.pipeline import run_pipeline
from engines.results.result_json import result_document
from engines.results.summary import Summary
from engines.source import SourceInfo
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, frames

ROOT = Path(__file__).parents[3]

PIPELINE = ROOT / "engines" / "pipeline.py"

CLOSING = ClosingCounts(counter_caveats={"mysql": ("it was restarted",)})


class Source(SyntheticSource):
    """A source of three frames that ends with an exception, if there is one."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__(list(frames(3)), linger=False)
        self.error = error
        self.ended = False

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        self.ended = True
        if self.error is not None:
            raise self.error

    @property
    def closing_counts(self) -> ClosingCounts:
        assert self.ended or self.error is None
        return CLOSING


class Recorder:
    """A consumer that writes down its calls, and raises an exception where it is told to."""

    def __init__(
        self, name: str, calls: list[str], raises: Callable[[str], None] = lambda _: None
    ) -> None:
        self._name = name
        self._calls = calls
        self._raises = raises
        self.finished: list[tuple[ClosingCounts, RaceError | None]] = []

    def start(self, source: SourceInfo) -> None:
        assert source.lane_infos == ENTRANTS
        self._call("start")

    def frame(self, frame: Frame) -> None:
        self._call(f"frame {frame.seq}")

    def finish(self, closing: ClosingCounts, error: RaceError | None) -> None:
        self.finished.append((closing, error))
        self._call("finish")

    def _call(self, what: str) -> None:
        self._calls.append(f"{self._name} {what}")
        self._raises(what)


def raising(at: str, error: BaseException) -> Callable[[str], None]:
    def check(what: str) -> None:
        if what == at:
            raise error

    return check


def test_every_consumer_gets_every_frame_in_the_order_given_and_finishes_once() -> None:
    calls: list[str] = []
    first, second = Recorder("first", calls), Recorder("second", calls)
    with Source() as source:
        run_pipeline(source, (first, second))
        assert not source.exited
    steps = ("start", "frame 0", "frame 1", "frame 2", "finish")
    assert calls == [f"{name} {step}" for step in steps for name in ("first", "second")]
    assert first.finished == second.finished == [(CLOSING, None)]


@pytest.mark.parametrize("by_consumer", [False, True], ids=["of the source", "of a consumer"])
def test_a_race_error_concludes_what_was_measured_and_is_raised(by_consumer: bool) -> None:
    calls: list[str] = []
    error = RaceError("stdout cannot be written: no space")
    first = Recorder("first", calls)
    last = Recorder("last", calls, raising("frame 2", error) if by_consumer else lambda _: None)
    source = Source(None if by_consumer else error)
    with pytest.raises(RaceError) as raised, source:
        run_pipeline(source, (first, last))
    assert raised.value is error
    assert first.finished == last.finished == [(CLOSING, error)]
    assert calls[-4:] == ["first frame 2", "last frame 2", "first finish", "last finish"]


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError(), KeyboardInterrupt()])
@pytest.mark.parametrize("by_consumer", [False, True], ids=["of the source", "of a consumer"])
def test_any_other_exception_is_raised_at_once(error: BaseException, by_consumer: bool) -> None:
    calls: list[str] = []
    last = Recorder("last", calls, raising("frame 1", error) if by_consumer else lambda _: None)
    source = Source(None if by_consumer else error)
    with pytest.raises(type(error)) as raised, source:
        run_pipeline(source, (last,))
    assert raised.value is error
    assert source.exited
    assert last.finished == []


def test_a_consumer_that_cannot_start_keeps_the_race_from_its_first_frame() -> None:
    calls: list[str] = []
    last = Recorder("last", calls, raising("start", RaceError("stdout cannot be written")))
    source = Source()
    with pytest.raises(RaceError), source:
        run_pipeline(source, (Recorder("first", calls), last))
    assert calls == ["first start", "last start"]
    assert last.finished == []


def test_an_exception_of_finish_is_raised_and_finish_is_not_called_again() -> None:
    calls: list[str] = []
    last = Recorder("last", calls, raising("finish", RaceError("stdout cannot be written")))
    source = Source()
    with pytest.raises(RaceError), source:
        run_pipeline(source, (last,))
    assert last.finished == [(CLOSING, None)]


def test_a_summary_is_a_consumer() -> None:
    source = Source()
    with source:
        summary = Summary(RaceConfig(), source.lane_infos, source.environment)
        run_pipeline(source, (summary,))
    expected = Summary(RaceConfig(), source.lane_infos, source.environment)
    for frame in frames(3):
        expected.add(frame)
    expected.reconcile_with_servers(CLOSING)
    assert result_document(summary) == result_document(expected)
    assert summary.reconciliations.keys() == {"mysql", "cached", "durable"}


def test_frames_of_a_source_are_iterated_in_the_pipeline_only() -> None:
    """A front end with a loop of its own would get its own order of results, errors and signals."""
    found = [
        path
        for folder in ("engines", "tui", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "frames"
    ]
    assert found == [PIPELINE]
