"""The command `telemon run`: a race without a screen, with its data on stdout and its progress on stderr."""

from __future__ import annotations

import json
import sys
from enum import StrEnum

from engines.config import race_config as config
from engines.errors import RaceError, doctor_hint
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from engines.model.roles import CONNECTIONS
from engines.pipeline import run_pipeline
from engines.race.race import Race
from engines.results.caveat_text import caveat_sentences
from engines.results.death_text import death_step, describe_death
from engines.results.result_json import frame_json, result_document
from engines.results.summary import Summary
from engines.source import SourceInfo
from tui.cli import exit_codes
from tui.cli.progress_log import EventThrottle, ProgressLog, StartLog
from tui.cli.signals import Interrupted, StopSignals
from tui.cli.stderr import log_line
from tui.cli.stdout import print_line
from tui.report.interval_lines import frame_lines, header
from tui.report.text_table import final_table, terminal_width

INTERVAL_S = 1.0
"""Length of an interval. Programs that read the lines or the JSON of a frame expect one of each a second."""


class OutputFormat(StrEnum):
    """Format of stdout: lines and a table, one JSON object at the end, or an object per frame and the result."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def run(settings: config.RaceConfig, form: OutputFormat) -> int:
    """Race until `settings.duration_s` is over or a signal comes, and return the exit code.

    Raises RaceError or config.ConfigError if the race cannot be run, and BrokenPipeError if the reader of stdout has
    gone.
    """
    signals = StopSignals()
    try:
        with signals.listening():
            summary = _race(settings, form, signals)
    except Interrupted:
        return signals.exit_code or exit_codes.INTERRUPTED
    if signals.exit_code is not None:
        return signals.exit_code
    return exit_code_for(summary)


def exit_code_for(summary: Summary) -> int:
    """Return 0, or 1 if a process died unasked, a lane or a role of it never answered or what it claims is untrue.

    Each is named on stderr. A race that ended before anything was measured does not count as one without an answer.
    """
    unanswered = summary.unanswered if summary.duration_s else ()
    roles = summary.unanswered_roles
    for found in summary.deaths:
        log_line(f"{describe_death(found.death)}; {death_step(found.death)}")
    for lane in unanswered:
        hint = doctor_hint(lane not in summary.settings.endpoints)
        log_line(f"lane {lane} never answered: no operation of it was acknowledged{hint}")
    for lane, role in roles:
        hint = doctor_hint(lane not in summary.settings.endpoints)
        done = "acknowledged" if role == "write" else "answered"
        log_line(
            f"lane {lane} never answered its {CONNECTIONS[role]}: no {role} of it was {done}{hint}"
        )
    for sentence in caveat_sentences(summary.untrue):
        log_line(f"lane {sentence}")
    failed = unanswered or roles or summary.deaths or summary.untrue
    return exit_codes.FAILED if failed else exit_codes.DONE


def _race(settings: config.RaceConfig, form: OutputFormat, signals: StopSignals) -> Summary:
    with Race(settings, interval_s=INTERVAL_S, on_progress=StartLog(log_line)) as race:
        signals.stop = race.stop
        summary = Summary(settings, race.lane_infos, race.environment)
        progress = ProgressLog(EventThrottle(states=form is not OutputFormat.TEXT), log_line)
        # The printer comes last: it raises an exception if stdout is gone, and the others must have the frame by then.
        run_pipeline(race, (summary, progress, ResultPrinter(summary, form)))
    return summary


class ResultPrinter:
    """The consumer of frames that prints them, and the result of `summary`, to stdout.

    `summary` must come before it in the pipeline. A pipe that nobody reads blocks `frame`; the engine processes go on,
    and what they report meanwhile is in the frames after it. All methods raise BrokenPipeError if the reader has gone
    and RaceError if stdout cannot be written for another reason.
    """

    def __init__(self, summary: Summary, form: OutputFormat) -> None:
        self._summary = summary
        self._settings = summary.settings
        self._form = form

    def start(self, _source: SourceInfo) -> None:
        """Print the header of the lines."""
        if self._form is OutputFormat.TEXT:
            print_line(header(paced=self._settings.mode == "pace"))

    def frame(self, frame: Frame) -> None:
        """Print a line per lane, or the frame as a JSON object."""
        settings = self._settings
        if self._form is OutputFormat.TEXT:
            for line in frame_lines(frame, paced=settings.mode == "pace", heats=settings.heats):
                print_line(line)
        elif self._form is OutputFormat.JSONL:
            print_line(_dumped({"type": "frame", **frame_json(frame)}))

    def finish(self, _closing: ClosingCounts, _error: RaceError | None) -> None:
        """Print the result, also of a race that an error ended early."""
        summary = self._summary
        if self._form is OutputFormat.TEXT:
            print_line("")
            for line in final_table(summary, terminal_width(sys.stdout)):
                print_line(line)
        elif self._form is OutputFormat.JSON:
            print_line(_dumped(result_document(summary)))
        else:
            print_line(_dumped({"type": "result", **result_document(summary)}))


def _dumped(document: dict[str, object]) -> str:
    return json.dumps(document, default=str)
