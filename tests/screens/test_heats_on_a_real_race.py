"""Heats on real servers: what the screen of a bastion says of the lane that races, and of the one that does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame
from engines.model.heats import Heat
from engines.sandbox.sandbox import Sandbox
from tests.support.live_race import RealRacing, real_race
from tests.support.race_run import forget
from tui.draw.format import count
from tui.draw.lane_style import SHAPES

SETTINGS = RaceConfig(
    lanes=("mysql", "durable"), heats=True, rounds=1, warmup_s=0.4, duration_s=2.0,
    writers=2, readers=2, batch=20, seed=5,
)  # fmt: skip

ORDER = (Heat(1, "mysql", final=True), Heat(1, "durable", final=True))

TREND = re.compile("[▁▂▃▄▅▆▇█]")


def block(text: str, lane: str) -> list[str]:
    """The four rows of a lane at 80x24."""
    lines = text.splitlines()
    (at,) = (n for n, line in enumerate(lines) if re.search(rf" \d {SHAPES[lane]} ", line))
    return lines[at : at + 4]


def measured(frames: Sequence[Frame], lane: str) -> tuple[float, float]:
    """Rows written and read per second by a lane, from all frames of its heat."""
    rates = []
    for role in ("write", "read"):
        works = [
            getattr(part, role)
            for frame in frames
            if frame.elapsed_s
            for part in frame.lanes
            if part.lane == lane and part.heat and part.state.value in ("racing", "done")
        ]
        rates.append(sum(work.rows for work in works) / sum(work.interval_s for work in works))
    return rates[0], rates[1]


def rates_on_show(rows: Sequence[str]) -> list[str]:
    """What a lane's block says of writes and reads per second."""
    return [re.split(r"\s+", row.strip())[1] for row in rows[1:3]]


def beside_the_figures(rows: Sequence[str]) -> str:
    """Ranks, gaps and trends of a block."""
    return " ".join(row[46:] for row in rows[1:3])


async def heat_is_on(racing: RealRacing, number: int) -> str:
    """Wait until a heat is measured, and some of it is on show; the screen then."""
    lane = ORDER[number - 1].lane
    await racing.until(
        lambda: (
            f"heat {number} of 2: {lane}" in racing.text()
            and "racing" in block(racing.text(), lane)[0]
            and racing.view.elapsed_s > 1.0
        )
    )
    return racing.text()


async def test_heats_at_the_size_of_a_bastion(sandbox: Sandbox) -> None:
    forget(sandbox)
    async with real_race(sandbox, SETTINGS, size=(80, 24)) as racing:
        text = await heat_is_on(racing, 1)
        mysql, durable = block(text, "mysql"), block(text, "durable")
        assert "heat 1 of 2: mysql, round 1 of 1" in text.splitlines()[0]
        assert "window heat" in text.splitlines()[0]
        # Nobody has anything to be compared with, and who waits has done nothing: no rank, no rate, no past.
        assert not re.search(r"\b(1st|2nd)\b", text)
        assert "waiting" in durable[0]
        assert rates_on_show(durable) == ["-/s", "-/s"]
        assert beside_the_figures(durable).strip() == ""
        assert "%" not in durable[3]
        assert all(re.fullmatch(r"[\d,]+/s", rate) for rate in rates_on_show(mysql))
        assert TREND.search(beside_the_figures(mysql))
        assert "heat 1 of 2: on its own" in text

        text = await heat_is_on(racing, 2)
        mysql, durable = block(text, "mysql"), block(text, "durable")
        assert "heat 2 of 2: durable, round 1 of 1" in text.splitlines()[0]
        # The lane that rests shows its heat, whole, and as what it is: over.
        assert " done " in mysql[0]
        heat = measured(racing.frames, "mysql")
        assert rates_on_show(mysql) == [f"{count(rate)}/s" for rate in heat]
        assert TREND.search(beside_the_figures(durable))
        for row in (1, 2):
            ranks = [re.findall(r"\b(1st|2nd)\b", rows[row]) for rows in (mysql, durable)]
            assert sorted(ranks) == [["1st"], ["2nd"]] or "level" in mysql[row]
        assert "heat 2 of 2: on its own" in text

        await racing.shows("result after 0:02 of heats, 1 round")
        text = racing.text()
        for lane in ("mysql", "durable"):
            told = next(line for line in text.splitlines() if f" {SHAPES[lane]} " in line)
            for rate in measured(racing.frames, lane):
                assert count(rate) in told
