"""The objects for programs: times to the millisecond, and names that do not change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.model.controls import Pause
from engines.model.deaths import EngineDeath, ProcessEnd
from engines.model.read_back import LostRow, ReadBack
from engines.results.result_json import death_json, frame_json, result_document
from engines.results.summary import DeathInRace
from tests.support.frames import frame, work
from tests.unit.results.test_summary import summed

ODD_S = 1.234567

DEATH = EngineDeath("mysql", "read", 2, 1.0, ProcessEnd(status=1))


def seconds(value: object, at: str = "") -> Iterator[tuple[str, float]]:
    """Return every time in a JSON object, with where it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, float) and key in (
                "interval_s",
                "elapsed_s",
                "duration_s",
                "measured_s",
            ):
                yield f"{at}.{key}", inner
            yield from seconds(inner, f"{at}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from seconds(inner, f"{at}[{number}]")


def test_times_are_to_the_millisecond() -> None:
    lane = LaneFrame(
        "mysql", LaneState.RACING, write=work([1.0] * 3, rows_each=10, interval_s=ODD_S), heat=1
    )
    given = frame(0, ODD_S, lane, interval_s=ODD_S)
    change = Event(1.0, None, "paused", control=Pause())
    summary = summed(replace(given, events=(Event(1.0, "mysql", "died", death=DEATH), change)))
    summary.reconcile_with_servers(ClosingCounts())
    document = result_document(summary)
    found = [*seconds(frame_json(given)), *seconds(document)]
    assert {name.rpartition(".")[2] for name, _ in found} >= {"interval_s", "elapsed_s"}
    assert {value for _, value in found} == {0.0, 1.235}, found
    assert document["changes"][0]["elapsed_s"] == 1.235  # type: ignore[index]
    assert document["deaths"][0]["elapsed_s"] == 1.235  # type: ignore[index]


def test_what_is_not_known_of_a_death_is_empty() -> None:
    found = death_json(DeathInRace(DEATH, 1.0))
    assert (found["last_words"], found["signal"], found["server"]) == ([], None, None)


def test_before_the_first_frame_there_is_no_start() -> None:
    assert result_document(summed())["started_at"] == "1970-01-01T00:00:00.000Z"


def test_what_was_read_back_stands_in_the_result_of_its_lane() -> None:
    lane = LaneFrame("mysql", LaneState.RACING, write=work([1.0], rows_each=10))
    summary = summed(frame(0, 1.0, lane))
    summary.reconcile_with_servers(
        ClosingCounts(
            read_backs={"mysql": ReadBack(10, missing=2, examples=(LostRow(50_000_001, 7, None),))}
        )
    )
    lanes: Any = result_document(summary)["lanes"]
    mysql, cached = lanes
    assert mysql["read_back"]["checked"] == 10
    assert mysql["read_back"]["missing"] == 2
    assert cached["read_back"] is None


def test_a_heat_is_that_of_its_lane() -> None:
    lane = LaneFrame("mysql", LaneState.RACING, write=work([1.0], rows_each=10), heat=1)
    other = LaneFrame("cached", LaneState.RACING, write=work([1.0] * 3, rows_each=10), heat=1)
    rounds = summed(frame(0, 1.0, lane, other)).rounds
    assert [(each.lane, each.write.rows) for each in rounds.of("cached").values()] == [
        ("cached", 30)
    ]
