"""Values that a server may give in the place of a number."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

NO_NUMBERS: Mapping[str, object] = {
    "nothing": None,
    "empty": "",
    "no bytes": b"",
    "5,000 digits": "9" * 5_000,
    "5,000 digits in bytes": b"9" * 5_000,
    "21 digits": "1" * 21,
    "too large": 10**20,
    "exponent": "1e9",
    "fraction": "1.5",
    "spaces": " 12 ",
    "underscore": "1_000",
    "plus": "+5",
    "Arabic-Indic digits": "\u0661\u0662",
    "their bytes": "\u0661\u0662".encode(),
    "superscript": "\u00b2",
    "full-width digits": "\uff11\uff12",
    "bytes that are no text": b"\xff\xfe",
    "infinite": float("inf"),
    "not a number": float("nan"),
    "infinite decimal": Decimal("Infinity"),
    "list": ["1"],
    "words": "yes",
}
