"""A figure that is in the table of figures is in JSON, table, heats and help, without another line of code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engines.metrics.figures import (
    BRIEF_PERCENTILES,
    EVERYWHERE,
    FIGURES,
    PERCENTILES,
    READ,
    Figure,
    Shown,
    Unit,
    figures_of,
    percentile_key,
    percentile_us,
)
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import EMPTY
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.model.roles import ROLES
from engines.results.result_json import result_document, role_json
from tests.support.frames import latencies
from tests.support.frozen_races import races, summary_of
from tui.cli.config import show_figures
from tui.report.text_table import final_table

ROWS_PER_OPERATION = Figure(
    "rows_per_operation",
    "rows per operation",
    Unit.PER_S,
    READ,
    "higher",
    "Rows of one operation, made up for a test.",
    lambda stats: stats.work.rows / stats.work.operations if stats.work.operations else None,
    EVERYWHERE,
)


@pytest.fixture
def added() -> Iterator[Figure]:
    """Add a figure while a test runs."""
    FIGURES.append(ROWS_PER_OPERATION)
    yield ROWS_PER_OPERATION
    FIGURES.remove(ROWS_PER_OPERATION)


@pytest.mark.usefixtures("added")
def test_an_added_figure_is_in_json_table_heats_and_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    closed: Any = result_document(summary_of(*races()["closed_loop"]))
    for lane in closed["lanes"]:
        assert lane["read"]["rows_per_operation"] == 1.0
        assert "rows_per_operation" not in lane["write"]

    heats = summary_of(*races()["heats"])
    result: Any = result_document(heats)
    spread = result["lanes"][0]["heats"]["spread"]["read"]["rows_per_operation"]
    assert spread == {"min": 1.0, "merged": 1.0, "max": 1.0}
    assert result["lanes"][0]["heats"]["rounds"][0]["read"]["rows_per_operation"] == 1.0

    lines = [line.split() for line in final_table(heats)]
    # Once for the reads of the race, once for those of the heats; never for writes.
    assert lines.count([*ROWS_PER_OPERATION.label.split(), "1", "1", "1"]) == 2

    show_figures()
    shown = [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()]
    assert ["rows_per_operation", "read", "1/s", "higher", ROWS_PER_OPERATION.help] in shown


def test_help_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    show_figures()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(FIGURES)
    for figure, line in zip(FIGURES, lines[1:], strict=True):
        assert line.startswith(".".join(figure.json_path) + " ")
        assert line.endswith(f" {figure.help}")


def test_every_figure_has_a_name_of_its_own_and_a_place() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert len({figure.json_path for figure in FIGURES}) == len(FIGURES)
    assert all(figure.shown and figure.roles and figure.help.endswith(".") for figure in FIGURES)


def test_every_figure_is_where_its_path_leads() -> None:
    work = RoleStats(3, 3, latencies([1]), latencies([2]), latencies([3]), {"x": 1}, 1.0)
    lane = LaneFrame("cached", LaneState.RACING, work, work, CacheStats(1, 2, 3, 4, 5))
    for role in ROLES:
        for figure in figures_of(role, Shown.JSON):
            found: Any = role_json(lane, role)
            for key in figure.json_path:
                found = found[key]
            value = figure.value(lane.stats(role))
            if figure.name == "errors":
                assert (value, found) == (1, {"x": 1})
            else:
                assert found == (None if value is None else figure.unit.rounded(value))


def test_what_was_not_measured_is_none() -> None:
    nothing = IntervalStats()
    unmeasured = {figure.name for figure in FIGURES if figure.value(nothing) is None}
    assert unmeasured == {
        *(figure.name for figure in FIGURES if figure.group in ("service", "response", "failures")),
        "processor_wait_us",
        "hit_ratio",
    }


@pytest.mark.parametrize(
    ("work", "nulls"),
    [
        (RoleStats(), {"response_us", "failures_us", "processor_wait_us"}),
        (RoleStats(response=EMPTY), {"failures_us", "processor_wait_us"}),
        (RoleStats(failures=latencies([1])), {"response_us", "processor_wait_us"}),
    ],
)
def test_schema_1_has_zeros_for_service_and_response_times_and_null_for_the_rest(
    work: RoleStats, nulls: set[str]
) -> None:
    shown: Any = role_json(LaneFrame("mysql", LaneState.RACING, write=work), "write")
    assert {key for key, value in shown.items() if value is None} == nulls
    assert set(shown["service_us"].values()) == {0.0}


def test_percentiles_are_named_alike_everywhere() -> None:
    assert [percentile_key(percent) for percent in PERCENTILES] == ["p50", "p90", "p99", "p999"]
    assert set(BRIEF_PERCENTILES) <= set(PERCENTILES)
    assert [figure.name for figure in figures_of("read", Shown.HEATS)] == [
        *("rows_per_s", "p50_us", "p99_us", "response_p50_us", "response_p99_us")
    ]
    assert percentile_us(None, 50) is None
    assert percentile_us(EMPTY, 50) is None
    assert percentile_us(latencies([7]), 50) == 7.0


def test_a_count_is_whole_and_the_rest_is_rounded() -> None:
    rounded = [unit.rounded(2.123456) for unit in (Unit.PER_S, Unit.US, Unit.S, Unit.SHARE)]
    assert rounded == [2.1, 2.1, 2.123, 2.1235]
    assert isinstance(Unit.COUNT.rounded(3), int)
