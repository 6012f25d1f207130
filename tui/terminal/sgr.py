"""Remove redundant colour sequences (SGR) from output.

Rich closes every piece of text with a reset and opens the next one with foreground, background and weight in full. Only
the difference between two pieces needs to be sent.

Performance: two thirds of the bytes of a frame are colours that the terminal already has.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
"""A sequence that sets colours or attributes."""

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""The code that ends an attribute (ECMA-48, 8.3.117). 22 ends both bold and dim."""


@lru_cache(4096)
def _parsed(parameters: str) -> tuple[str, str, frozenset[str]] | None:
    """Return foreground, background and attributes that a sequence sets after a reset; None if it is not understood."""
    codes = parameters.split(";")
    foreground, background = "39", "49"
    attributes = set()
    position = 0
    while position < len(codes):
        code = codes[position]
        if code in ("38", "48"):
            length = {"2": 5, "5": 3}.get(codes[position + 1] if position + 1 < len(codes) else "")
            if length is None or position + length > len(codes):
                return None
            colour = ";".join(codes[position : position + length])
            position += length
            if code == "38":
                foreground = colour
            else:
                background = colour
            continue
        if code in _OFF:
            attributes.add(code)
        elif code == "39" or (code.isdigit() and (30 <= int(code) <= 37 or 90 <= int(code) <= 97)):
            foreground = code
        elif code == "49" or (
            code.isdigit() and (40 <= int(code) <= 47 or 100 <= int(code) <= 107)
        ):
            background = code
        else:
            return None
        position += 1
    return foreground, background, frozenset(attributes)


@lru_cache(4096)
def change(before: str, after: str) -> str:
    """Return the shortest sequence that changes the terminal from state `before` to state `after`.

    A state is given by the parameters that create it after a reset; "" is the reset state.
    """
    if before == after:
        return ""
    old, new = _parsed(before) if before else ("39", "49", frozenset()), _parsed(after)
    if not after:
        return "\x1b[0m"
    if old is None or new is None:
        return f"\x1b[0;{after}m"
    codes: list[str] = []
    ended = {_OFF[attribute] for attribute in old[2] - new[2]}
    codes.extend(sorted(ended))
    # An attribute must be set again if another one that ends with the same code has ended.
    codes.extend(sorted(a for a in new[2] if a not in old[2] or _OFF[a] in ended))
    codes.extend(colour for was, colour in zip(old[:2], new[:2], strict=True) if was != colour)
    if not codes:
        return ""
    full = f"\x1b[0;{after}m"
    short = f"\x1b[{';'.join(codes)}m"
    return min(short, full, key=len)


def minimize(data: str) -> str:
    """Return the same output with the fewest colour sequences.

    It begins and ends in the reset state, as Rich's output does.
    """
    if "\x1b[" not in data:
        return data
    pieces = _SGR.split(data)
    out = [pieces[0]]
    shown = wanted = ""
    for position in range(1, len(pieces), 2):
        parameters, text = pieces[position], pieces[position + 1]
        if parameters in ("", "0"):
            wanted = ""
        elif wanted:
            # Without a reset before it, the sequence adds to the current state.
            wanted = f"{wanted};{parameters}"
        else:
            wanted = parameters
        if text:
            out.append(change(shown, wanted))
            out.append(text)
            shown = wanted
    out.append(change(shown, ""))
    return "".join(out)
