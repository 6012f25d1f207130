"""Contrast after WCAG 2.2, and what is left of the lanes' colours under colour blindness."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from textual.notifications import SeverityLevel
from textual.theme import Theme

from engines.model.lanes import LANES as LANE_TABLE
from tests.screens.conftest import Launch
from tui.draw.lane_style import SHAPES
from tui.styles import themes
from tui.styles.themes import DARK, LIGHT, PROJECTOR, PROJECTOR_DARK, SIXTEEN, THEMES
from tui.terminal.capabilities import Color, Terminal

LANES = tuple(f"lane-{lane}" for lane in LANE_TABLE)

WORDS = ("quiet", "strong", "good", "warn", "bad", *LANES)

MACHADO = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}  # fmt: skip
"""Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB."""


def linear(colour: str) -> list[float]:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def lab(colour: str, kind: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of the colour as somebody with this kind of colour blindness sees it."""
    seen = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, seen, strict=True))))
        for row in MACHADO[kind]
    )
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
    )
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def background(theme: Theme) -> str:
    assert theme.background is not None
    return theme.background


@pytest.mark.parametrize(
    ("theme", "least"), [(PROJECTOR, 7.0), (PROJECTOR_DARK, 7.0), (DARK, 4.5), (LIGHT, 4.5)]
)
def test_contrast(theme: Theme, least: float) -> None:
    assert theme.foreground is not None
    assert contrast(theme.foreground, background(theme)) >= 7.0
    for name in WORDS:
        assert contrast(theme.variables[name], background(theme)) >= least, name
    assert contrast(theme.variables["badge"], theme.variables["badge-text"]) >= 7.0


@pytest.mark.parametrize("theme", [PROJECTOR, PROJECTOR_DARK, DARK, LIGHT])
def test_lanes_are_told_apart_by_the_colour_blind(theme: Theme) -> None:
    for kind in MACHADO:
        for one, other in combinations(LANES, 2):
            seen = [lab(theme.variables[name], kind) for name in (one, other)]
            distance = sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5
            # 2.3 is just noticeable side by side (Mahy et al., 1994).
            assert distance >= 12, (kind, one, other, distance)


def test_lanes_have_shapes_of_their_own() -> None:
    assert len(set(SHAPES.values())) == 3


XTERM = {
    "ansi_red": "#cd0000", "ansi_green": "#00cd00", "ansi_yellow": "#cdcd00", "ansi_blue": "#0000ee",
    "ansi_magenta": "#cd00cd", "ansi_cyan": "#00cdcd",
}  # fmt: skip
"""The colours of xterm's own palette (XTerm-col.ad)."""


def test_sixteen_colours_are_seen_on_black_and_on_white() -> None:
    for name in (
        "foreground",
        "quiet",
        "strong",
        "good",
        "warn",
        *(f"{lane}-text" for lane in LANES),
    ):
        colour = SIXTEEN.foreground if name == "foreground" else SIXTEEN.variables[name]
        assert colour == "ansi_default", name
    for ground in ("#000000", "#ffffff"):
        # What is said in red is said in words, and with a mark.
        assert contrast(XTERM[SIXTEEN.variables["bad"]], ground) >= 3.0
        for lane in LANES:
            assert contrast(XTERM[SIXTEEN.variables[lane]], ground) >= 2.0, (lane, ground)
    assert len({SIXTEEN.variables[lane] for lane in LANES} | {SIXTEEN.variables["bad"]}) == 4


def test_every_lane_has_a_shape_and_styles() -> None:
    assert SHAPES.keys() == LANE_TABLE.keys()
    stylesheet = (Path(themes.__file__).parent / "telemon.tcss").read_text(encoding="utf-8")
    for lane in LANE_TABLE:
        assert f".style--{lane} {{ color: $lane-{lane};" in stylesheet
        assert f".style--{lane}-text {{ color: $lane-{lane}-text;" in stylesheet


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_theme_has_a_colour_for_what_is_read_of_a_lane(theme: Theme) -> None:
    for lane in LANES:
        wanted = "ansi_default" if theme.ansi else theme.variables[lane]
        assert theme.variables[f"{lane}-text"] == wanted


@pytest.mark.parametrize("color", ["none", "16"])
async def test_without_colours_textuals_own_parts_have_none(launch: Launch, color: Color) -> None:
    """Palette, toasts and help: no colour of their own that may be the background's, and nothing dim."""
    async with launch(terminal=Terminal(color=color, fps=60), size=(100, 30)) as racing:
        app = racing.app
        await racing.shows("racing")

        def check(*lanes: str) -> None:
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    assert style is None or not style.dim, segment
                    for given in (style.color, style.bgcolor) if style else ():
                        if color == "none" or app.screen is not app.race_screen:
                            assert given is None or given.is_default or given.name in lanes, segment

        severities: tuple[SeverityLevel, ...] = ("information", "warning", "error")
        for severity in severities:
            app.notify("said", title="title", severity=severity, timeout=60)
        await racing.shows("title")
        check()
        app.clear_notifications()
        await racing.until(lambda: "title" not in racing.text())
        own = () if color == "none" else ("color(1)", "color(2)", "color(4)", "color(5)")
        await racing.pilot.press("ctrl+p")
        await racing.shows("batch: larger")
        check(*own)
        await racing.pilot.press("d", "o", "w", "n")
        await racing.until(lambda: "batch: larger" not in racing.text())
        check(*own)
        await racing.pilot.press("escape")
        await racing.pilot.press("question_mark")
        await racing.shows("esc closes")
        check(*own)
