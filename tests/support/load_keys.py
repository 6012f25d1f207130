"""The checks of the keys that change the race or its load."""

from __future__ import annotations

import time
from typing import Literal

from engines.metrics.frame import Frame, LaneState
from engines.model import controls as control
from engines.model.lanes import LANES
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import redis_key as key_of
from tests.support.keyed_race import Check, Keyed, all_in, counted
from tests.support.live_race import BUSY_S
from tests.support.race_run import engine_pids


async def release(keyed: Keyed, key: str) -> None:
    """Until then no server has anything to do, while the numbers are counted down neither."""
    racing = keyed.racing
    await racing.state(LaneState.STARTING)
    await racing.shows("AT THE START LINE")
    await keyed.stands_still(*LANES)
    assert racing.summary.duration_s == 0.0
    before = racing.servers.operations()
    racing.app.count_s = 0.2
    gone_s = 3 * racing.app.count_s + await keyed.press(key)
    await racing.until(lambda: racing.app.race_screen.screen_state.start.countdown == 1)
    assert racing.servers.operations() == before
    assert all(lane.write.rows == lane.read.rows == 0 for lane in racing.view.lanes)
    keyed.pids = engine_pids(racing.race)
    await keyed.obeyed(control.Release(), gone_s, all_in(LaneState.RACING))
    assert "AT THE START LINE" not in racing.text()
    after = racing.servers.operations()
    assert all(after[lane] > before[lane] for lane in LANES)
    await keyed.undisturbed()


async def pause(keyed: Keyed, key: str) -> None:
    racing = keyed.racing
    pressed_s = await keyed.press(key)
    await keyed.obeyed(control.Pause(), pressed_s, all_in(LaneState.PAUSED))
    await keyed.stands_still(*LANES)
    await racing.shows("LOAD PAUSED")
    connections = racing.servers.connections()
    pressed_s = await keyed.press(key)
    await keyed.obeyed(control.Resume(), pressed_s, all_in(LaneState.RACING))
    await keyed.undisturbed()
    assert racing.servers.connections() == connections
    assert "LOAD PAUSED" not in racing.text()


async def flush(keyed: Keyed, key: str) -> None:
    """Telemon's own keys go, and are missed; others stay."""
    racing = keyed.racing
    cache = racing.servers.cache
    # What is not telemon's: two names, and a car that no race writes.
    others = {b"foreign": b"stays", b"telemon:settings": b"stays", key_of(1): b"1:750:60:80:30:1"}
    cache.mset(others)
    # Nothing is missing up to now.
    await racing.first(
        time.monotonic(), lambda frame: frame.lanes[1].cache.hits > 0 == frame.lanes[1].cache.misses
    )
    pressed_s = await keyed.press(key)
    await keyed.obeyed(
        control.FlushCache(),
        pressed_s,
        lambda frame: frame.lanes[1].cache.misses > frame.lanes[1].cache.hits,
    )

    def removed(frame: Frame) -> bool:
        return any(
            event.lane == "cached" and event.text.startswith("cache flushed: ")
            for event in frame.events
        )

    await racing.first(pressed_s, removed)
    assert [cache.get(name) for name in others] == list(others.values())
    cache.unlink(*others)
    since = [frame.lanes[1].cache for at_s, frame in racing.race.seen if at_s > pressed_s]
    assert sum(part.fills for part in since) > 0
    await keyed.undisturbed()


async def reset(keyed: Keyed, key: str) -> None:
    """Totals from zero. That they are exactly those of the frames since then is seen when the race is over."""
    racing = keyed.racing
    await racing.first(0.0, lambda frame: frame.elapsed_s >= 1.0)
    before = racing.summary
    keyed.reset_at = len(racing.frames)
    pressed_s = await keyed.press(key)
    await keyed.obeyed(control.ResetTotals(), pressed_s, lambda _: True)
    await racing.whole(1)
    assert 0 < racing.summary.duration_s < before.duration_s
    ever = counted(lane for frame in racing.frames for lane in frame.lanes)
    for lane in racing.view.lanes:
        assert 0 < lane.read.operations < ever[lane.lane][4]
    await keyed.undisturbed()


async def mode(keyed: Keyed, key: str) -> None:
    """From the rate to as fast as it goes, and back to the same rate. Only an open loop has response times."""
    racing = keyed.racing
    rate_per_s = racing.app.race_screen.screen_state.load_settings.rate_per_s
    assert rate_per_s is not None
    for asked in (control.Rate(None), control.Rate(rate_per_s)):
        pressed_s = await keyed.press(key)
        paced = asked.per_s is not None

        def shows(frame: Frame, paced: bool = paced) -> bool:
            works = [work for lane in frame.lanes for work in (lane.write, lane.read)]
            return all(work.operations and (work.response is not None) is paced for work in works)

        await keyed.obeyed(asked, pressed_s, shows)
        await keyed.undisturbed()
        await racing.whole(1)
        if paced:
            await _due(keyed, rate_per_s)
        else:
            assert all(
                lane.read.operations > 3 * rate_per_s * lane.read.interval_s
                for lane in racing.last.lanes
            )


