"""Ranks of lanes."""

from __future__ import annotations

from tui.view.ranking import Rank, rank_lanes


def test_places() -> None:
    found = rank_lanes({"a": 100.0, "b": 270.0, "c": 90.0, "d": 0.0, "e": None}, higher_wins=True)
    assert (found["b"].position, found["b"].factor) == (1, 2.7)
    assert (found["a"].position, found["a"].factor) == (2, 2.7)
    assert (found["c"].position, found["c"].factor) == (3, 3.0)
    assert found["d"].position is None
    assert found["e"].position is None
    latency = rank_lanes({"a": 1.0, "b": 4.0}, higher_wins=False)
    assert (latency["a"].position, latency["a"].factor) == (1, 4.0)
    assert rank_lanes({"a": 5.0, "b": 5.0}, higher_wins=True)["b"].position == 1
    assert rank_lanes({"a": 5.0, "b": None}, higher_wins=True)["a"] == Rank()
