"""Colour sequences, said once: two thirds of what a frame sends are colours that the terminal already has.

Rich closes every piece of text with a reset and opens the next one with foreground, background and weight in full.
Between two pieces only the difference needs to be sent.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SGR = re.compile(r"\x1b\[([0-9;]*)m")

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""The code that ends an attribute (ECMA-48, 8.3.117). 22 ends both bold and dim."""


@lru_cache(4096)
def _parsed(parameters: str) -> tuple[str, str, frozenset[str]] | None:
    """Foreground, background and attributes that a sequence sets after a reset; None where it is not understood."""
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
    """The sequence from one state to another, each given as the parameters that make it after a reset ("" for the
    reset itself)."""
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
    # What shares its end with something that has ended must begin again.
    codes.extend(sorted(a for a in new[2] if a not in old[2] or _OFF[a] in ended))
    codes.extend(colour for was, colour in zip(old[:2], new[:2], strict=True) if was != colour)
    if not codes:
        return ""
    full = f"\x1b[0;{after}m"
    short = f"\x1b[{';'.join(codes)}m"
    return min(short, full, key=len)


def minimize(data: str) -> str:
    """The same output with the fewest colour sequences. It begins and ends in the reset state, as Rich's does."""
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
            # Not after a reset: the sequence adds to what there is.
            wanted = f"{wanted};{parameters}"
        else:
            wanted = parameters
        if text:
            out.append(change(shown, wanted))
            out.append(text)
            shown = wanted
    out.append(change(shown, ""))
    return "".join(out)