def rate(step: int) -> Check:
    """As many operations are due from then on as the header says, in every lane and role."""

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        old = racing.app.race_screen.screen_state.load_settings.rate_per_s
        pressed_s = await keyed.press(key)
        new = racing.app.race_screen.screen_state.load_settings.rate_per_s
        assert old is not None
        assert new is not None
        assert (new - old) * step > 0

        def shows(frame: Frame) -> bool:
            works = [work for lane in frame.lanes for work in (lane.write, lane.read)]
            done = [work.operations / work.interval_s for work in works if work.interval_s]
            return len(done) == 6 and all(abs(each - new) < abs(each - old) for each in done)

        await keyed.obeyed(control.Rate(new), pressed_s, shows)
        await keyed.undisturbed()
        await racing.whole(1)
        await _due(keyed, new)

    return check


async def _due(keyed: Keyed, rate_per_s: float) -> None:
    """Over some frames, what was done and what is behind add up to the rate, in every lane and role."""
    before, *during = await keyed.racing.whole(3)
    connections = keyed.racing.app.race_screen.screen_state.load_settings.writers
    for index, lane in enumerate(LANES):
        for role in ("write", "read"):
            works = [getattr(frame.lanes[index], role) for frame in during]
            grown = during[-1].lanes[index].backlog.get(role, 0) - before.lanes[index].backlog.get(
                role, 0
            )
            due = sum(work.operations for work in works) + grown
            expected = rate_per_s * sum(work.interval_s for work in works)
            # Operations under way at either end are in neither, and a due time is at an end or not.
            assert abs(due - expected) <= 2 * connections + 2, (lane, role, due, expected)


def connections(role: Literal["write", "read"], step: int) -> Check:
    """One connection of a role more or fewer in every lane, as the servers count them."""
    durable = ("durable-1", "durable-2", "durable-3")
    # A reader of `cached` opens its connection to MariaDB at its first miss.
    touched = ("mysql", "cache" if role == "read" else "cached-mysql", *durable)
    untouched = () if role == "read" else ("cache",)

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        load_settings = racing.app.race_screen.screen_state.load_settings
        wanted = step + (load_settings.writers if role == "write" else load_settings.readers)
        before = racing.servers.connections()

        def moved() -> bool:
            now = racing.servers.connections()
            return all(now[name] == before[name] + step for name in touched) and all(
                now[name] == before[name] for name in untouched
            )

        pressed_s = await keyed.press(key)
        await racing.until(moved)
        keyed.timed(control.Connections(role, wanted), time.monotonic() - pressed_s)
        await keyed.said(control.Connections(role, wanted), pressed_s)
        await keyed.undisturbed()

    return check


def batch(step: int) -> Check:
    """Every batch from then on has as many rows as the header says."""

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        old = racing.app.race_screen.screen_state.load_settings.batch
        pressed_s = await keyed.press(key)
        new = racing.app.race_screen.screen_state.load_settings.batch
        assert (new - old) * step > 0

        def shows(frame: Frame) -> bool:
            writes = [lane.write for lane in frame.lanes]
            return all(work.operations and work.rows != old * work.operations for work in writes)

        await keyed.obeyed(control.Batch(new), pressed_s, shows)
        # In the first there may be batches of both sizes, in the next the end of one that was under way.
        for frame in (await racing.whole(3))[1:]:
            for lane in frame.lanes:
                assert lane.write.rows == new * lane.write.operations > 0, lane
        await keyed.undisturbed()

    return check


def ttl(step: int) -> Check:
    """Keys that are filled from then on live as long as the header says, by the cache's own clock."""
    names = [key_of(car_id) for car_id in range(HOT_KEYS.first, HOT_KEYS.last + 1)]

    async def check(keyed: Keyed, key: str) -> None:
        racing = keyed.racing
        cache = racing.servers.cache
        old = racing.app.race_screen.screen_state.load_settings.ttl_s
        pressed_s = await keyed.press(key)
        new = racing.app.race_screen.screen_state.load_settings.ttl_s
        assert (new - old) * step > 0

        async def fresh() -> bool:
            """Whether keys that have just been filled live for the new time."""
            cache.unlink(*names)
            await racing.until(lambda: int(str(cache.exists(*names))) > 0)
            left_s = [int(str(cache.pttl(name))) / 1000 for name in names]
            return all(new - BUSY_S < left <= new for left in left_s if left >= 0)

        while not await fresh():
            assert time.monotonic() - pressed_s < BUSY_S, new
        keyed.timed(control.Ttl(new), time.monotonic() - pressed_s)
        await keyed.said(control.Ttl(new), pressed_s)
        await keyed.undisturbed()

    return check
