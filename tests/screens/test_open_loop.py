"""An open loop and heats on the screen, in every layout."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame
from engines.metrics.scheduling_delay import SchedulingDelay
from tests.screens.conftest import Launch, Racing
from tests.support.open_loop_frames import FLOORED, heats, paced
from tests.support.synthetic_frames import SyntheticSource, usual
from tui.app.app import TelemonApp
from tui.draw.big_digits import inverse_block, rows_of
from tui.draw.format import latency, short

PACED = RaceConfig(mode="pace", rate_per_s=300)

HEATS = RaceConfig(heats=True, rounds=2, duration_s=2)

LAYOUTS = [(200, 50), (160, 48), (120, 30), (100, 24), (80, 24), (60, 20), (40, 12)]


def source(given: list[Frame]) -> SyntheticSource:
    return SyntheticSource(given, lane_infos=FLOORED)


async def at_the_end(racing: Racing, given: list[Frame]) -> None:
    """Wait until the last of the frames is on the screen."""
    app = racing.app

    def shown() -> bool:
        app.feed.catch_up()
        view = app._screen_state.view
        return view is not None and view.seq == given[-1].seq

    await racing.until(shown)
    await racing.pilot.pause()


@pytest.mark.parametrize("size", LAYOUTS, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_open_loop_shows_backlog_and_response(launch: Launch, size: tuple[int, int]) -> None:
    given = list(paced(usual()))
    async with launch(source=source(given), size=size, settings=PACED) as racing:
        await at_the_end(racing, given)
        view = racing.app._screen_state.view
        assert view is not None
        text = racing.text()
        assert "pace 300/s" in text
        # The backlog of the lane that cannot keep up, and that it cannot.
        assert ("backlog 12,345" if size[0] >= 160 else "12.3k") in text
        assert text.count("overloaded") == 1
        for lane in view.lanes:
            response_us = lane.write.response_p99_us
            assert response_us is not None
            assert latency(response_us) in text
        assert "resp" in text
        # In 100 columns each of three lanes has 31, in 60 all have 59.
        assert ("service" in text) == (size[0] not in (100, 60, 40))
        if size[0] >= 60:
            assert "response" in text
            # Eleven in each of 56 measured frames.
            assert "late 616" in text


@pytest.mark.parametrize("size", LAYOUTS, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_closed_loop_has_no_word_of_it(launch: Launch, size: tuple[int, int]) -> None:
    given = list(usual())
    async with launch(source=source(given), size=size) as racing:
        await at_the_end(racing, given)
        for word in ("backlog", "response", "service", "late ", "overloaded"):
            assert word not in racing.text()


async def test_stage_shows_an_open_loop(launch: Launch) -> None:
    given = list(paced(usual()))
    async with launch(source=source(given), settings=PACED, stage=True) as racing:
        await at_the_end(racing, given)
        await racing.shows("READ RESPONSE P99", "overloaded", "backlog w 12.3k r 67")
        assert racing.text().count("read service p99") == 3


async def test_own_share_stands_beside_p50(launch: Launch) -> None:
    given = list(usual())
    async with launch(source=source(given)) as racing:
        await at_the_end(racing, given)
        text = racing.text()
        assert text.count("of which telemon 187 us") == 3
        assert text.count("of which telemon 25 us") == 3
        await racing.pilot.resize_terminal(120, 30)
        await racing.shows("telemon 187 us", "telemon 25 us")
        # No digit was cut for it: 9.20k rows/s has room, and so has 58,000.
        await racing.pilot.resize_terminal(80, 24)
        await racing.shows("of p50 telemon w 187 r 25 us")


def waiting(given: list[Frame], wait: SchedulingDelay) -> list[Frame]:
    """The same with readers that waited so long for a processor."""
    return [
        replace(
            frame,
            lanes=tuple(
                replace(lane, read=replace(lane.read, scheduling_delay=wait))
                for lane in frame.lanes
            ),
        )
        for frame in given
    ]


async def test_what_telemon_waits_for_a_processor_stands_beside_its_share(launch: Launch) -> None:
    given = waiting(list(usual()), SchedulingDelay(120_000, 1_000))
    async with launch(source=source(given), size=(200, 50)) as racing:
        await at_the_end(racing, given)
        assert racing.text().count("of which telemon 187 us") == 3
        # A wait of 0.12 us is no figure.
        assert racing.text().count("of which telemon 25 us") == 3
    longer = waiting(given, SchedulingDelay(12_000_000, 100))
    async with launch(source=source(longer), size=(200, 50)) as racing:
        await at_the_end(racing, longer)
        assert racing.text().count("telemon 25 + waits 120 us") == 3
        await racing.pilot.resize_terminal(160, 48)
        await racing.shows("telemon 25 + 120 us")
        await racing.pilot.resize_terminal(120, 30)
        await racing.shows("telemon 25 us")


async def test_without_a_floor_nothing_is_said_of_it(launch: Launch) -> None:
    given = list(usual())
    async with launch(given) as racing:
        await at_the_end(racing, given)
        assert "telemon 0" not in racing.text()
        assert "of which" not in racing.text()


@pytest.mark.parametrize("size", LAYOUTS, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_heats_say_which_is_on(launch: Launch, size: tuple[int, int]) -> None:
    given = heats(2)
    async with launch(source=source(given), size=size, settings=HEATS) as racing:
        await at_the_end(racing, given)
        text = racing.text()
        if size[0] >= 60:
            assert "heat 2 of 6: cached, round 1 of 2" in text
        else:
            assert "heat 2/6 cached" in text
        assert text.count("waiting") == 2
        assert text.count("racing") == 1
        # The lane that has not had its turn has neither figures nor a rank.
        assert "3rd" not in text
        assert not re.search(r"\b0/s", text)
        if size[0] >= 160:
            assert "last heat" in text
            assert "window heat" in text


async def test_heats_that_are_over_stand_side_by_side(launch: Launch) -> None:
    given = heats()
    async with launch(source=source(given), settings=HEATS) as racing:
        await at_the_end(racing, given)
        text = racing.text()
        assert "heat 6 of 6: mysql, round 2 of 2" in text
        assert text.count(" done ") == 3
        assert all(rank in text for rank in ("1st", "2nd", "3rd"))
        assert "waiting" not in text
        await racing.pilot.press("c")
        await racing.until(lambda: bool(racing.app.clipboard))
        assert "each lane's last heat" in racing.app.clipboard


async def test_a_lane_before_its_first_heat_is_no_zero_on_stage(launch: Launch) -> None:
    given = heats(1)
    async with launch(source=source(given), settings=HEATS, stage=True) as racing:
        await at_the_end(racing, given)
        view = racing.app._screen_state.view
        assert view is not None
        assert view.lanes[1].ranks["write"].position is None
        await racing.shows("waiting", "heat 1 of 6: mysql, round 1 of 2")
        # No plate without a rank on it: what is there is the figure of the lane that races, alone and large.
        rows = [line[53:] for line in racing.text().splitlines()[1:-5]]
        assert not any(inverse_block("-", 26, 8)[0] in row for row in rows)
        value = short(view.lanes[0].write.window_rows_per_s)
        assert all(row.rstrip() in racing.text() for row in rows_of(value, 0, 3))
        assert not re.search(r"MySQL \+ cache +0 ", racing.text())


@pytest.mark.parametrize("size", [(160, 48), (120, 48), (80, 24)])
async def test_axes_look_back_as_far_as_the_charts(launch: Launch, size: tuple[int, int]) -> None:
    given = list(usual())
    async with launch(given, size=size) as racing:
        await at_the_end(racing, given)
        points = points_of(racing.app)
        # Two points for each cell of a chart, as its heading says in seconds.
        if size[0] > 80:
            await racing.shows(f"{points // 2} s")
        else:
            rows = [line for line in racing.text().splitlines() if "▇" in line or "█" in line]
            assert points == 2 * (80 - 1 - 57)
            assert rows
        await racing.pilot.press("2")
        if size[0] > 80:
            await racing.until(lambda: points_of(racing.app) > 2.5 * points)
            await racing.shows(f"{points_of(racing.app) // 2} s")


def points_of(app: TelemonApp) -> int:
    return app.feed._history._points
