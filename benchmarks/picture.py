"""Small line charts on logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10

WIDTH, HEIGHT, LEFT, TOP, GAP = 400, 250, 70, 34, 72

COLOURS = ("#0072b2", "#d55e00", "#009e73")
"""Okabe and Ito's blue, vermilion and green, which colour-blind eyes tell apart."""

DASHES = {1: "", 2: "6 3", 4: "2 3"}
"""By number of engine processes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A named line of (x, y) points, both above 0; `colour` is an index into `COLOURS`, `dash` a key of `DASHES`."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dash: int


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled chart."""

    title: str
    lines: Sequence[Line]


def picture(panels: Sequence[Panel]) -> str:
    """The panels, two in a row, as one SVG document with a legend."""
    rows = ceil(len(panels) / 2)
    height = TOP + rows * (HEIGHT + GAP) + 66
    width = 2 * (WIDTH + LEFT) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        left = LEFT + (number % 2) * (WIDTH + LEFT)
        top = TOP + (number // 2) * (HEIGHT + GAP)
        first = number // 2 * 2
        parts += _panel(panel, left, top, _powers(panels[first : first + 2]))
    parts += _legend(panels, LEFT, height - 58)
    return "\n".join([*parts, "</svg>", ""])


def _powers(panels: Sequence[Panel]) -> tuple[int, int]:
    """The powers of ten between which all points lie: panels beside each other have one axis."""
    ys = [y for panel in panels for line in panel.lines for _, y in line.points]
    return floor(log10(min(ys))), ceil(log10(max(ys)))


def _panel(panel: Panel, left: int, top: int, powers: tuple[int, int]) -> list[str]:
    xs = [x for line in panel.lines for x, _ in line.points]
    low, high = powers
    right = log2(max(xs)) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + log2(x) / right * WIDTH,
            top + HEIGHT - (log10(y) - low) / (high - low or 1) * HEIGHT,
        )

    parts = [f'<text x="{left}" y="{top - 8}" font-weight="bold">{panel.title}</text>']
    for power in range(low, high + 1):
        _, y = place(1, 10.0**power)
        parts.append(
            f'<line x1="{left}" y1="{y:.1f}" x2="{left + WIDTH}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(power)}</text>'
        )
    for x in sorted(set(xs)):
        at, _ = place(x, 10.0**low)
        parts.append(
            f'<text x="{at:.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">{x:g}</text>'
        )
    parts.append(
        f'<text x="{left + WIDTH / 2}" y="{top + HEIGHT + 32}" text-anchor="middle">connections</text>'
    )
    for line in panel.lines:
        placed = [place(*point) for point in line.points]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[line.colour]}" '
            f'stroke-width="2" stroke-dasharray="{DASHES[line.dash]}"/>'
        )
        parts += [_mark(line.colour, x, y) for x, y in placed]
    return parts


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _mark(colour: int, x: float, y: float) -> str:
    """A point of a line: a disc, a triangle or a square, so that colour is not all that tells lines apart."""
    fill = f'fill="{COLOURS[colour]}"'
    if colour == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" {fill}/>'
    if colour == 1:
        return f'<path d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z" {fill}/>'
    return f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4" {fill}/>'


def _legend(panels: Sequence[Panel], left: int, top: int) -> list[str]:
    parts = []
    for number, line in enumerate(panels[0].lines):
        column, row = divmod(number, len(DASHES))  # the lines of one colour stand below each other
        x, y = left + column * 300, top + row * 17
        parts.append(
            f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" stroke="{COLOURS[line.colour]}" '
            f'stroke-width="2" stroke-dasharray="{DASHES[line.dash]}"/>'
            f'{_mark(line.colour, x + 11, y)}<text x="{x + 30}" y="{y + 4}">{line.name}</text>'
        )
    return parts
