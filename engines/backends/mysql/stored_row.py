"""Rows of telemon's table as a server gives them, which may be anything."""

from __future__ import annotations

from collections.abc import Sequence

from engines.text import foreign_number
from engines.workload.dataset import payload

COLUMNS = "car_id, rpm, water_temp, oil_temp, oil_pressure, version"
"""Columns of a row, in the order of the fields of a payload."""


def stored_payload(row: Sequence[object]) -> tuple[int, bytes] | None:
    """Return car and row in the form of a Redis payload; None for what is not six whole numbers. Pure."""
    numbers = [foreign_number(value) for value in row]
    whole = [number for number in numbers if number is not None]
    if len(whole) != len(COLUMNS.split(", ")) or len(whole) != len(numbers):
        return None
    car_id, *readings, version = whole
    return car_id, payload(car_id, b":".join(b"%d" % value for value in readings), version)
