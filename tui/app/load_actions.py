"""What is asked of the race by key, while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engines.model import controls as control
from engines.model.roles import CONNECTIONS, Role
from tui.app.base import RaceApp
from tui.app.steps import BATCHES, RATES_PER_S, TTLS_S, first_rate_per_s, next_step


class LoadActions(RaceApp):
    """Changes how much is asked of the servers, and how; the scene shows at once what was asked for."""

    def action_pause(self) -> None:
        paused = not self._screen_state.paused
        if self.feed.send(control.Pause() if paused else control.Resume()):
            self._show(paused=paused)

    def action_flush(self) -> None:
        self.feed.send(control.FlushCache())

    def action_reset(self) -> None:
        self.feed.send(control.ResetTotals())
        self.feed.reset()

    def _ask(self, wanted: control.Control, **load_settings: Any) -> None:
        """Ask the race for `wanted`, and show the settings that it changes. Without a race there is none to change."""
        if self.feed.send(wanted):
            self._show(load_settings=replace(self._screen_state.load_settings, **load_settings))

    def _connections(self, role: Role, step: int) -> None:
        load_settings = self._screen_state.load_settings
        name = CONNECTIONS[role]
        now: int = getattr(load_settings, name)
        wanted = max(1, now + step)
        if wanted == now:
            self._tell(f"one of the {name} in each lane stays")
            return
        self._ask(control.Connections(role, wanted), **{name: wanted})

    def action_more_writers(self) -> None:
        self._connections("write", 1)

    def action_fewer_writers(self) -> None:
        self._connections("write", -1)

    def action_more_readers(self) -> None:
        self._connections("read", 1)

    def action_fewer_readers(self) -> None:
        self._connections("read", -1)

    def _batch(self, step: int) -> None:
        load_settings = self._screen_state.load_settings
        wanted = next_step(BATCHES, load_settings.batch, step)
        if self._moves(f"batch {load_settings.batch}", load_settings.batch, wanted, step):
            self._ask(control.Batch(wanted), batch=wanted)

    def action_more_batch(self) -> None:
        self._batch(1)

    def action_less_batch(self) -> None:
        self._batch(-1)

    def _ttl(self, step: int) -> None:
        load_settings = self._screen_state.load_settings
        wanted = next_step(TTLS_S, load_settings.ttl_s, step)
        if self._moves(f"TTL {load_settings.ttl_s:g} s", load_settings.ttl_s, wanted, step):
            self._ask(control.Ttl(wanted), ttl_s=wanted)

    def action_more_ttl(self) -> None:
        self._ttl(1)

    def action_less_ttl(self) -> None:
        self._ttl(-1)

    def action_mode(self) -> None:
        """Close the loop, or open it: at the rate that was asked for before, or one that every lane can hold."""
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
        load_settings = self._screen_state.load_settings
        if not load_settings.paced or load_settings.rate_per_s is None:
            self._tell("no rate in mode saturate; m switches to pace")
            return
        wanted = next_step(RATES_PER_S, load_settings.rate_per_s, step)
        if self._moves(
            f"pace {load_settings.rate_per_s:g}/s", load_settings.rate_per_s, wanted, step
        ):
            self._ask(control.Rate(wanted), rate_per_s=wanted)

    def action_more_rate(self) -> None:
        self._rate(1)

    def action_less_rate(self) -> None:
        self._rate(-1)
