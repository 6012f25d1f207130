"""How a death is said, and that every way out of a race says it."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.model.deaths import Death, DeathCause, EngineDeath, Manner, ProcessEnd, ServerDeath
from engines.results.death_text import announce_death, death_step, describe_death
from engines.results.result_json import result_document
from engines.results.summary import Summary
from tests.support.frames import frame, work
from tests.unit.report.test_race_report import ended, reading
from tui.cli import exit_codes
from tui.cli.progress_log import MAX_EVENTS, EventThrottle
from tui.cli.run import exit_code_for
from tui.draw.styled import BAD
from tui.report.clipboard import result_text
from tui.report.race_report import build_report
from tui.report.text_table import final_table
from tui.widgets.race.event_log import event_spans
from tui.widgets.result.result_panel import report

AT_S = 1_661_245_200.0
"""2022-08-23, 09:00:00 UTC."""

ENGINE = EngineDeath("mysql", "read", 2, AT_S, ProcessEnd(status=1), last_words="MemoryError")
SERVER = ServerDeath(
    "mysql",
    "mysql",
    "MariaDB for lane mysql",
    AT_S,
    ProcessEnd(signal=9),
    DeathCause.OUT_OF_MEMORY,
    ("one", "two\x1b[2J"),
)


@pytest.mark.parametrize(
    ("death", "text"),
    [
        (ENGINE, "engine mysql/read number 2 died: exit status 1: MemoryError"),
        (
            replace(ENGINE, end=ProcessEnd(signal=11), last_words=""),
            "engine mysql/read number 2 died: killed by signal 11 (SIGSEGV)",
        ),
        (
            replace(ENGINE, end=ProcessEnd(signal=9), cause=DeathCause.HUNG, last_words=""),
            "engine mysql/read number 2 died: it did not end when it was told to, and was killed",
        ),
        (
            replace(ENGINE, end=ProcessEnd(), last_words=""),
            "engine mysql/read number 2 died: how is not known",
        ),
        (
            SERVER,
            "MariaDB for lane mysql (mysql) died: out of memory, killed by signal 9 (SIGKILL): one / two\\x1b[2J",
        ),
        (
            replace(SERVER, end=ProcessEnd(status=1), cause=DeathCause.NO_SPACE, last_lines=()),
            "MariaDB for lane mysql (mysql) died: no space was left on its disk, exit status 1",
        ),
    ],
)
def test_a_death_is_said_with_who_how_and_why(death: Death, text: str) -> None:
    assert announce_death(death) == text
    assert describe_death(death) == text.replace(" died:", " died at 09:00:00 UTC:")


@pytest.mark.parametrize(
    ("code", "end", "name"),
    [
        (0, ProcessEnd(status=0), None),
        (3, ProcessEnd(status=3), None),
        (-15, ProcessEnd(signal=15), "SIGTERM"),
        (-63, ProcessEnd(signal=63), "SIG63"),
        (None, ProcessEnd(), None),
    ],
)
def test_how_a_process_ended_is_read_off_its_return_code(
    code: int | None, end: ProcessEnd, name: str | None
) -> None:
    assert ProcessEnd.of(code) == end
    assert end.signal_name == name


@pytest.mark.parametrize(
    ("code", "manner", "advice"),
    [
        (-9, Manner.KILLED, "perhaps for lack of memory"),
        (-11, Manner.CRASHED, "crashed"),
        (-7, Manner.CRASHED, "crashed"),
        (-6, Manner.CRASHED, "crashed"),
        (-4, Manner.CRASHED, "crashed"),
        (-24, Manner.OVER_LIMIT, "ulimit"),
        (-25, Manner.OVER_LIMIT, "ulimit"),
        (-15, Manner.SIGNALLED, "somebody sent the signal"),
        (-63, Manner.SIGNALLED, "somebody sent the signal"),
        (1, Manner.FAILED, "say why"),
        (3, Manner.FAILED, "say why"),
        (0, Manner.LEFT, "told"),
        (None, Manner.UNKNOWN, "the system's log may tell"),
    ],
)
def test_the_next_step_fits_how_a_process_ended(
    code: int | None, manner: Manner, advice: str
) -> None:
    end = ProcessEnd.of(code)
    assert end.manner is manner
    for death in (replace(ENGINE, end=end), replace(SERVER, end=end, cause=None)):
        step = death_step(death)
        assert advice in step
        # Only what the kernel kills for lack of memory is looked for among that.
        assert ("memory" in step) == (manner is Manner.KILLED)


def test_a_known_cause_decides_the_next_step_and_no_two_are_advised_the_same() -> None:
    steps = [death_step(replace(ENGINE, cause=cause)) for cause in DeathCause]
    assert len(set(steps)) == len(DeathCause)
    assert "sandbox.directory" in death_step(replace(SERVER, cause=DeathCause.NO_SPACE))
    assert "memory" in death_step(SERVER)
    kinds = {
        end: death_step(replace(ENGINE, end=ProcessEnd.of(end))) for end in (-9, -11, -15, 1, 0)
    }
    assert len(set(kinds.values())) == len(kinds)
    crashed = ProcessEnd(signal=11)
    assert death_step(replace(ENGINE, end=crashed)) != death_step(
        replace(SERVER, end=crashed, cause=None)
    )


def event(death: Death) -> Event:
    return Event(death.at_utc_s, death.lane, announce_death(death), death=death)


def test_every_way_out_of_a_race_says_who_died(capsys: pytest.CaptureFixture[str]) -> None:
    summary = ended(reading("mysql", 200), events=(event(ENGINE), event(SERVER)))
    said = [describe_death(ENGINE), describe_death(SERVER)]
    steps = [death_step(ENGINE), death_step(SERVER)]
    table = list(final_table(summary))
    assert [line.removeprefix("next: ") for line in table if line.startswith("next: ")] == steps
    assert [line.removeprefix("died: ") for line in table if line.startswith("died: ")] == said
    found = build_report(summary)
    assert found.deaths == tuple(said)
    assert result_text(found).splitlines()[:2] == said
    bad = [
        "".join(text for text, _ in line)
        for line in report(found, 200)
        if (line or (("", ""),))[0][1] == BAD
    ]
    assert [line.strip() for line in bad[:2]] == said
    assert exit_code_for(summary) == exit_codes.FAILED
    err = capsys.readouterr().err.splitlines()
    assert err == [f"telemon: {line}; {step}" for line, step in zip(said, steps, strict=True)]
    engine, server = json.loads(json.dumps(result_document(summary)))["deaths"]
    assert engine == {
        "at": "2022-08-23T09:00:00.000Z",
        "elapsed_s": 1.0,
        "lane": "mysql",
        "process": "engine",
        "role": "read",
        "number": 2,
        "server": None,
        "signal": None,
        "exit_status": 1,
        "cause": None,
        "last_words": ["MemoryError"],
        "text": said[0],
        "next_step": steps[0],
    }
    assert server == {
        "at": "2022-08-23T09:00:00.000Z",
        "elapsed_s": 1.0,
        "lane": "mysql",
        "process": "server",
        "role": None,
        "number": None,
        "server": "mysql",
        "signal": "SIGKILL",
        "exit_status": None,
        "cause": "out_of_memory",
        "last_words": ["one", "two\x1b[2J"],
        "text": said[1],
        "next_step": steps[1],
    }
    # It stays in the result when the totals are reset, and fails a race of which nothing was measured.
    fresh = summary.restarted()
    assert fresh.deaths == summary.deaths
    assert exit_code_for(fresh) == exit_codes.FAILED


def test_a_race_in_which_nothing_died_is_done() -> None:
    summary = ended(reading("mysql", 200))
    assert result_document(summary)["deaths"] == []
    assert exit_code_for(summary) == exit_codes.DONE
    assert exit_code_for(summary.restarted()) == exit_codes.DONE


def test_a_death_in_the_warm_up_counts() -> None:
    summary: Summary = ended(reading("mysql", 1))
    summary = summary.restarted()
    warming = LaneFrame("mysql", LaneState.WARMING, read=work([1.0]))
    summary.add(replace(frame(0, 0.0, warming), events=(event(SERVER),)))
    assert [found.elapsed_s for found in summary.deaths] == [0.0]
    assert exit_code_for(summary) == exit_codes.FAILED


def test_a_death_is_logged_however_many_events_there_are() -> None:
    throttle = EventThrottle(states=False)
    trouble = [Event(0.0, "mysql", f"reconnecting: {number}") for number in range(MAX_EVENTS + 3)]
    lines = list(throttle.lines(replace(frame(0, 1.0), events=(*trouble, event(ENGINE)))))
    assert lines[-1] == f"mysql: {announce_death(ENGINE)}"
    assert len(lines) == MAX_EVENTS + 1


def test_a_death_stands_out_in_the_event_log() -> None:
    assert event_spans(event(ENGINE), 120)[-1] == (announce_death(ENGINE), BAD)


def test_a_death_is_told_in_utc_wherever_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert "died at 09:00:00 UTC" in describe_death(ENGINE)
    finally:
        monkeypatch.undo()
        time.tzset()
