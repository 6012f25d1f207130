"""The race without a screen: data on stdout, narration on stderr."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import FrameType

from engines.config import race_config as config
from engines.config.value_types import one_line
from engines.metrics.frame import Frame
from engines.race.race import Race, RaceError
from engines.results.result_json import frame_object
from engines.results.summary import Summary
from tui.cli.progress_log import Narration
from tui.report.interval_lines import frame_lines, header
from tui.report.text_table import final_table, terminal_width

INTERVAL_S = 1.0

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

REPEAT_S = 0.5
"""Within this time a second SIGINT is the same wish: timeout(1), for one, sends each signal twice."""


class Format(StrEnum):
    """What stdout gets: lines and a table, one object at the end, or an object per frame and the result."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class Interrupted(KeyboardInterrupt):
    """A signal asked for an end where there is nothing to wind down yet, or asked again."""


class Ending:
    """Turns signals into the end of a race: the first asks it to stop, a second SIGINT does not wait for that."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that came."""
        self.stop: Callable[[], None] | None = None
        """How to ask the race to end; None while it starts, when a signal abandons the start."""
        self._first_s = 0.0

    @property
    def exit_code(self) -> int | None:
        """What a shell calls a program that a signal ended; None when none came."""
        return None if self.signal is None else 128 + self.signal

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals, and give them back afterwards. One that is ignored (nohup) stays ignored, but not
        SIGINT: a shell ignores it for every background job, and who sends it by kill means it."""
        before = {}
        for number in ENDING:
            if number is signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._received)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        now_s = time.monotonic()
        if self.signal is None:
            self.signal, self._first_s = number, now_s
            if self.stop is None:
                raise Interrupted
            self.stop()
        elif number == signal.SIGINT and now_s - self._first_s > REPEAT_S:
            raise Interrupted


def run(settings: config.Race, form: Format) -> int:
    """Race to the end of `settings.duration_s`, or to a signal; the exit code.

    Raises RaceError or config.ConfigError when the race cannot be run, BrokenPipeError when nobody reads on.
    """
    ending = Ending()
    try:
        with ending.listening():
            summary = _race(settings, form, ending)
    except Interrupted:
        return ending.exit_code or 130
    if ending.exit_code is not None:
        return ending.exit_code
    return verdict(summary)


def verdict(summary: Summary) -> int:
    """0, or 1 when a lane never answered, which is said on stderr."""
    for lane in summary.unanswered:
        advice = "; `telemon doctor` says why" if lane in summary.settings.endpoints else ""
        narrate(f"lane {lane} never answered: no operation of it was acknowledged{advice}")
    return 1 if summary.unanswered else 0


def _race(settings: config.Race, form: Format, ending: Ending) -> Summary:
    with Race(settings, interval_s=INTERVAL_S, narrate=narrate) as race:
        ending.stop = race.stop
        summary = Summary(settings, race.entrants, race.facts)
        narration = Narration(states=form is not Format.TEXT)
        if form is Format.TEXT:
            _print(header(paced=settings.mode == "pace"))
        try:
            for frame in race.frames():
                summary.add(frame)
                for line in narration.lines(frame):
                    narrate(line)
                _show(frame, form, settings)
        except RaceError:
            # What was measured until then is not thrown away.
            _conclude(summary, race, form)
            raise
        for line in narration.rest():
            narrate(line)
        # Before the servers are gone: whoever waits for it need not wait for them.
        _conclude(summary, race, form)
    return summary


def _show(frame: Frame, form: Format, settings: config.Race) -> None:
    if form is Format.TEXT:
        for line in frame_lines(frame, paced=settings.mode == "pace", heats=settings.heats):
            _print(line)
    elif form is Format.JSONL:
        _print(_dumped({"type": "frame", **frame_object(frame)}))


def _conclude(summary: Summary, race: Race, form: Format) -> None:
    summary.settle(race.warm, race.doubts, race.shards)
    if form is Format.TEXT:
        _print("")
        for line in final_table(summary, terminal_width(sys.stdout)):
            _print(line)
    elif form is Format.JSON:
        _print(_dumped(summary.result()))
    else:
        _print(_dumped({"type": "result", **summary.result()}))


def _dumped(document: dict[str, object]) -> str:
    return json.dumps(document, default=str)


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RaceError(f"stdout cannot be written: {error.strerror}") from error


def narrate(text: str) -> None:
    """A line on stderr. That nobody may be there to read it does not end a race."""
    with suppress(OSError, ValueError):
        print(f"telemon: {one_line(text)}", file=sys.stderr, flush=True)
