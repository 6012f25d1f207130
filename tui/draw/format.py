"""Write numbers and foreign text as the screen shows them: short and aligned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor

from rich.cells import cell_len, set_cell_size

from engines.endpoints.redaction import redact
from engines.metrics.figures import Unit

NOTHING = "-"
"""Text in place of a number that is not known yet."""

TIE_FACTOR = 1.01
"""Values that differ by less than this factor are a tie, shown as "level"."""

NEAR = 1.1
"""Factors below this are written in percent, because "1.0x" says nothing."""


def count(number: float) -> str:
    """Return a whole number with thousands separators: 1,234,567."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Return a number as three digits and a unit, at most five characters: 950, 12.3k, 4.56M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # 999.5 and more would round to four digits, so it takes the next unit.
        if number >= size * 0.9995:
            scaled = number / size
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{decimals}f}{unit}"
    return f"{number:.0f}"


def latency(us: float | None) -> str:
    """Return a latency of `us` microseconds with its unit: 1.23 ms, 12.3 ms, 1234 ms, 12.3 s; "-" for None.

    In s from ten seconds on. At most seven characters below 1,000 s.
    """
    if us is None:
        return NOTHING
    ms = us / 1000
    if ms >= 9_999.5:
        return f"{ms / 1000:.1f} s"
    decimals = 2 if ms < 9.995 else 1 if ms < 99.95 else 0
    return f"{ms:.{decimals}f} ms"


def ms(us: float | None) -> str:
    """Return a latency of `us` microseconds as ms to the us, without the unit: 1.234; "-" for None."""
    return NOTHING if us is None else f"{us / 1000:.3f}"


def figure_text(value: float | None, unit: Unit) -> str:
    """Return the value of a figure as tables show it, "-" for None. Latencies are in ms, without the unit."""
    if value is None:
        return NOTHING
    return _FIGURE_TEXTS[unit](value)


def factor(ratio: float | None) -> str:
    """Return how many times one value is another: 2.7x; at most ">999x", "-" for None."""
    if ratio is None:
        return NOTHING
    if ratio >= 999.5:
        return ">999x"
    return f"{ratio:.1f}x" if ratio < 9.95 else f"{ratio:.0f}x"


def margin(ratio: float | None) -> str:
    """Return by how much two values differ: "level", "3 %" or "2.7x"; "" where there is nothing to compare with."""
    if ratio is None:
        return ""
    if ratio < TIE_FACTOR:
        return "level"
    return f"{(ratio - 1) * 100:.0f} %" if ratio < NEAR else factor(ratio)


def ordinal(rank: int) -> str:
    """Return the ordinal of a rank up to 20: 1st, 2nd, 3rd, 4th."""
    return f"{rank}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(rank, 'th') }"


def clock(seconds: float) -> str:
    """Return a time of the race clock: 4:07, 1:04:07."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def share(part: float | None) -> str:
    """Return a part of one as a percentage, rounded down so that only all of it is 100.0 %: 97.3 %; "-" for None."""
    # A mean of floats may be a hair below its true value: 0.31 weighted by time would be 30.9 % without the addend.
    return NOTHING if part is None else f"{floor(part * 1000 + 1e-9) / 10:.1f} %"


def bytes_per_s(number: float) -> str:
    """Return a data rate in three digits: 950 B/s, 12.3 kB/s, 4.56 MB/s."""
    text = short(number)
    if text[-1].isalpha():
        return f"{text[:-1]} {text[-1]}B/s"
    return f"{text} B/s"


def clip(text: str, cells: int) -> str:
    """Return `text` in at most `cells` cells; a clipped text ends with an ellipsis."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 0 else ""


def sanitize(text: str) -> str:
    """Return text that may hold a server's without secrets and control characters, each of which becomes a space.

    A terminal would execute control characters.
    """
    return "".join(char if char.isprintable() else " " for char in redact(text))


_FIGURE_TEXTS: Mapping[Unit, Callable[[float], str]] = {
    Unit.COUNT: count,
    Unit.PER_S: count,
    Unit.S: "{:.1f}".format,
    Unit.US: ms,
    Unit.SHARE: share,
}
