"""Digits for the last row of a hall: a pixel font, enlarged by whole factors to what fits."""

from __future__ import annotations

from functools import lru_cache

_SMALL = {
    "0": "### #.# #.# #.# ###", "1": ".#. ##. .#. .#. ###", "2": "### ..# ### #.. ###",
    "3": "### ..# ### ..# ###", "4": "#.# #.# ### ..# ..#", "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###", "7": "### ..# ..# .#. .#.", "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###", ",": ". . . # #", ".": ". . . . #", "-": "... ... ### ... ...",
    "x": "... #.# .#. #.# ...", "k": "#.. #.# ##. ##. #.#", "M": "#.# ### ### #.# #.#",
    "G": "### #.. #.# #.# ###", " ": ". . . . .", ">": "#.. .#. ..# .#. #..",
    "m": "... ### ### #.# #.#", "s": "... .## ##. .## ##.", ":": ". # . # .",
    "%": "#.# ..# .#. #.. #.#", "=": "... ### ... ### ...",
}  # fmt: skip

_LARGE = {
    "0": ".###. #...# #..## #.#.# ##..# #...# .###.", "1": "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    "2": ".###. #...# ....# ...#. ..#.. .#... #####", "3": ".###. #...# ....# ..##. ....# #...# .###.",
    "4": "...#. ..##. .#.#. #..#. ##### ...#. ...#.", "5": "##### #.... ####. ....# ....# #...# .###.",
    "6": "..##. .#... #.... ####. #...# #...# .###.", "7": "##### ....# ...#. ..#.. .#... .#... .#...",
    "8": ".###. #...# #...# .###. #...# #...# .###.", "9": ".###. #...# #...# .#### ....# ...#. .##..",
    ".": ".. .. .. .. .. ## ##", ",": ".. .. .. .. ## ## #.", "-": ".... .... .... #### .... .... ....",
    "x": "..... ..... #...# .#.#. ..#.. .#.#. #...#", "k": "#... #... #..# #.#. ##.. #.#. #..#",
    "M": "#...# ##.## #.#.# #.#.# #...# #...# #...#", "G": ".###. #...# #.... #.### #...# #...# .####",
    " ": ".. .. .. .. .. .. ..", ">": "#... .#.. ..#. ...# ..#. .#.. #...",
    "m": "..... ..... ##.#. #.#.# #.#.# #...# #...#", "s": ".... .... .### #... .##. ...# ###.",
    ":": "... .#. ... ... .#. ... ...",
    "%": "##..# ##..# ...#. ..#.. .#... #..## #..##", "=": "..... ..... ##### ..... ##### ..... .....",
}  # fmt: skip

FONTS = (_SMALL, _LARGE)

HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


@lru_cache(256)
def pixels(text: str, font: int, scale: int) -> tuple[tuple[int, ...], ...]:
    """`text` as rows of 0 and 1. Unknown characters are left out."""
    glyphs = [FONTS[font][char].split() for char in text if char in FONTS[font]]
    if not glyphs:
        return ()
    rows = []
    for y in range(len(glyphs[0])):
        row: list[int] = []
        for position, glyph in enumerate(glyphs):
            if position:
                row.extend([0] * scale)
            for pixel in glyph[y]:
                row.extend([int(pixel == "#")] * scale)
        rows.extend([tuple(row)] * scale)
    return tuple(rows)


@lru_cache(256)
def rows_of(text: str, font: int, scale: int, *, ascii_only: bool = False) -> tuple[str, ...]:
    """`text` in cells: two pixels per cell in half blocks, or one row of `#` for each row of pixels."""
    grid = pixels(text, font, scale)
    if ascii_only:
        return tuple("".join(" #"[pixel] for pixel in row) for row in grid)
    found = []
    for y in range(0, len(grid), 2):
        lower = grid[y + 1] if y + 1 < len(grid) else (0,) * len(grid[y])
        found.append("".join(HALVES[pair] for pair in zip(grid[y], lower, strict=True)))
    return tuple(found)


@lru_cache(256)
def largest(
    template: str, width: int, height: int, *, ascii_only: bool = False
) -> tuple[int, int] | None:
    """(font, scale) of the largest letters in which `template` fits into `width` x `height` cells; None if none do.

    Give the widest text that may ever stand there: letters that change their size with the number are unreadable.
    """
    found: tuple[int, tuple[int, int]] | None = None
    for font in range(len(FONTS)):
        for scale in range(1, 9):
            rows = rows_of(template, font, scale, ascii_only=ascii_only)
            if not rows or len(rows) > height or len(rows[0]) > width:
                break
            pixel_rows = (5, 7)[font] * scale
            if found is None or pixel_rows >= found[0]:
                found = (pixel_rows, (font, scale))
    return found[1] if found else None


@lru_cache(64)
def inverse_block(text: str, width: int, height: int) -> tuple[str, ...]:
    """`text` cut out of a filled plate, like a start number, as large as fits; empty when nothing does."""
    best: tuple[str, ...] = ()
    for font in range(len(FONTS)):
        for scale in range(1, 9):
            grid = pixels(text, font, scale)
            if not grid:
                return ()
            edge = (0,) * (len(grid[0]) + 2 * scale)
            side = (0,) * scale
            framed = [edge] * scale + [side + row + side for row in grid] + [edge] * scale
            cut = [tuple(1 - pixel for pixel in row) for row in framed]
            if len(cut) % 2:
                cut.append((0,) * len(edge))
            rows = tuple(
                "".join(HALVES[pair] for pair in zip(cut[y], cut[y + 1], strict=True))
                for y in range(0, len(cut), 2)
            )
            if len(rows) > height or len(rows[0]) > width:
                break
            if len(rows) >= len(best):
                best = rows
    return best
