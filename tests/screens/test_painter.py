"""A frame is drawn in several turns of the event loop, seen in one go, and no row is made twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from textual.geometry import Region
from textual.widget import Widget

from tests.screens.conftest import Launch, Racing
from tests.screens.test_open_loop import at_the_end
from tests.support.synthetic_frames import usual
from tui.terminal.capabilities import Color, Terminal
from tui.view.state import ScreenState
from tui.view.view import View
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.base.lines import LinesWidget
from tui.widgets.base.panel import Panel


def views(racing: Racing) -> tuple[View, View]:
    """What is on show, and a later moment in which everything has moved."""
    view = racing.app._screen_state.view
    assert view is not None
    lanes = tuple(
        replace(
            lane,
            write=replace(lane.write, rows_per_s=1 + lane.write.rows_per_s, rows=9_999_999),
            read=replace(lane.read, rows_per_s=1 + lane.read.rows_per_s, p99_us=4_321.0),
            points=lane.points[:-3],
        )
        for lane in view.lanes
    )
    return view, replace(view, seq=view.seq + 1, lanes=lanes, elapsed_s=view.elapsed_s + 2)


class Witness:
    """Counts the turns of the event loop, and keeps in which of them what was drawn and painted."""

    def __init__(self, racing: Racing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turn = 0
        self.drawn: list[tuple[int, Panel, ScreenState | None]] = []
        self.painted: list[tuple[int, set[ScreenState | None]]] = []
        screen = racing.app.race_screen
        redraw, paint = Panel.redraw, screen._compositor_refresh

        def drawing(panel: Panel) -> None:
            if panel.size and panel.screen_state is not None:
                self.drawn.append((self.turn, panel, panel.screen_state))
            redraw(panel)

        def painting() -> None:
            shown = [panel for panel in screen.query(Panel) if panel.size]
            states = {id(panel.screen_state): panel.screen_state for panel in shown}
            self.painted.append((self.turn, states))  # type: ignore[arg-type]
            paint()

        monkeypatch.setattr(Panel, "redraw", drawing)
        monkeypatch.setattr(screen, "_compositor_refresh", painting)
        self._watch()

    def _watch(self) -> None:
        self.turn += 1
        self._next = asyncio.get_running_loop().call_soon(self._watch)

    def close(self) -> None:
        self._next.cancel()


@pytest.mark.parametrize("size", [(160, 48), (80, 24), (40, 12)])
async def test_a_frame_is_drawn_in_turns_and_painted_once(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with launch(list(usual()), size=size) as racing:
        await at_the_end(racing, list(usual()))
        await racing.pilot.pause(0.1)
        app = racing.app
        _, later = views(racing)
        drawn: list[int] = []
        witness = Witness(racing, monkeypatch)
        app._screen_state = replace(app._screen_state, view=later)
        app._painter.draw_incrementally(app._screen_state, lambda: drawn.append(witness.turn))
        await racing.until(lambda: bool(drawn) and bool(witness.painted))
        witness.close()
        assert drawn == [witness.drawn[-1][0] + 1] or drawn == [witness.drawn[-1][0]]
        per_turn = Counter(turn for turn, _, _ in witness.drawn)
        lanes = {turn: set() for turn in per_turn}  # type: ignore[var-annotated]
        for turn, panel, _ in witness.drawn:
            lanes[turn] |= {panel.index} if isinstance(panel, LanePanel) else {"rest"}
        # Never more than one lane, or what is no lane, without a turn for anybody else.
        assert all(len(parts) == 1 for parts in lanes.values())
        assert len(lanes) == (1 if size == (40, 12) else 4)
        # Nothing was painted before all of it was drawn, and then all of it was of one moment.
        turn, scenes = witness.painted[0]
        assert turn >= drawn[0]
        assert list(scenes.values()) == [app._screen_state]  # type: ignore[attr-defined]
        assert len(witness.painted) == 1


async def test_a_key_in_the_middle_of_a_frame_is_seen_at_once(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launch(list(usual())) as racing:
        await at_the_end(racing, list(usual()))
        await racing.pilot.pause(0.1)
        app = racing.app
        _, later = views(racing)
        drawn: list[str] = []
        witness = Witness(racing, monkeypatch)
        app._screen_state = replace(app._screen_state, view=later)
        app._painter.draw_incrementally(app._screen_state, lambda: drawn.append("frame"))
        app._show(paused=True)
        assert drawn == ["frame"]
        assert {id(panel.screen_state) for panel in app.race_screen.query(Panel)} == {
            id(app._screen_state)
        }
        await racing.shows("LOAD PAUSED")
        witness.close()
        assert all(list(scenes.values()) == [app._screen_state] for _, scenes in witness.painted)  # type: ignore[attr-defined]
        # The turns that were left are not taken any more.
        assert (
            len([panel for _, panel, _ in witness.drawn if isinstance(panel, LanePanel)]) == 4 + 12
        )
        assert not app._batch_count


async def test_a_frame_that_comes_in_the_middle_of_another_takes_its_place(launch: Launch) -> None:
    async with launch(list(usual())) as racing:
        await at_the_end(racing, list(usual()))
        await racing.pilot.pause(0.1)
        app = racing.app
        first, later = views(racing)
        drawn: list[str] = []
        app._painter.draw_incrementally(
            replace(app._screen_state, view=first), lambda: drawn.append("first")
        )
        app._screen_state = replace(app._screen_state, view=later)
        app._painter.draw_incrementally(app._screen_state, lambda: drawn.append("later"))
        await racing.until(lambda: drawn == ["first", "later"])
        await racing.shows("4.32 ms")
        assert {id(panel.screen_state) for panel in app.race_screen.query(Panel)} == {
            id(app._screen_state)
        }
        assert not app._batch_count


async def test_a_frame_that_is_being_drawn_at_the_end_does_no_harm(launch: Launch) -> None:
    async with launch(list(usual())) as racing:
        await at_the_end(racing, list(usual()))
    app = racing.app
    drawn: list[str] = []
    # As in the middle of its end: there is no screen any more.
    app._screen_stack.clear()
    app._painter.draw_incrementally(app._screen_state, lambda: drawn.append("frame"))
    await asyncio.sleep(0.05)
    assert drawn == ["frame"]
    assert app.fault is None


async def test_a_frame_under_the_help_is_seen_after_it(launch: Launch) -> None:
    async with launch(list(usual())) as racing:
        await at_the_end(racing, list(usual()))
        await racing.pilot.press("question_mark")
        await racing.shows("esc closes")
        _, later = views(racing)
        racing.app._screen_state = replace(racing.app._screen_state, view=later)
        racing.app._painter.draw_incrementally(racing.app._screen_state, lambda: None)
        await racing.pilot.press("escape")
        await racing.until(lambda: "0:16" in racing.text().splitlines()[0])


async def test_only_rows_that_changed_are_made_anew(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[LinesWidget, int]] = []
    render = LinesWidget.render_line

    def rendering(rows: LinesWidget, y: int) -> Any:
        made.append((rows, y))
        return render(rows, y)

    async with launch(list(usual())) as racing:
        await at_the_end(racing, list(usual()))
        await racing.pilot.pause(0.1)
        app = racing.app
        monkeypatch.setattr(LinesWidget, "render_line", rendering)
        before = {rows: rows.lines for rows in app.screen.query(LinesWidget) if rows.size}
        app._show(view=views(racing)[1])
        await racing.shows("4.32 ms")
        changed = {
            (rows, y)
            for rows, lines in before.items()
            for y, (old, new) in enumerate(zip(lines, rows.lines, strict=True))
            if old != new
        }
        assert len(changed) > 20
        assert set(made) == changed
        assert len(made) == len(changed)
        # What has not moved is not made again though everything is painted.
        made.clear()
        app.screen.refresh()
        await racing.pilot.pause(0.1)
        assert not made


@pytest.mark.parametrize("color", ["truecolor", "16", "none"])
async def test_rows_look_as_textual_would_make_them(launch: Launch, color: Color) -> None:
    async with launch(list(usual()), terminal=Terminal(color=color, fps=60)) as racing:
        await racing.shows("racing")
        for key in ("", "n", "n", "g"):
            if key:
                await racing.pilot.press(key)
                await racing.pilot.pause(0.1)
            for rows in racing.app.screen.query(LinesWidget):
                width, height = rows.size
                if not width or not height:
                    continue
                for crop in (Region(0, 0, width, height), Region(3, 0, width - 5, 1)):
                    ours = rows.render_lines(crop)
                    theirs = Widget.render_lines(rows, crop)
                    assert [cells(strip) for strip in ours] == [cells(strip) for strip in theirs]


def cells(strip: Any) -> list[tuple[str, str]]:
    """What is seen of a row: each character, and its colours and attributes."""
    found = []
    for segment in strip:
        style = segment.style
        words = f"{style.color} {style.bgcolor} {style.bold} {style.dim} {style.reverse} {style.underline}"
        found += [(character, words) for character in segment.text]
    return found
