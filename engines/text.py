"""Foreign text and values as one line of plain text, and foreign text as a number."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from pathlib import Path

QUOTED_LENGTH = 60
"""A rejected value is quoted up to this many characters."""

NUMBER_DIGITS = 20
"""Digits of the largest number that is read: 64 bits need no more. Python neither reads nor shows more than 4,300."""

_LARGEST = 10**NUMBER_DIGITS - 1
_NUMBER = re.compile(rf"-?[0-9]{{1,{NUMBER_DIGITS}}}")


def foreign_number(value: object) -> int | None:
    """Return what a server gives for a whole number as one; None if it is none or has more than 20 digits.

    Text must be ASCII digits, with or without a minus: Python's `int` reads more than a server means. Pure.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif isinstance(value, float):
        value = int(value) if isfinite(value) else None
    elif isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, str):
        return int(value) if _NUMBER.fullmatch(value) else None
    return value if isinstance(value, int) and -_LARGEST <= value <= _LARGEST else None


def quote_value(value: object) -> str:
    """Return `value` as an error message quotes it: one line, no control characters, limited length."""
    try:
        # A TOML file may hold integers that Python refuses to print in decimal, and values nested
        # as deep as the parser allows.
        text = repr(value)
    except (ValueError, RecursionError):
        return f"({type(value).__name__} too large to show)"
    return text if len(text) <= QUOTED_LENGTH else f"{text[: QUOTED_LENGTH - 3]}..."


def one_line(text: str) -> str:
    """Return `text` with line breaks and terminal control characters written as escapes."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def to_toml(value: object) -> str:
    """Return the value of a setting in TOML syntax; raise TypeError for a type that no setting has."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple) and value and all(isinstance(item, tuple) for item in value):
        pairs = ", ".join(f"{to_toml(key)} = {to_toml(item)}" for key, item in value)
        return f"{{ {pairs} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(to_toml(item) for item in value)}]"
    if isinstance(value, str | Path):
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        quoted = "".join(
            char if char.isprintable() else "\\U%08X" % ord(char)  # noqa: UP031
            for char in escaped
        )
        return f'"{quoted}"'
    raise TypeError(f"no setting is a {type(value).__name__}")


def duration_text(seconds: float) -> str:
    """Return a duration in the largest unit that leaves an integer: 0.001 is "1ms", 7200.0 is "2h"."""
    ms = round(seconds * 1000)
    for unit, unit_ms in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if ms and ms % unit_ms == 0:
            return f"{ms // unit_ms}{unit}"
    return f"{ms}ms" if ms else "0s"
