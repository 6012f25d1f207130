"""How signals end a race without a screen."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneFrame, LaneState
from engines.model.environment import RaceEnvironment
from engines.results.summary import Summary
from tests.support.frames import CACHED, MYSQL, frame, work
from tui.cli.run import exit_code_for
from tui.cli.signals import STOP_SIGNALS, Interrupted, StopSignals


@pytest.fixture(autouse=True)
def dispositions() -> Iterator[None]:
    """Whatever a test does to the signals is undone, and none of them ends the test run."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_during_the_start_abandons_it(number: int, code: int) -> None:
    ending = StopSignals()
    with pytest.raises(Interrupted), ending.listening():
        signal.raise_signal(number)
    assert ending.exit_code == code


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_first_signal_asks_the_race_to_stop_and_its_echo_does_nothing(number: int) -> None:
    asked: list[str] = []
    ending = StopSignals()
    with ending.listening():
        ending.stop = lambda: asked.append("stop")
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert asked == ["stop"]
    assert ending.exit_code == 128 + number


def test_a_second_sigint_later_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.cli.signals.REPEAT_S", -1.0)
    ending = StopSignals()
    ending.stop = lambda: None
    with ending.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
    # What came first says how it ended.
    assert ending.exit_code == 143


def test_handlers_are_given_back_and_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ending = StopSignals()
    ending.stop = lambda: None
    with ending.listening():
        signal.raise_signal(signal.SIGHUP)
        assert ending.exit_code is None
        # A shell ignores SIGINT for every job in the background; an explicit one is meant.
        signal.raise_signal(signal.SIGINT)
        assert ending.exit_code == 130
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_lane_that_never_answered_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(RaceConfig(), (MYSQL, CACHED), RaceEnvironment())
    summary.add(frame(0, 1.0, LaneFrame("mysql", LaneState.RACING, write=work([1]))))
    assert exit_code_for(summary) == 1
    assert "lane cached never answered" in capsys.readouterr().err
    summary.add(frame(1, 2.0, LaneFrame("cached", LaneState.RACING, read=work([1]))))
    assert exit_code_for(summary) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("write", "read", "said"),
    [
        ([], [1], "lane mysql never answered its writers: no write of it was acknowledged"),
        ([1], [], "lane mysql never answered its readers: no read of it was answered"),
        ([1], [1], ""),
    ],
)
def test_a_role_that_never_answered_is_named(
    write: list[float], read: list[float], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(RaceConfig(lanes=("mysql",)), (MYSQL,), RaceEnvironment())
    summary.add(frame(0, 1.0, LaneFrame("mysql", LaneState.RACING, work(write), work(read))))
    assert exit_code_for(summary) == (1 if said else 0)
    assert capsys.readouterr().err.strip().removeprefix("telemon: ") == said


def test_a_lane_on_servers_of_one_s_own_that_never_answered_points_to_the_doctor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = load_config(
        {"lanes": "mysql"}, {"TELEMON_MYSQL_HOST": "db", "TELEMON_MYSQL_USER": "me"}
    )
    summary = Summary(settings, (MYSQL,), RaceEnvironment())
    summary.add(frame(0, 1.0, LaneFrame("mysql", LaneState.RECONNECTING)))
    assert exit_code_for(summary) == 1
    assert "`telemon doctor` says why" in capsys.readouterr().err
