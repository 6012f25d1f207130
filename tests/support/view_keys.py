"""The checks of the keys that change what is seen, or take it away: the race must go on as if none were pressed."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from engines.metrics.frame import LaneState
from engines.model.lanes import LANES
from engines.results.result_json import result_document
from tests.support.keyed_race import Check, Keyed, counted
from tui.report.clipboard import standings_text
from tui.styles.themes import CYCLE

TITLES = ("1 ● MySQL", "2 ▲ MySQL + cache", "3 ■ Durable Redis")


async def freeze(keyed: Keyed, key: str) -> None:
    """The picture stands; the race and the counting do not."""
    racing = keyed.racing
    await keyed.press(key)
    await racing.shows("DISPLAY FROZEN")
    text, seq, duration_s = racing.text(), racing.view.seq, racing.summary.duration_s
    await keyed.undisturbed()
    assert racing.text() == text
    assert racing.summary.duration_s > duration_s
    await keyed.press(key)
    await racing.until(lambda: "DISPLAY FROZEN" not in racing.text())
    assert racing.view.seq > seq


async def stage(keyed: Keyed, key: str) -> None:
    """Each of its keys turns it on or, when it is, off."""
    racing = keyed.racing
    on = not racing.app.race_screen.screen_state.presentation.stage
    await keyed.press(key)
    await racing.shows("WRITES rows/s" if on else "standings", "racing")
    assert ("WRITES rows/s" in racing.text()) is on
    await keyed.undisturbed()


def window(step: int) -> Check:
    """The rates are those of the frames in the window that the screen names."""

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        old = racing.view.window_s
        await keyed.press(key)
        await racing.until(lambda: (racing.view.window_s - old) * step > 0)
        window_s = racing.view.window_s
        await racing.shows(f"window {window_s:g} s", f"over {window_s:g} s")
        await keyed.undisturbed()
        view = racing.view
        now_s = next(f.at_monotonic_s for f in racing.frames if f.seq == view.seq)
        inside = [
            lane
            for frame in racing.frames
            if now_s - window_s < frame.at_monotonic_s <= now_s
            for lane in frame.lanes
            if lane.state is not LaneState.STARTING
        ]
        for shown in view.lanes:
            reads = [lane.read for lane in inside if lane.lane == shown.lane]
            rate = sum(work.rows for work in reads) / sum(work.interval_s for work in reads)
            assert shown.read.window_rows_per_s == pytest.approx(rate)

    return check


async def axis(keyed: Keyed, key: str) -> None:
    for text in ("y axis own", "y axis shared"):
        await keyed.press(key)
        await keyed.racing.shows(text)
        await keyed.undisturbed()


def maximise(index: int) -> Check:
    """That lane alone, and all of them again; the others race on unseen."""

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        others = [title for title in TITLES if title != TITLES[index]]
        await keyed.press(key)
        await racing.until(lambda: not any(title in racing.text() for title in others))
        assert TITLES[index] in racing.text()
        await keyed.undisturbed()
        await keyed.press(key)
        await racing.shows(*TITLES)

    return check


async def restore(keyed: Keyed, key: str) -> None:
    racing = keyed.racing
    await keyed.press("2")
    await racing.until(lambda: TITLES[0] not in racing.text())
    await keyed.press(key)
    await racing.shows(*TITLES)
    await keyed.undisturbed()


async def next_theme(keyed: Keyed, key: str) -> None:
    racing = keyed.racing
    before = racing.app.theme
    await keyed.press(key)
    assert racing.app.theme == CYCLE[(CYCLE.index(before) + 1) % len(CYCLE)]
    await racing.shows(*TITLES, "racing")
    await keyed.undisturbed()


async def help_(keyed: Keyed, key: str) -> None:
    racing = keyed.racing
    await keyed.press(key)
    await racing.shows("esc closes", "one more writer connection in every lane")
    await keyed.undisturbed()
    await keyed.press("escape")
    await racing.shows(*TITLES)


async def screenshot(keyed: Keyed, key: str) -> None:
    await keyed.press(key)
    await keyed.racing.until(lambda: bool(list(keyed.directory.iterdir())))
    (saved,) = keyed.directory.iterdir()
    text = saved.read_text().replace("&#160;", " ")
    assert saved.suffix == ".svg"
    # A picture holds a text for each ink: the mark and the name of a lane have one each.
    assert all(f">{title[4:]}" in text for title in TITLES)
    await keyed.undisturbed()


async def copy(keyed: Keyed, key: str) -> None:
    """What the terminal is told to keep (OSC 52) are the standings of a moment between the key and the end."""
    app = keyed.racing.app
    keyed.written.clear()
    await keyed.press(key)
    sent = re.findall("\x1b]52;c;([^\x07]+)\x07", "".join(keyed.written))
    assert len(sent) == 1
    assert base64.b64decode(sent[0]).decode() in [
        standings_text(view, app.race_screen.screen_state.lane_infos) for view in keyed.shown
    ]
    await keyed.undisturbed()


async def quit_(keyed: Keyed, key: str) -> None:
    """The result holds every change; the engines are gone, and their connections."""
    racing = keyed.racing
    await racing.pilot.press(key)
    await racing.until(lambda: racing.app.feed.join(0))
    assert racing.app.return_code == 0
    result = racing.summary
    assert racing.app.return_value is result
    changes = result_document(result)["changes"]
    assert isinstance(changes, list)
    assert [change["text"] for change in changes] == keyed.asked
    assert [pid for pid in keyed.pids.values() if Path(f"/proc/{pid}").exists()] == []
    await racing.until(lambda: racing.servers.connections() == racing.servers.before)
    # Since the totals were reset: the frame that was on its way then may be on either side.
    at = keyed.reset_at
    since = [
        counted(lane for frame in racing.frames[first:] for lane in frame.lanes)
        for first in (at - 1, at, at + 1)
    ]
    assert counted(result.lanes()) in since
    assert set(result.unanswered) == set()
    assert [lane.lane for lane in result.lanes()] == list(LANES)
