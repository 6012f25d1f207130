"""Sizes that follow each other faster than a screen is laid out."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from tests.screens.conftest import Launch
from tests.screens.test_race_screen import one_frame
from tui.screens.palette import Palette


async def layouts_for_two_sizes(screen: Screen[Any]) -> int:
    """How often a screen lays itself out in the second after it was told of two sizes at once."""
    layouts = 0

    def count(_: object) -> None:
        nonlocal layouts
        layouts += 1

    screen.screen_layout_refresh_signal.subscribe(screen, count, immediate=True)
    for height in (25, 24):
        size = Size(80, height)
        screen.post_message(Resize(size, size))
        # What stands between them, or the second would replace the first.
        screen.call_later(lambda: None)
    await asyncio.sleep(1.0)
    return layouts


async def test_two_sizes_under_way_do_not_follow_each_other_for_ever(launch: Launch) -> None:
    async with launch([one_frame()], size=(80, 24)) as racing:
        await racing.shows("racing")
        screen = racing.app.race_screen
        # One each, one for what a size shows or hides, and not one for every ten milliseconds.
        assert await layouts_for_two_sizes(screen) < 10
        assert screen.outer_size == racing.app.size == Size(80, 24)


async def test_the_last_of_many_sizes_is_the_one_that_is_drawn(launch: Launch) -> None:
    async with launch([one_frame()], size=(80, 24)) as racing:
        await racing.shows("racing")
        driver = racing.app._driver
        assert driver is not None
        for width in (81, 160, 100, 61, 130):
            size = Size(width, 40)
            driver.process_message(Resize(size, size))
        await racing.until(lambda: racing.app.race_screen.outer_size == Size(130, 40))
        await racing.shows("racing")
        assert racing.app.size == Size(130, 40)


async def test_sizes_that_come_while_the_palette_is_open(launch: Launch) -> None:
    async with launch([one_frame()], size=(80, 24)) as racing:
        await racing.shows("racing")
        await racing.pilot.press("ctrl+p")
        await racing.until(lambda: isinstance(racing.app.screen, Palette))
        assert await layouts_for_two_sizes(racing.app.screen) < 10
        assert racing.app.race_screen.outer_size == Size(80, 24)
        await racing.pilot.press("ctrl+p", "escape")
