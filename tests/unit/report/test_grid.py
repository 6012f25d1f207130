"""Columns of a table beside and below one another."""

from __future__ import annotations

from tui.report.grid import COLUMN_WIDTH, LABEL_WIDTH, Row, grid_lines

ROWS: list[Row] = [("", ["a", "b", "c"]), ("  rows", ["1", "22", "333"])]


def test_all_columns_stand_side_by_side_without_a_width() -> None:
    assert list(grid_lines(ROWS, None)) == [
        f"{'':<{LABEL_WIDTH}}{'a':>{COLUMN_WIDTH}}{'b':>{COLUMN_WIDTH}}{'c':>{COLUMN_WIDTH}}",
        f"{'  rows':<{LABEL_WIDTH}}{'1':>{COLUMN_WIDTH}}{'22':>{COLUMN_WIDTH}}{'333':>{COLUMN_WIDTH}}",
    ]


def test_columns_that_do_not_fit_follow_below() -> None:
    lines = list(grid_lines(ROWS, LABEL_WIDTH + 2 * COLUMN_WIDTH))
    assert [line.split() for line in lines] == [
        ["a", "b"],
        ["rows", "1", "22"],
        [],
        ["c"],
        ["rows", "333"],
    ]


def test_one_column_at_least_and_no_cell_is_cut() -> None:
    long = "x" * 40
    lines = list(grid_lines([("label", [long, "b"])], 10))
    assert [line.split() for line in lines] == [["label", long], [], ["label", "b"]]
