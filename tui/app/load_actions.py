"""Actions that change the load of a running race."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from textual.timer import Timer

from engines.config.file_limit import most_connections
from engines.host.open_files import raise_limit
from engines.model import controls as control
from engines.model.roles import CONNECTIONS, OTHER, Role
from tui.app.base import RaceApp
from tui.app.steps import BATCHES, RATES_PER_S, TTLS_S, first_rate_per_s, next_step

QUIET_S = 0.2
"""Time in seconds after which a key counts as released: a keyboard repeats a held one faster."""

LONGEST_S = 1.0
"""Longest time in seconds for which the changes of a held key are collected."""


class LoadActions(RaceApp):
    """Actions that change how much load the servers get. The screen shows the requested settings at once.

    The first change of a kind is sent at once. Those that follow within `QUIET_S` are collected and sent as one, so
    that a held key does not keep the servers and the screen busy.

    Batch size and time to live are stepped by similar code, written twice: a shared helper would have to take the name
    of the setting as a string, which type checks do not cover.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asked_s: dict[Hashable, float] = {}
        """Time of the newest request of each kind."""
        self._collected: dict[Hashable, control.Control] = {}
        """The requests that are not sent yet."""
        self._collecting_s = 0.0
        """Time of the first of them."""
        self._collection_timer: Timer | None = None

    def _request(self, wanted: control.Control, kind: Hashable) -> bool | None:
        """Send a control to the race, or collect it if one of its kind was requested just now.

        Return True if it was sent, None if it is collected, and False if there is no race.
        """
        now_s = time.monotonic()
        repeated = now_s - self._asked_s.get(kind, float("-inf")) < QUIET_S
        if not repeated and not self._collected:
            sent = self.feed.send(wanted)
            if sent:
                self._asked_s[kind] = now_s
            return sent
        self._asked_s[kind] = now_s
        if not self._collected:
            self._collecting_s = now_s
        self._collected[kind] = wanted
        if self._collection_timer is not None:
            self._collection_timer.stop()
        left_s = self._collecting_s + LONGEST_S - now_s
        self._collection_timer = self.set_timer(
            max(0.001, min(QUIET_S, left_s)), self._send_collected
        )
        return None

    def _send_collected(self) -> None:
        """Send the newest request of each kind, and draw the settings."""
        collected, self._collected = self._collected, {}
        self._collection_timer = None
        for wanted in collected.values():
            self.feed.send(wanted)
        self._show()

    def action_pause(self) -> None:
        """Pause the load, or resume it."""
        paused = not self._screen_state.paused
        sent = self._request(control.Pause() if paused else control.Resume(), control.Pause)
        if sent:
            self._show(paused=paused)
        elif sent is None:
            self._screen_state = replace(self._screen_state, paused=paused)

    def action_flush(self) -> None:
        """Delete the cache's keys."""
        self._request(control.FlushCache(), control.FlushCache)

    def action_reset(self) -> None:
        """Set all totals to zero."""
        self.feed.send(control.ResetTotals())
        self.feed.reset()

    def _ask(self, wanted: control.Control, **load_settings: Any) -> None:
        """Send a control to the race and show the settings that it changes; do nothing if there is no race."""
        role = wanted.role if isinstance(wanted, control.Connections) else None
        sent = self._request(wanted, (type(wanted), role))
        if sent is False:
            return
        changed = replace(self._screen_state.load_settings, **load_settings)
        if sent:
            self._show(load_settings=changed)
        else:
            self._screen_state = replace(self._screen_state, load_settings=changed)

    def _connections(self, role: Role, step: int) -> None:
        """Open or close one connection of a role in every lane, from the last one to as many as open files allow."""
        load_settings = self._screen_state.load_settings
        name = CONNECTIONS[role]
        now: int = getattr(load_settings, name)
        others: int = getattr(load_settings, CONNECTIONS[OTHER[role]])
        most = most_connections(self.settings, role, others, raise_limit())
        wanted = max(1, min(now + step, max(most, now)))
        if wanted == now:
            self._toast(
                f"one of the {name} in each lane stays"
                if step < 0
                else f"{now:,} {name} is the most there is"
            )
            return
        self._ask(control.Connections(role, wanted), **{name: wanted})

    def action_more_writers(self) -> None:
        """Open one more writer connection in every lane."""
        self._connections("write", 1)

    def action_fewer_writers(self) -> None:
        """Close one writer connection in every lane."""
        self._connections("write", -1)

    def action_more_readers(self) -> None:
        """Open one more reader connection in every lane."""
        self._connections("read", 1)

    def action_fewer_readers(self) -> None:
        """Close one reader connection in every lane."""
        self._connections("read", -1)

    def _batch(self, step: int) -> None:
        """Use the next larger (`step` 1) or smaller (-1) batch size."""
        load_settings = self._screen_state.load_settings
        wanted = next_step(BATCHES, load_settings.batch, step)
        if self._can_step(f"batch {load_settings.batch}", load_settings.batch, wanted, step):
            self._ask(control.Batch(wanted), batch=wanted)

    def action_more_batch(self) -> None:
        """Use the next larger batch size."""
        self._batch(1)

    def action_less_batch(self) -> None:
        """Use the next smaller batch size."""
        self._batch(-1)

    def _ttl(self, step: int) -> None:
        """Use the next longer (`step` 1) or shorter (-1) time to live."""
        load_settings = self._screen_state.load_settings
        wanted = next_step(TTLS_S, load_settings.ttl_s, step)
        if self._can_step(f"TTL {load_settings.ttl_s:g} s", load_settings.ttl_s, wanted, step):
            self._ask(control.Ttl(wanted), ttl_s=wanted)

    def action_more_ttl(self) -> None:
        """Use the next longer time to live."""
        self._ttl(1)

    def action_less_ttl(self) -> None:
        """Use the next shorter time to live."""
        self._ttl(-1)

    def action_mode(self) -> None:
        """Switch between closed and open loop.

        An open loop starts with the rate that was requested before, else with a rate that every lane can hold.
        """
        load_settings = self._screen_state.load_settings
        if load_settings.paced:
            self._ask(control.Rate(None), paced=False)
            return
        rate_per_s = load_settings.rate_per_s
        if rate_per_s is None:
            lanes = self._view.lanes if self._view is not None else ()
            rate_per_s = first_rate_per_s(
                role.operations_per_s for lane in lanes for role in (lane.write, lane.read)
            )
        self._ask(control.Rate(rate_per_s), paced=True, rate_per_s=rate_per_s)

    def _rate(self, step: int) -> None:
        """Use the next higher (`step` 1) or lower (-1) rate of an open loop."""
        load_settings = self._screen_state.load_settings
        if not load_settings.paced or load_settings.rate_per_s is None:
            self._toast("no rate in mode saturate; m switches to pace")
            return
        wanted = next_step(RATES_PER_S, load_settings.rate_per_s, step)
        if self._can_step(
            f"pace {load_settings.rate_per_s:g}/s", load_settings.rate_per_s, wanted, step
        ):
            self._ask(control.Rate(wanted), rate_per_s=wanted)

    def action_more_rate(self) -> None:
        """Use the next higher rate."""
        self._rate(1)

    def action_less_rate(self) -> None:
        """Use the next lower rate."""
        self._rate(-1)
