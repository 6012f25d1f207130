"""That telemon itself may be limiting a lane, and by what: on the screen as long as it lasts, in the log once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.geometry import Size

from engines.metrics.frame import Event, Frame, LaneFrame, LaneState
from engines.metrics.histogram import Histogram
from engines.metrics.stats import ClientStats
from engines.model.heats import heat_order
from engines.model.lanes import LANES
from tests.screens.conftest import Launch
from tests.screens.test_whole_figures import drawn, scene_of
from tests.support.open_loop_frames import heats
from tests.support.synthetic_frames import frames
from tests.support.view_frames import INTERVAL_S, frame, only, shown, work
from tui.view.client_bound import END_AFTER_S
from tui.view.history import ViewBuilder

BUSY, IDLE = ClientStats(cpu_share=0.91), ClientStats(cpu_share=0.4)

CALM = round(END_AFTER_S / INTERVAL_S)
"""Intervals after which a spell is over."""


def lagging(us: float) -> ClientStats:
    """An engine at its limit in both respects."""
    histogram = Histogram()
    for _ in range(10):
        histogram.record(int(us * 1000))
    return ClientStats(cpu_share=0.91, cpu_loop_lag=histogram.take())


def after(*clients: ClientStats, warm: int = 0) -> ViewBuilder:
    """What is known after intervals with such clients, the first `warm` of them warm-up."""
    history = ViewBuilder()
    for seq, client in enumerate(clients):
        state = LaneState.WARMING if seq < warm else LaneState.RACING
        history.add(frame(seq, LaneFrame("mysql", state, work(2_000), work(100), client=client)))
    return history


def told(history: ViewBuilder) -> list[tuple[str | None, str]]:
    return [(event.lane, event.text) for event in shown(history).events]


def test_the_log_tells_of_each_spell_once() -> None:
    spell = [BUSY, BUSY, IDLE, BUSY, IDLE, IDLE, BUSY]
    one = ("mysql", "client-bound: cpu 91 % of a core")
    assert told(after(IDLE, IDLE)) == []
    assert told(after(*spell)) == [one]
    assert told(after(*spell, *[IDLE] * (CALM - 1), *spell)) == [one]
    assert told(after(*spell, *[IDLE] * CALM, *spell)) == [one, one]


def test_the_badge_outlasts_an_interval_without() -> None:
    limits = ("cpu 91 % of a core",)
    assert only(after(BUSY, *[IDLE] * (CALM - 1))).client_bound_by == limits
    assert not only(after(BUSY, *[IDLE] * CALM)).client_bound
    both = only(after(BUSY, lagging(1_800)))
    assert both.client_bound_by == (*limits, "loop lag p99 1.8 ms")


def test_a_warm_up_is_told_of_only_where_it_goes_on() -> None:
    assert only(after(BUSY, warm=1)).client_bound
    assert told(after(BUSY, BUSY, IDLE, warm=2)) == []
    # Nor does the badge reach into what is measured.
    assert not only(after(BUSY, BUSY, IDLE, warm=2)).client_bound
    assert len(told(after(BUSY, BUSY, BUSY, warm=2))) == 1


def test_a_heat_takes_its_spell_with_it() -> None:
    given = [
        replace(one, lanes=tuple(
            replace(lane, client=BUSY if lane.write.operations else IDLE) for lane in one.lanes
        ))
        for one in heats()
    ]  # fmt: skip
    history = ViewBuilder(heats=True)
    for one in given:
        history.add(one)
        lanes = shown(history).lanes
        assert [lane.client_bound for lane in lanes] == [
            lane.write.operations > 0 for lane in one.lanes
        ]
    assert [lane for lane, _ in told(history)] == [heat.lane for heat in heat_order([*LANES], 2)]


def bound(client: ClientStats) -> list[Frame]:
    """A race whose third lane has this client from the third frame on."""
    return [
        replace(
            one,
            lanes=(*one.lanes[:2], replace(one.lanes[2], client=IDLE if one.seq < 2 else client)),
        )
        for one in frames(6, warmup=0)
    ]


REASON = "client-bound: cpu 91 %"


@pytest.mark.parametrize(
    ("size", "keys", "stage", "said"),
    [
        ((200, 50), "", False, REASON),
        ((160, 48), "", False, REASON),
        ((120, 30), "", False, REASON),
        ((112, 24), "", False, REASON),
        ((80, 24), "", False, "bound by cpu 91 %"),
        ((60, 20), "", False, "bound by cpu 91 %"),
        ((160, 48), "3", False, f"{REASON} of a core and loop lag p99 1.8 ms"),
        ((120, 30), "3", False, f"{REASON} of a core and loop lag p99 1.8 ms"),
        ((160, 48), "", True, REASON),
        ((120, 30), "", True, REASON),
        ((120, 6), "", False, REASON),
    ],
)
async def test_the_reason_stands_beside_the_badge(
    launch: Launch, size: tuple[int, int], keys: str, stage: bool, said: str
) -> None:
    async with launch(bound(lagging(1_800)), size=size, stage=stage) as racing:
        await racing.shows("client-bound")
        for key in keys:
            await racing.pilot.press(key)
        await racing.until(
            lambda: any(said in line and "durable client" not in line for line in racing.text().splitlines())
        )  # fmt: skip
        if size[0] >= 60 and size[1] >= 30 and not stage:
            await racing.shows("durable client-bound")
            (line,) = (
                line for line in racing.text().splitlines() if "durable client-bound" in line
            )
            assert "client-bound: cpu 91 % of a core and loop lag p99 1.8 ms" in line


def test_a_reason_leaves_errors_whole() -> None:
    """In the row that both share the reason goes first, the badge last of all."""
    one = bound(lagging(1_800))[-1]
    failing = replace(one.lanes[2].read, errors={"redis_clusterdown": 123})
    one = replace(one, lanes=(*one.lanes[:2], replace(one.lanes[2], read=failing)))
    rows = drawn("figures", scene_of(one), Size(38, 12))
    assert rows[-1] == "✗ 123 errors: redis_clu… client-bound "
    rows = drawn("figures", scene_of(bound(lagging(1_800))[-1]), Size(38, 12))
    assert rows[-1] == "no errors      client-bound: cpu 91 % "


def test_events_of_the_race_come_before_those_of_the_screen() -> None:
    history = ViewBuilder()
    released = Event(0.0, None, "the race is on")
    racing = LaneFrame("mysql", LaneState.RACING, work(2_000), work(100), client=BUSY)
    history.add(replace(frame(0, racing), events=(released,)))
    assert [event.text[:12] for event in shown(history).events] == ["the race is ", "client-bound"]
