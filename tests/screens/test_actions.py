"""Every key: what it asks of the race, and what it does to the screen."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path

import pytest
from textual.events import Key

from engines.config.race_config import RaceConfig
from engines.config.settings import MOST_CONNECTIONS
from engines.model import controls as control
from tests.screens.conftest import Launch, Racing
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, frames
from tui.actions.catalog import ACTIONS
from tui.app.app import TelemonApp
from tui.app.load_actions import LONGEST_S, QUIET_S
from tui.screens.help import help_lines
from tui.terminal.capabilities import Terminal
from tui.view.state import ScreenState
from tui.widgets.race.countdown import Countdown
from tui.widgets.race.header import Header
from tui.widgets.race.key_bar import KeyBar


def test_every_action_has_a_method_and_every_key_one_action() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)
    for action in ACTIONS:
        name, _, argument = action.method.partition("(")
        method = getattr(TelemonApp, f"action_{name}")
        assert len(inspect.signature(method).parameters) == (2 if argument else 1), action.id


async def press_apart(racing: Racing, *keys: str) -> None:
    """Press keys so slowly that none counts as held."""
    for key in keys:
        await racing.pilot.press(key)
        await racing.pilot.pause(QUIET_S + 0.1)


@pytest.mark.parametrize(
    ("key", "kind", "last", "shown"),
    [
        ("r", control.Connections, control.Connections("read", 68), "68 readers"),
        ("w", control.Connections, control.Connections("write", 64), "64 writers"),
        ("W", control.Connections, control.Connections("write", 1), "1 writer"),
        ("b", control.Batch, None, "batch"),
        ("t", control.Ttl, None, "TTL"),
        ("x", control.FlushCache, control.FlushCache(), "4 writers 8 readers"),
        ("space", control.Pause, control.Resume(), "4 writers 8 readers"),
    ],
)
async def test_a_held_key_is_one_change(
    launch: Launch, key: str, kind: type, last: control.Control | None, shown: str
) -> None:
    async with launch() as racing:
        await racing.shows("racing", "4 writers 8 readers")
        began_s = time.monotonic()
        for _ in range(60):
            racing.app.post_message(Key(key, None if len(key) > 1 else key))
        await racing.shows(shown)
        await racing.until(lambda: not racing.app._collected)
        await racing.pilot.pause(2 * QUIET_S)
        sent = racing.source.sent
        assert isinstance(sent[0], kind)
        if last is not None:
            assert sent[-1] == last
        # The first, the last, and one for each period of collecting in between.
        assert len(sent) <= 2 + (time.monotonic() - began_s) / LONGEST_S
        assert racing.app.worst_lag_s < 2


async def test_more_connections_than_a_setting_allows_are_not_requested(launch: Launch) -> None:
    async with launch(settings=RaceConfig(writers=MOST_CONNECTIONS)) as racing:
        await racing.shows("racing")
        await racing.pilot.press("w")
        await racing.shows("is the most there is")
        assert racing.source.sent == []


@pytest.mark.parametrize(
    ("keys", "sent", "shown"),
    [
        (["space"], [control.Pause()], "LOAD PAUSED"),
        (["space", "space"], [control.Pause(), control.Resume()], "4 writers 8 readers"),
        (["w"], [control.Connections("write", 5)], "5 writers"),
        (["W", "W"], [control.Connections("write", 3), control.Connections("write", 2)], "2 writers"),
        (["r"], [control.Connections("read", 9)], "9 readers"),
        (["R"], [control.Connections("read", 7)], "7 readers"),
        (["b"], [control.Batch(200)], "batch 200"),
        (["B"], [control.Batch(50)], "batch 50"),
        (["t"], [control.Ttl(300)], "TTL 300 s"),
        (["T"], [control.Ttl(60)], "TTL 60 s"),
        # Writers of lane `cached` do 88 batches a second: half of that, rounded down to a rung.
        (["m"], [control.Rate(20)], "pace 20/s"),
        (["m", "p", "p"], [control.Rate(20), control.Rate(50), control.Rate(100)], "pace 100/s"),
        (["m", "P"], [control.Rate(20), control.Rate(10)], "pace 10/s"),
        (["m", "m"], [control.Rate(20), control.Rate(None)], "saturate"),
        # The rate that was in use is the one to come back to.
        (["m", "p", "m", "m"], [control.Rate(20), control.Rate(50), control.Rate(None), control.Rate(50)], "pace 50/s"),
        (["p"], [], "no rate in mode saturate; m switches to pace"),
        (["P"], [], "no rate in mode saturate; m switches to pace"),
        (["x"], [control.FlushCache()], "4 writers 8 readers"),
        (["z"], [control.ResetTotals()], "totals since 0:"),
    ],
)  # fmt: skip
async def test_keys_that_ask_the_race(
    launch: Launch, keys: list[str], sent: list[control.Control], shown: str
) -> None:
    async with launch() as racing:
        await racing.shows("racing", "4 writers 8 readers", "batch 100", "TTL 120 s")
        await press_apart(racing, *keys)
        await racing.shows(shown)
        assert racing.source.sent == sent


async def test_mode_and_rate_come_from_the_settings(launch: Launch) -> None:
    async with launch(settings=RaceConfig(mode="pace", rate_per_s=300)) as racing:
        await racing.shows("racing", "pace 300/s")
        await press_apart(racing, "p", "P", "P", "m")
        await racing.shows("saturate")
        asked = [500, 200, 100, None]
        assert racing.source.sent == [control.Rate(rate) for rate in asked]


async def test_a_rate_without_pace_is_the_one_to_begin_with(launch: Launch) -> None:
    async with launch(settings=RaceConfig(rate_per_s=70)) as racing:
        await racing.shows("racing", "saturate")
        await racing.pilot.press("m")
        await racing.shows("pace 70/s")
        assert racing.source.sent == [control.Rate(70)]


async def test_keys_change_nothing_before_there_is_a_race(launch: Launch) -> None:
    source = SyntheticSource(frames(10), steps=("starting the servers",), step_s=1.0)
    async with launch(source=source) as racing:
        await racing.shows("starting the servers", "saturate", "4 writers 8 readers")
        await racing.pilot.press("w", "m", "b", "t", "space")
        await racing.shows("racing", "saturate", "4 writers 8 readers", "batch 100", "TTL 120 s")
        assert racing.source.sent == []
        assert "LOAD PAUSED" not in racing.text()


async def test_connections_never_go_below_one(launch: Launch) -> None:
    async with launch(settings=RaceConfig(writers=1, readers=0)) as racing:
        await racing.shows("racing")
        await racing.pilot.press("R", "r", "W")
        await racing.shows("one of the writers in each lane stays")
        assert racing.source.sent == []


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        (RaceConfig(batch=1), "B", "batch 1 is the least there is"),
        (RaceConfig(batch=10_000), "b", "batch 10000 is the most there is"),
        (RaceConfig(ttl_s=1), "T", "TTL 1 s is the least there is"),
        (RaceConfig(mode="pace", rate_per_s=1), "P", "pace 1/s is the least there is"),
    ],
)
async def test_a_step_that_leads_nowhere_says_so(
    launch: Launch, settings: RaceConfig, key: str, said: str
) -> None:
    async with launch(settings=settings) as racing:
        await racing.shows("racing")
        await racing.pilot.press(key)
        await racing.shows(said)
        assert racing.source.sent == []


async def test_reset_counts_from_zero(launch: Launch) -> None:
    source = SyntheticSource(frames(3000), interval_s=0.02)
    async with launch(source=source) as racing:
        feed = racing.app.feed
        await racing.until(lambda: feed.summary is not None and feed.summary.duration_s >= 10)
        before = feed.summary
        await racing.pilot.press("z")
        assert feed.summary is not before
        await racing.until(lambda: feed.summary is not None and feed.summary.duration_s >= 1)
        source.stop()
        await racing.until(lambda: feed.join(0))
        summary = feed.summary
        assert summary is not None
        # The totals are those of the time since.
        lane = summary.lanes()[0]
        assert abs(lane.write.interval_s - summary.duration_s) < 0.3


async def test_window_is_changed_and_named(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing", "window 5 s", "over 5 s")
        await racing.pilot.press("plus")
        await racing.shows("window 10 s", "over 10 s")
        await racing.pilot.press("minus", "minus", "minus", "minus", "minus")
        await racing.shows("window 1 s")
        await racing.shows("window 1 s is the least there is")
        await racing.pilot.press("plus", "plus", "plus", "plus", "plus", "plus")
        await racing.shows("window 60 s", "window 60 s is the most there is")


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("size", [(160, 48), (80, 24), (60, 20)])
async def test_window_is_named_in_every_header_that_has_room(
    launch: Launch, size: tuple[int, int], hold: bool
) -> None:
    async with launch(settings=RaceConfig(duration_s=60), size=size, hold=hold) as racing:
        await racing.shows("0:14 / 1:00")
        (header,) = racing.app.screen.query_one(Header).lines
        assert "window 5 s" in header or (hold and size[0] < 80)


async def test_axis_is_freed_and_said_so(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing", "y axis shared")
        # One axis: its top stands beside every lane.
        assert racing.text().count("100k") >= 3
        await racing.pilot.press("y")
        await racing.shows("y axis own", "own axis", "a y axis for each lane")
        assert racing.text().count("100k") < 3


async def test_one_lane_alone(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("1 ● MySQL", "3 ■ Durable Redis")
        await racing.pilot.press("2")
        await racing.until(lambda: "1 ● MySQL" not in racing.text())
        assert "2 ▲ MySQL + cache" in racing.text()
        await racing.pilot.press("2")
        await racing.shows("1 ● MySQL", "3 ■ Durable Redis")
        await racing.pilot.press("3", "escape")
        await racing.shows("1 ● MySQL", "2 ▲ MySQL + cache")


async def test_where_a_lane_cannot_be_alone_its_key_says_so(launch: Launch) -> None:
    async with launch(size=(40, 12)) as racing:
        # The last picture: nothing but the notice changes any more.
        await racing.shows("0:14")
        before = racing.text()
        await racing.pilot.press("2")
        # A toast is folded in so small a terminal.
        await racing.until(lambda: "too small" in " ".join(racing.text().split()))
        await racing.pilot.pause(3.2)
        await racing.until(lambda: racing.text() == before)


async def test_keys_without_anything_to_do_are_off_everywhere(launch: Launch) -> None:
    """In the bottom line, the palette and the bindings alike."""
    settings = RaceConfig(writers=0, lanes=("mysql", "durable"), heats=True)
    made = list(frames(20, lanes=("mysql", "durable")))
    source = SyntheticSource(made, lane_infos=(ENTRANTS[0], ENTRANTS[2]))
    terminal = Terminal(color="16", fps=60)
    async with launch(
        source=source, settings=settings, terminal=terminal, size=(200, 50)
    ) as racing:
        await racing.shows("racing")
        off = {
            "release", "more_writers", "fewer_writers", "more_batch", "less_batch", "flush", "more_ttl", "less_ttl",
            "next_theme", "maximise_3", "shorter_window", "longer_window",
        }  # fmt: skip
        app = racing.app
        offered = {command.title for command in app.get_system_commands(app.screen)}
        assert {action.id for action in ACTIONS if action.name not in offered} == off
        (bar,) = app.screen.query_one(KeyBar).lines
        for action in ACTIONS:
            called, _, number = action.method.rstrip(")").partition("(")
            enabled = app.check_action(called, (int(number),) if number else ())
            assert enabled == (action.id not in off), action.id
            if action.rank:
                word = f" {action.shown_key} {action.label} "
                assert (word in bar) == (action.id not in off), action.id
        for key in ("w", "W", "b", "B", "x", "t", "T", "n", "3", "plus", "minus", "enter"):
            await racing.pilot.press(key)
        assert racing.source.sent == []
        assert app._view is not None
        assert app._view.window_s == 5


async def test_stage_and_back(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        await racing.pilot.press("g")
        await racing.shows("WRITES rows/s", "READ P99", "behind", "ahead")
        assert racing.app.theme == "telemon-projector"
        await racing.pilot.press("f5")
        await racing.shows("p99", "standings")
        assert racing.app.theme == "telemon-dark"


async def test_themes_go_round(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        seen = []
        for _ in range(4):
            await racing.pilot.press("n")
            seen.append(racing.app.theme)
        assert len(set(seen)) == 4
        assert seen[-1] == "telemon-dark"


async def test_a_poor_terminal_keeps_its_theme(launch: Launch) -> None:
    async with launch(terminal=Terminal(color="16", fps=20)) as racing:
        await racing.shows("racing")
        await racing.pilot.press("n", "g")
        assert racing.app.theme == "telemon-16"


async def test_help_lists_every_action(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        await racing.pilot.press("question_mark")
        # The longest one goes on below.
        await racing.shows("keys", *(action.text[:40] for action in ACTIONS))
        # What can do nothing now is listed all the same, and said to be so.
        off = [action for action in ACTIONS if f"not now: {action.text[:30]}" in racing.text()]
        assert [action.id for action in off] == ["release"]
        await racing.pilot.press("q")
        await racing.shows("standings")
        assert not racing.app._exit


@pytest.mark.parametrize("width", [80, 40, 20])
def test_help_cuts_nothing(width: int) -> None:
    lines = ["".join(text for text, _ in line) for line in help_lines(ScreenState(), width)]
    assert all(len(line) <= max(width, 25) for line in lines)
    shown = " ".join(" ".join(lines).split())
    assert "release all lanes; 1 2 3 release one" in shown


async def test_palette_knows_every_action(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        commands = {
            command.title: command.callback
            for command in racing.app.get_system_commands(racing.app.screen)
        }
        # There is nothing to release: see `available`.
        assert set(commands) == {action.name for action in ACTIONS if action.id != "release"}
        await racing.pilot.press("ctrl+p")
        # Typed text is no key: there is a q in none of the other tests' words.
        await racing.pilot.press("q", "backspace")
        assert not racing.app._exit
        await racing.pilot.press(*"cache")
        await racing.shows("cache: flush")
        await racing.pilot.press("down", "enter")
        await racing.until(lambda: racing.source.sent == [control.FlushCache()])


async def test_screenshot_is_saved(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with launch() as racing:
        await racing.shows("racing")
        await racing.pilot.press("s")
        await racing.until(lambda: bool(list(tmp_path.iterdir())))
        (saved,) = tmp_path.iterdir()
        assert saved.suffix == ".svg"
        assert "MySQL" in saved.read_text()


async def test_screenshot_in_a_directory_that_takes_none(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/proc")
    async with launch() as racing:
        await racing.shows("racing")
        await racing.pilot.press("s")
        await racing.shows("no screenshot")


async def test_copy_takes_the_standings(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        await racing.pilot.press("c")
        await racing.until(lambda: bool(racing.app.clipboard))
        lines = racing.app.clipboard.splitlines()
        assert len(lines) == 5
        assert lines[0].startswith("telemon after")
        assert [line.split("  ")[0] for line in lines[2:]] == [
            "MySQL",
            "MySQL + cache",
            "Durable Redis",
        ]
        assert re.search(r"1st \d+\.\dx", lines[4])


async def test_hold_counts_down_and_releases_all(launch: Launch) -> None:
    async with launch(list(frames(20, warmup=100)), hold=True) as racing:
        racing.app.count_s = 0.05
        await racing.shows("AT THE START LINE", "warming", "ready")
        await racing.pilot.press("enter")
        await racing.until(lambda: racing.source.sent == [control.Release()])
        await racing.until(lambda: "AT THE START LINE" not in racing.text())
        # Once.
        await racing.pilot.press("enter")
        assert racing.source.sent == [control.Release()]


async def test_enter_while_servers_start_releases_nothing_and_loses_nothing(launch: Launch) -> None:
    source = SyntheticSource(frames(20, warmup=100), steps=("starting the servers",), step_s=1.0)
    async with launch(source=source, hold=True) as racing:
        await racing.shows("starting the servers", "starting, then hold")
        assert "AT THE START LINE" not in racing.text()
        await racing.pilot.press("enter", "1")
        assert racing.app._screen_state.start.countdown is None
        await racing.shows("AT THE START LINE", "enter go")
        assert source.sent == []
        racing.app.count_s = 0.05
        await racing.pilot.press("enter")
        await racing.until(lambda: source.sent == [control.Release()])
        await racing.until(lambda: "AT THE START LINE" not in racing.text())


async def test_a_release_that_nobody_takes_keeps_the_start_line(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launch(list(frames(20, warmup=100)), hold=True) as racing:
        racing.app.count_s = 0.2
        await racing.shows("AT THE START LINE")
        monkeypatch.setattr(racing.app.feed, "send", lambda _: False)
        await racing.pilot.press("1", "enter")
        await racing.until(lambda: racing.app._screen_state.start.countdown is not None)
        await racing.until(lambda: racing.app._screen_state.start.countdown is None)
        await racing.shows("AT THE START LINE")
        monkeypatch.undo()
        await racing.pilot.press("enter")
        await racing.until(lambda: racing.source.sent == [control.Release()])


async def test_countdown_is_seen(launch: Launch) -> None:
    async with launch(list(frames(20, warmup=100)), hold=True) as racing:
        racing.app.count_s = 0.4
        await racing.shows("AT THE START LINE")
        await racing.pilot.press("enter")
        seen: dict[int, tuple[str, ...]] = {}

        def over() -> bool:
            number = racing.app._screen_state.start.countdown
            if number is not None:
                seen[number] = racing.app.screen.query_one(Countdown).lines
            return racing.source.sent == [control.Release()]

        await racing.until(over)
        # Each as its own large digit.
        assert sorted(seen) == [1, 2, 3]
        assert len(set(seen.values())) == 3
        for lines in seen.values():
            assert sum("█" in line for line in lines) > 10


async def test_held_heats_are_released_as_a_whole(launch: Launch) -> None:
    given = list(frames(20, warmup=100))
    async with launch(given, hold=True, settings=RaceConfig(heats=True)) as racing:
        racing.app.count_s = 0.05
        await racing.shows("AT THE START LINE")
        await racing.pilot.press("1", "enter")
        await racing.until(lambda: racing.source.sent == [control.Release()])


async def test_lanes_released_apart_have_no_common_end(launch: Launch) -> None:
    settings = RaceConfig(duration_s=60)
    async with launch(hold=True, settings=settings) as racing:
        await racing.shows("AT THE START LINE", "0:14 / 1:00")
        await racing.pilot.press("2")
        await racing.shows("0:14, 1:00 each")


async def test_hold_releases_one_by_one(launch: Launch) -> None:
    async with launch(list(frames(20, warmup=100)), hold=True) as racing:
        await racing.shows("AT THE START LINE", "warming")
        await racing.pilot.press("2", "2", "1")
        await racing.shows("AT THE START LINE")
        await racing.pilot.press("3")
        await racing.until(lambda: "AT THE START LINE" not in racing.text())
        assert racing.source.sent == [
            control.Release("cached"), control.Release("mysql"), control.Release("durable")
        ]  # fmt: skip
