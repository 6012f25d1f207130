"""Room that private servers need, by lanes and settings."""

from __future__ import annotations

from engines.config.disk_need import needed_bytes

MIB = 1 << 20


def test_each_lane_adds_its_servers() -> None:
    assert needed_bytes(["mysql"]) == 256 * MIB
    assert needed_bytes(["durable"]) == 192 * MIB
    assert needed_bytes(["mysql", "cached", "durable"]) == 704 * MIB


def test_the_deck_inserts_new_rows_as_long_as_it_runs() -> None:
    assert needed_bytes(["mysql"], "deck", 10.0) == 296 * MIB
    assert needed_bytes(["mysql", "cached"], "deck", None) == 2 * (256 + 240) * MIB
    assert needed_bytes(["durable"], "deck", 10.0) == needed_bytes(["durable"], "fair", 10.0)
