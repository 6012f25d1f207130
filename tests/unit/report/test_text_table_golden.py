"""Text of fixed races, to the letter: the table, the lines of intervals and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.frozen_races import races, summary_of
from tui.report.interval_lines import frame_lines, header
from tui.report.race_report import build_report
from tui.report.text_table import final_table

GOLDEN = Path(__file__).parent / "golden"


def written(name: str) -> str:
    """Return the result's table, wide and narrow, the report's figures and the lines of every seventh frame."""
    settings, frames = races()[name]
    summary = summary_of(settings, frames)
    paced = settings.mode == "pace"
    lines = [*final_table(summary), "", *final_table(summary, 60), ""]
    for lane, figures in build_report(summary).figures.items():
        lines += [f"{lane}: {label}: {text}" for label, text in figures]
    lines += ["", header(paced=paced)]
    for frame in frames[::7]:
        lines += frame_lines(frame, paced=paced, heats=settings.heats)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", races())
def test_the_text_of_a_fixed_race_stays_what_it_was(name: str) -> None:
    assert written(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
