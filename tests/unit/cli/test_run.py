"""The headless run on made-up frames: what is printed, in which order, and what is left when stdout fails."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest

from engines.config.race_config import RaceConfig
from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from tests.support.synthetic_frames import SyntheticSource, frames
from tests.unit.cli.test_progress_log import eventful
from tui.cli import run as headless
from tui.cli.progress_log import MAX_EVENTS, EventThrottle, ProgressLog
from tui.cli.run import OutputFormat


class Stdout(io.StringIO):
    """A stdout that calls `check` with each piece before it takes it."""

    def __init__(self, check: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.check = check

    def write(self, text: str) -> int:
        self.check(text)
        return super().write(text)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[SyntheticSource]:
    """Ten frames in the place of a race."""
    made = SyntheticSource(list(frames(10)), linger=False)
    monkeypatch.setattr(headless, "Race", lambda *_, **__: made)
    yield made
    assert made.exited


def test_the_result_is_printed_before_the_source_is_left(
    source: SyntheticSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Stdout(lambda _: pytest.fail("printed too late") if source.exited else None)
    monkeypatch.setattr("sys.stdout", out)
    assert headless.run(RaceConfig(), OutputFormat.TEXT) == 0
    lines = out.getvalue().splitlines()
    assert lines[0].split()[:3] == ["time_s", "lane", "state"]
    blank = lines.index("")
    assert blank == 1 + 10 * 3
    assert lines[blank + 1].startswith("measured ")


def test_jsonl_is_an_object_per_frame_and_the_result(
    source: SyntheticSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Stdout()
    monkeypatch.setattr("sys.stdout", out)
    headless.run(RaceConfig(), OutputFormat.JSONL)
    kinds = [json.loads(line)["type"] for line in out.getvalue().splitlines()]
    assert kinds == ["frame"] * 10 + ["result"]
    assert source.entered


def failing_once(error: OSError) -> Callable[[str], None]:
    """Fail at the second line."""
    pieces: list[str] = []

    def check(text: str) -> None:
        if text != "\n":
            pieces.append(text)
        if len(pieces) == 2:
            pieces.append("")
            raise error

    return check


def test_what_was_measured_until_stdout_failed_is_concluded(
    source: SyntheticSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Stdout(failing_once(OSError(28, "No space left on device")))
    monkeypatch.setattr("sys.stdout", out)
    with pytest.raises(RaceError, match="stdout cannot be written: No space left on device"):
        headless.run(RaceConfig(), OutputFormat.JSONL)
    kinds = [json.loads(line)["type"] for line in out.getvalue().splitlines()]
    assert kinds == ["frame", "result"]
    assert source.entered


def test_a_reader_who_has_gone_gets_no_result(
    source: SyntheticSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Stdout(failing_once(BrokenPipeError()))
    monkeypatch.setattr("sys.stdout", out)
    with pytest.raises(BrokenPipeError):
        headless.run(RaceConfig(), OutputFormat.JSONL)
    assert len(out.getvalue().splitlines()) == 1
    assert source.entered


@pytest.mark.parametrize(("error", "rest"), [(None, 1), (RaceError("gone"), 0)])
def test_events_left_out_are_counted_at_the_end_of_a_race_that_ends_in_order(
    error: RaceError | None, rest: int
) -> None:
    lines: list[str] = []
    log = ProgressLog(EventThrottle(states=False), lines.append)
    frame: Frame = eventful(0, *("reconnecting: refused" for _ in range(MAX_EVENTS + 2)))
    log.frame(frame)
    assert lines == ["mysql: reconnecting: refused"] * MAX_EVENTS
    log.finish(ClosingCounts(), error)
    assert lines[MAX_EVENTS:] == ["mysql: 2 more events of this kind or another"] * rest
