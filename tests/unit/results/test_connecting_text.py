"""The connections of a lane in words."""

from __future__ import annotations

from engines.model.connecting import LaneConnecting
from engines.results.connecting_text import connecting_text


def test_it_says_how_many_of_how_many_and_what_is_waited_for() -> None:
    assert (
        connecting_text(LaneConnecting("cached", 412, 1024, "db.example:3306"))
        == "lane cached: 412 of 1,024 connected, waiting for db.example:3306"
    )
    assert (
        connecting_text(LaneConnecting("durable", 1024, 1024))
        == "lane durable: 1,024 of 1,024 connected"
    )
