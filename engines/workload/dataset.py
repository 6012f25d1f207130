"""Key ranges and telemetry rows: the same in every lane for the same seed.

Key ranges and value ranges are those of the demo that the three lanes come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

POOL_SIZE = 4096
"""Number of distinct telemetry samples per seed. Rows use them in turn, so that no row is formatted twice. A change
changes the data that a seed produces."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Car ids from `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, car_id: object) -> bool:
        return isinstance(car_id, int) and self.first <= car_id <= self.last


ALL_KEYS = KeyRange(50_000_000, 50_050_000)
"""Every car of the demo."""
HOT_KEYS = KeyRange(50_000_000, 50_001_000)
"""The cars that readers ask for in the preset `fair`, and in the lanes with MySQL in the preset `deck`."""
DECK_MYSQL_WRITES = KeyRange(100_000_000, 999_999_999)
"""The cars that writers into MySQL cover in the preset `deck`."""
STORED_KEYS = ALL_KEYS
"""The cars that a race writes into a Redis that is the system of record, in either preset."""
CACHED_KEYS = HOT_KEYS
"""The cars that a race writes into a cache, in either preset: those that readers of a lane with a cache ask for."""


class TelemetryPool:
    """`POOL_SIZE` random telemetry samples, each formatted once as SQL and once as part of a Redis payload."""

    def __init__(self, seed: int) -> None:
        random_int = Random(f"{seed}:readings").randint
        rows = [
            (random_int(750, 4000), random_int(60, 99), random_int(80, 120), random_int(30, 150))
            for _ in range(POOL_SIZE)
        ]
        self.sql: tuple[bytes, ...] = tuple(b"%d,%d,%d,%d" % row for row in rows)
        """rpm, water_temp, oil_temp, oil_pressure, as in a VALUES list."""
        self.payload: tuple[bytes, ...] = tuple(b"%d:%d:%d:%d" % row for row in rows)
        """The same four values, as in the middle of a Redis payload."""


def payload(car_id: int, sample: bytes, version: int) -> bytes:
    """Return a row as Redis stores it: car_id:rpm:water_temp:oil_temp:oil_pressure:version."""
    return b"%d:%b:%d" % (car_id, sample, version)
