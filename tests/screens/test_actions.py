"""Every key: what it asks of the race, and what it does to the screen."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from engines import control
from engines.config import Race
from tests.screens.conftest import Launch
from tests.screens.synthetic import SyntheticSource, frames
from tui.actions import ACTIONS
from tui.app import Telemon
from tui.terminal import Terminal


def test_every_action_has_a_method_and_every_key_one_action() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)
    for action in ACTIONS:
        name, _, argument = action.method.partition("(")
        method = getattr(Telemon, f"action_{name}")
        assert len(inspect.signature(method).parameters) == (2 if argument else 1), action.id


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
        (["x"], [control.FlushCache()], "racing"),
        # Writers of lane `cached` do 88 batches a second: half of that, rounded down to a rung.
        (["m"], [control.Rate(20)], "pace 20/s"),
        (["m", "p", "p"], [control.Rate(20), control.Rate(50), control.Rate(100)], "pace 100/s"),
        (["m", "P"], [control.Rate(20), control.Rate(10)], "pace 10/s"),
        (["m", "m"], [control.Rate(20), control.Rate(None)], "saturate"),
        # The rate that was in use is the one to come back to.
        (["m", "p", "m", "m"], [control.Rate(20), control.Rate(50), control.Rate(None), control.Rate(50)], "pace 50/s"),
        (["p"], [], "no rate in mode saturate; m switches to pace"),
        (["P"], [], "no rate in mode saturate; m switches to pace"),
        (["z"], [control.ResetTotals()], "racing"),
    ],
)  # fmt: skip
async def test_keys_that_ask_the_race(
    launch: Launch, keys: list[str], sent: list[control.Control], shown: str
) -> None:
    async with launch() as racing:
        await racing.shows("racing", "4 writers 8 readers", "batch 100", "TTL 120 s")
        await racing.pilot.press(*keys)
        await racing.shows(shown)
        assert racing.source.sent == sent


async def test_mode_and_rate_come_from_the_settings(launch: Launch) -> None:
    async with launch(settings=Race(mode="pace", rate_per_s=300)) as racing:
        await racing.shows("racing", "pace 300/s")
        await racing.pilot.press("p", "P", "P", "m")
        await racing.shows("saturate")
        asked = [500, 200, 100, None]
        assert racing.source.sent == [control.Rate(rate) for rate in asked]


async def test_a_rate_without_pace_is_the_one_to_begin_with(launch: Launch) -> None:
    async with launch(settings=Race(rate_per_s=70)) as racing:
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
    async with launch(settings=Race(writers=1, readers=0)) as racing:
        await racing.shows("racing")
        await racing.pilot.press("W", "R", "r")
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
        await racing.pilot.press("plus", "plus", "plus", "plus", "plus", "plus")
        await racing.shows("window 60 s")


async def test_axis_is_freed_and_said_so(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing", "y axis shared")
        # One axis: its top stands beside every lane.
        assert racing.text().count("100k") >= 3
        await racing.pilot.press("y")
        await racing.shows("y axis own", "own axis")
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
        await racing.shows("keys", *(action.text for action in ACTIONS))
        await racing.pilot.press("escape")
        await racing.shows("standings")


async def test_palette_knows_every_action(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        commands = {
            command.title: command.callback
            for command in racing.app.get_system_commands(racing.app.screen)
        }
        assert set(commands) == {action.name for action in ACTIONS}
        await racing.pilot.press("ctrl+p")
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
