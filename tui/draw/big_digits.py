"""Draw digits in a pixel font that is enlarged by whole factors to the available size."""

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
"""Glyphs of 5 pixel rows."""

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
"""Glyphs of 7 pixel rows."""

FONTS = (_SMALL, _LARGE)
"""The fonts by index: 0 is 5 pixels high, 1 is 7 pixels high. `#` is a set pixel; rows are separated by spaces."""

HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""The character for the (upper, lower) pixel of a cell."""


@lru_cache(256)
def pixels(text: str, font: int, scale: int) -> tuple[tuple[int, ...], ...]:
    """Return `text` as rows of 0 and 1, each pixel enlarged to `scale` x `scale`.

    Characters without a glyph are left out.
    """
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
    """Return `text` as rows of cells: two pixel rows per row in half blocks, or with `ascii_only` one `#` per pixel."""
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
    """Return (font, scale) of the largest digits in which `template` fits into `width` x `height` cells.

    Returns None if none fit.

    Give the widest text that can be shown there: digits that change their size with the number are hard to read.
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
    """Return `text` cut out of a filled block, as large as fits into `width` x `height` cells.

    Returns an empty tuple if nothing fits.
    """
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
