"""The race without a screen: data on stdout, narration on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from enum import StrEnum

from engines.config import race_config as config
from engines.errors import RaceError
from engines.metrics.frame import Frame
from engines.race.race import Race
from engines.results.result_json import frame_json, result_document
from engines.results.summary import Summary
from engines.text import one_line
from tui.cli.progress_log import EventThrottle
from tui.cli.signals import Interrupted, StopSignals
from tui.report.interval_lines import frame_lines, header
from tui.report.text_table import final_table, terminal_width

INTERVAL_S = 1.0


class OutputFormat(StrEnum):
    """What stdout gets: lines and a table, one object at the end, or an object per frame and the result."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def run(settings: config.RaceConfig, form: OutputFormat) -> int:
    """Race to the end of `settings.duration_s`, or to a signal; the exit code.

    Raises RaceError or config.ConfigError when the race cannot be run, BrokenPipeError when nobody reads on.
    """
    ending = StopSignals()
    try:
        with ending.listening():
            summary = _race(settings, form, ending)
    except Interrupted:
        return ending.exit_code or 130
    if ending.exit_code is not None:
        return ending.exit_code
    return exit_code_for(summary)


def exit_code_for(summary: Summary) -> int:
    """0, or 1 when a lane never answered, which is said on stderr."""
    for lane in summary.unanswered:
        advice = "; `telemon doctor` says why" if lane in summary.settings.endpoints else ""
        log_line(f"lane {lane} never answered: no operation of it was acknowledged{advice}")
    return 1 if summary.unanswered else 0


def _race(settings: config.RaceConfig, form: OutputFormat, ending: StopSignals) -> Summary:
    with Race(settings, interval_s=INTERVAL_S, on_progress=log_line) as race:
        ending.stop = race.stop
        summary = Summary(settings, race.lane_infos, race.environment)
        narration = EventThrottle(states=form is not OutputFormat.TEXT)
        if form is OutputFormat.TEXT:
            _print(header(paced=settings.mode == "pace"))
        try:
            for frame in race.frames():
                summary.add(frame)
                for line in narration.lines(frame):
                    log_line(line)
                _show(frame, form, settings)
        except RaceError:
            # What was measured until then is not thrown away.
            _conclude(summary, race, form)
            raise
        for line in narration.rest():
            log_line(line)
        # Before the servers are gone: whoever waits for it need not wait for them.
        _conclude(summary, race, form)
    return summary


def _show(frame: Frame, form: OutputFormat, settings: config.RaceConfig) -> None:
    if form is OutputFormat.TEXT:
        for line in frame_lines(frame, paced=settings.mode == "pace", heats=settings.heats):
            _print(line)
    elif form is OutputFormat.JSONL:
        _print(_dumped({"type": "frame", **frame_json(frame)}))


def _conclude(summary: Summary, race: Race, form: OutputFormat) -> None:
    summary.reconcile_with_servers(race.warm, race.counter_caveats, race.shards)
    if form is OutputFormat.TEXT:
        _print("")
        for line in final_table(summary, terminal_width(sys.stdout)):
            _print(line)
    elif form is OutputFormat.JSON:
        _print(_dumped(result_document(summary)))
    else:
        _print(_dumped({"type": "result", **result_document(summary)}))


def _dumped(document: dict[str, object]) -> str:
    return json.dumps(document, default=str)


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RaceError(f"stdout cannot be written: {error.strerror}") from error


def log_line(text: str) -> None:
    """A line on stderr. That nobody may be there to read it does not end a race."""
    with suppress(OSError, ValueError):
        print(f"telemon: {one_line(text)}", file=sys.stderr, flush=True)
