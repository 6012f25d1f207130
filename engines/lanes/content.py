"""Checks that a reply is what was asked for: a row of that car, in MySQL or in Redis.

Performance: a regular expression takes 340 ns for a payload. Which digit stands in a place does not matter to the form,
so a payload whose digits are all made zeros is looked up among the forms seen before: 140 ns, of which the comparison
with the bounds of the car is 44 ns. A selected row takes 280 ns, its values joined and looked up likewise (timeit,
CPython 3.11, best of 600 runs, less an empty statement). There are some dozens of forms, because readings have few
lengths and versions one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engines.wire.mysql import Row
from engines.workload.redis_keys import is_payload

COLUMNS = 6
"""Columns of the SELECT of the race: four averages, the version, and the car's id."""

ABSENT: list[Row] = [(None,) * COLUMNS]
"""The answer to the SELECT for a car that does not exist: an average over no rows is NULL."""

TO_FORM = bytes.maketrans(b"123456789", b"0" * 9)
"""Translates a payload into its form, for `bytes.translate`."""

MAX_FORMS = 1_024
"""Forms that are remembered. A server that sends others is checked by the regular expression each time."""

_DECIMALS = re.compile(rb"(?:[0-9]+(?:\.[0-9]+)?:){4}[0-9]+:[0-9]+")
"""The values of a selected row, joined by colons. MySQL's averages have a fraction."""

payload_forms: set[bytes] = set()
"""Forms of payloads that `is_new_payload` has accepted. The readers of lanes cached and durable look here first."""

_row_forms: set[bytes] = set()
"""The same for selected rows, with their values joined by colons."""


def payload_bounds(car_id: int) -> tuple[bytes, bytes]:
    """Return the bounds of the payloads of a car: `low <= payload < high` if and only if it begins with its id and ":".

    The four readings and the version behind it are not looked at.
    """
    return b"%d:" % car_id, b"%d;" % car_id  # ";" follows ":"


def is_new_payload(payload: bytes) -> bool:
    """Return whether `payload` has the form of a row in Redis, and remember its form if it has.

    To be called for a payload whose form is not among `payload_forms`.
    """
    return is_payload(payload) and _remember(payload, payload_forms)


def is_row(rows: Sequence[Row], car: bytes) -> bool:
    """Return whether a SELECT answered with one row of the car whose id is `car`, a number in each column.

    It is one if `row_payload` makes a payload of it. What stands behind the point of an average is not looked at: over
    one row it is zeros.
    """
    # Performance: exceptions cost nothing where there are none. Looking for NULL costs 50 ns.
    try:
        (values,) = rows
        if values[-1] != car or len(values) != COLUMNS:
            return False
        text = b":".join(values)  # type: ignore[arg-type]
    except (ValueError, IndexError, TypeError):
        return False  # not one row, none of its columns, or NULL in one
    return text.translate(TO_FORM) in _row_forms or (
        _DECIMALS.fullmatch(text) is not None
        and is_payload(row_payload(values))
        and _remember(text, _row_forms)
    )


def row_payload(values: Row) -> bytes:
    """Return a selected row as Redis stores it.

    The averages over one row are integers with a fraction of zeros; the fraction is dropped.
    """
    *numbers, car = ((value or b"").partition(b".")[0] for value in values)
    return b":".join([car, *numbers])


def _remember(text: bytes, forms: set[bytes]) -> bool:
    if len(forms) < MAX_FORMS:
        forms.add(text.translate(TO_FORM))
    return True
