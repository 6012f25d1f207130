"""Telemetry rows and the streams of keys: the same in every lane, from the same seed.

The fleet, the hot cars and the value ranges are those of the demo that the three lanes come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

POOL_SIZE = 4096
"""How many distinct readings a seed makes; rows take them in turn, so that no row is formatted twice."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The car ids from `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, car_id: object) -> bool:
        return isinstance(car_id, int) and self.first <= car_id <= self.last


ALL_KEYS = KeyRange(50_000_000, 50_050_000)
HOT_KEYS = KeyRange(50_000_000, 50_001_000)
DECK_MYSQL_WRITES = KeyRange(100_000_000, 999_999_999)


class TelemetryPool:
    """What the cars' sensors say: `READINGS` random readings, formatted once as SQL and as a Redis payload."""

    def __init__(self, seed: int) -> None:
        draw = Random(f"{seed}:readings").randint
        rows = [
            (draw(750, 4000), draw(60, 99), draw(80, 120), draw(30, 150)) for _ in range(POOL_SIZE)
        ]
        self.sql: tuple[bytes, ...] = tuple(b"%d,%d,%d,%d" % row for row in rows)
        """rpm, water_temp, oil_temp, oil_pressure, as in a VALUES list."""
        self.payload: tuple[bytes, ...] = tuple(b"%d:%d:%d:%d" % row for row in rows)
        """The same four, as in the middle of a Redis payload."""


def payload(car_id: int, reading: bytes, version: int) -> bytes:
    """A row as Redis holds it: car_id:rpm:water_temp:oil_temp:oil_pressure:version."""
    return b"%d:%b:%d" % (car_id, reading, version)
