"""Actions that change the load of a running race."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engines.model import controls as control
from engines.model.roles import CONNECTIONS, Role
from tui.app.base import RaceApp
from tui.app.steps import BATCHES, RATES_PER_S, TTLS_S, first_rate_per_s, next_step


class LoadActions(RaceApp):
    """Actions that change how much load the servers get. The screen shows the requested settings at once.

    Batch size and time to live are stepped by similar code, written twice: a shared helper would have to take the name
    of the setting as a string, which type checks do not cover.
    """

    def action_pause(self) -> None:
        """Pause the load, or resume it."""
        paused = not self._screen_state.paused
        if self.feed.send(control.Pause() if paused else control.Resume()):
            self._show(paused=paused)

    def action_flush(self) -> None:
        """Delete the cache's keys."""
        self.feed.send(control.FlushCache())

    def action_reset(self) -> None:
        """Set all totals to zero."""
        self.feed.send(control.ResetTotals())
        self.feed.reset()

    def _ask(self, wanted: control.Control, **load_settings: Any) -> None:
        """Send a control to the race and show the settings that it changes; do nothing if there is no race."""
        if self.feed.send(wanted):
            self._show(load_settings=replace(self._screen_state.load_settings, **load_settings))

    def _connections(self, role: Role, step: int) -> None:
        """Open or close one connection of a role in every lane; the last one stays open."""
        load_settings = self._screen_state.load_settings
        name = CONNECTIONS[role]
        now: int = getattr(load_settings, name)
        wanted = max(1, now + step)
        if wanted == now:
            self._toast(f"one of the {name} in each lane stays")
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
