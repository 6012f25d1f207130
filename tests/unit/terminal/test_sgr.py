"""Fewer colour sequences, and not one cell that looks different."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tui.terminal.sgr import minimize

FOREGROUNDS = ["31", "97", "39", "38;5;208", "38;2;1;2;3", "38;2;200;100;50"]
BACKGROUNDS = ["41", "107", "49", "48;5;17", "48;2;9;9;9"]
ATTRIBUTES = ["1", "2", "3", "4", "7", "9"]


def cells(data: str) -> list[tuple[str, object]]:
    """What a terminal shows: each character with the colours and attributes that it has (ECMA-48)."""
    foreground, background = "39", "49"
    attributes: set[str] = set()
    found: list[tuple[str, object]] = []
    position = 0
    while position < len(data):
        match = re.compile(r"\x1b\[([0-9;]*)m").match(data, position)
        if match is None:
            found.append((data[position], (foreground, background, frozenset(attributes))))
            position += 1
            continue
        position = match.end()
        codes = (match[1] or "0").split(";")
        while codes:
            code = codes.pop(0)
            if code in ("38", "48"):
                taken = [code, *[codes.pop(0) for _ in range(4 if codes[0] == "2" else 2)]]
                if code == "38":
                    foreground = ";".join(taken)
                else:
                    background = ";".join(taken)
            elif code == "0":
                foreground, background, attributes = "39", "49", set()
            elif code == "22":
                attributes -= {"1", "2"}
            elif 23 <= int(code) <= 29:
                attributes.discard(str(int(code) - 20))
            elif int(code) < 10:
                attributes.add(code)
            elif int(code) in (39, *range(30, 38), *range(90, 98)):
                foreground = code
            else:
                background = code
    return found


styles = st.builds(
    lambda f, b, a: ";".join([*a, *f, *b]),
    st.lists(st.sampled_from(FOREGROUNDS), max_size=1),
    st.lists(st.sampled_from(BACKGROUNDS), max_size=1),
    st.lists(st.sampled_from(ATTRIBUTES), max_size=3, unique=True),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x1b"), max_size=4)
pieces = st.tuples(styles, texts).map(
    lambda piece: f"\x1b[{piece[0]}m{piece[1]}\x1b[0m" if piece[0] else piece[1]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_every_cell_looks_the_same_in_no_more_bytes(data: str) -> None:
    assert cells(minimize(data)) == cells(data)
    assert len(minimize(data)) <= len(data)


@given(
    st.lists(st.one_of(pieces, styles.map(lambda style: f"\x1b[{style}m")), max_size=12).map(
        "".join
    )
)
def test_sequences_that_are_never_reset(data: str) -> None:
    assert cells(minimize(data)) == cells(data)


@given(st.text(max_size=40))
def test_leaves_everything_else_alone(data: str) -> None:
    plain = data.replace("\x1b[", "")
    assert minimize(plain) == plain
    assert minimize(f"\x1b[2J\x1b[5;7H{plain}\x1b[?25l") == f"\x1b[2J\x1b[5;7H{plain}\x1b[?25l"


def test_says_a_background_once() -> None:
    data = "\x1b[1;38;2;1;1;1;48;2;9;9;9ma\x1b[0m\x1b[38;2;2;2;2;48;2;9;9;9mb\x1b[0m"
    assert minimize(data) == "\x1b[1;38;2;1;1;1;48;2;9;9;9ma\x1b[22;38;2;2;2;2mb\x1b[0m"
