"""Columns that could be taken for something else: refused or noted, and never changed silently."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from deepreservoir.datasets.cells import Table
from deepreservoir.datasets.column_kinds import taken_for
from deepreservoir.datasets.learning_table import TableOptions, learning_table

pytestmark = pytest.mark.host(reason="tables are read on the host")

DAYS = [date(2023, 1, 1) + timedelta(7 * i) for i in range(60)]


def written(tmp_path, **columns):
    path = tmp_path / "t.csv"
    rows = [columns, *zip(*columns.values(), strict=True)]
    path.write_text("".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows))
    return path


def taken(tmp_path, cells):
    path = written(tmp_path, x=cells, other=range(len(cells)))
    return taken_for(Table(path), "x")


def learnt(path, target="y", **options):
    return learning_table(path, target, TableOptions(**options))


# Dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["%m/%d/%y", "%d.%m.%y", "%Y%m%d", "%d-%b-%y", "%Y-%m-%d"])
def test_dates_are_dates_in_every_usual_form(tmp_path, form):
    found = taken(tmp_path, [day.strftime(form) for day in DAYS])
    assert found.column.kind == "date"
    assert found.column.dates.text == form
    assert found.column.dates.days(DAYS[1].strftime(form)) == (DAYS[1] - date(1970, 1, 1)).days


def test_whole_numbers_of_eight_digits_are_numbers_unless_all_are_dates(tmp_path):
    cells = [day.strftime("%Y%m%d") for day in DAYS]
    assert taken(tmp_path, [*cells, "20231301"]).column.kind == "number"
    assert taken(tmp_path, ["19991231"] * 3 + ["30000101"] * 3).column.kind == "number"


@pytest.mark.parametrize("repeated", [1, 3])
def test_a_date_that_does_not_exist_is_refused_as_a_word_among_numbers_is(tmp_path, repeated):
    cells = [str(day) for day in DAYS] * repeated
    cells[30] = "2023-02-30"
    with pytest.raises(
        ValueError,
        match=r"row 32, column 'x': expected a date such as 2026-01-31, "
        r"as in other rows; got '2023-02-30'. Correct the cell, or leave",
    ):
        taken(tmp_path, cells)


def test_dates_that_are_written_in_two_ways_are_refused(tmp_path):
    cells = [str(d) if i % 3 else d.strftime("%d/%m/%Y") for i, d in enumerate(DAYS)]
    with pytest.raises(ValueError, match=r"expected a date such as 2026-01-31.*got '01/01/2023'"):
        taken(tmp_path, cells)


# Numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [(["0,313", "0,250"], [0.313, 0.25]), (["0,5", "1,313"], [0.5, 1.313])],
)
def test_a_zero_before_the_comma_makes_a_fraction(tmp_path, cells, numbers):
    found = taken(tmp_path, cells)
    assert [found.column.notation.number(cell) for cell in cells] == numbers
    assert found.warning is None


def test_commas_that_could_be_decimal_are_noted(tmp_path):
    found = taken(tmp_path, ["1,313", "2,250", "3,125"])
    assert "numbers such as 1,313 are read with commas between thousands" in found.warning
    for decided in (
        ["1,313", "980"],
        ["1,313", "1,000,000"],
        ["1,313.5", "2,250"],
        ["$1,313", "$2,250"],
    ):
        assert taken(tmp_path, decided).warning is None


def test_the_minus_sign_of_typography_is_a_minus(tmp_path):
    found = taken(tmp_path, ["\N{MINUS SIGN}5", "3", "4.5"])
    assert found.words == "number, -5 to 4.5"


def test_a_unit_behind_numbers_is_noted(tmp_path):
    cells = [f"{i / 2} km" for i in range(60)]
    assert (
        "cells such as '0.0 km' seem to be a number and its unit" in taken(tmp_path, cells).warning
    )
    assert "seem to be" in taken(tmp_path, cells * 3).warning  # a category otherwise
    assert taken(tmp_path, [f"{i} {'ab'[i % 2]}" for i in range(60)]).warning is None


@pytest.mark.parametrize("odd", ["n.a.", "(12.50)", "<1.23"])
@pytest.mark.parametrize("repeated", [1, 3])
def test_a_word_in_a_small_column_of_numbers_is_warned_of(tmp_path, odd, repeated):
    cells = ["4.5", "7", odd, *(str(i / 4) for i in range(7))] * repeated
    found = taken(tmp_path, cells)
    assert (found.column is None) == (repeated == 1)
    assert (
        f"t.csv, row 4, column 'x': {odd!r} is not a number, although most cells are, so the "
        "column is not read as numbers"
    ) in found.warning
    assert "--drop 'x'" in found.warning


def test_words_of_which_half_are_numbers_are_not_warned_of(tmp_path):
    assert taken(tmp_path, ["1", "2", "a", "b"] * 9).warning is None
    assert taken(tmp_path, ["12%", "12", "7"] * 9).warning is None


def test_times_with_nanoseconds_are_dates(tmp_path):
    cells = [f"2024-01-{i + 1:02d} 12:00:00.{i:06d}789" for i in range(20)]
    found = taken(tmp_path, cells)
    assert found.column.dates.text == "%Y-%m-%d %H:%M:%S.%f"
    assert found.column.dates.days("1970-01-01 12:00:00.250000999") == 0.5 + 0.25 / 86400


# Targets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [np.arange(600) % 50, np.arange(600) / 7])
def test_a_word_in_a_target_of_numbers_does_not_make_classes(tmp_path, cells):
    words = [str(cell) for cell in cells]
    words[10] = words[500] = "unknown"
    path = written(tmp_path, a=range(600), y=words)
    with pytest.raises(
        ValueError,
        match=r"row 12, column 'y': expected a number as the target, as in "
        r"other rows; got 'unknown'. Correct the cell or leave it empty; if the values "
        r"are classes: --task classification",
    ):
        learnt(path)
    if len(set(words)) < 100:
        assert learnt(path, task="classification").data.task == "classification"


def test_a_word_in_a_small_target_of_numbers_is_named(tmp_path):
    words = [*(str(i / 4) for i in range(12)), "(12.50)", *(str(i / 4) for i in range(3))]
    path = written(tmp_path, a=range(16), y=words)
    with pytest.raises(
        ValueError,
        match=r"13 different values in 16 rows, too many for classes.* Most are numbers, but not "
        r"'\(12\.50\)' in row 14: correct the cell or leave it empty for a regression",
    ):
        learnt(path)


def test_a_target_of_dates_is_refused(tmp_path):
    cells = [str(DAYS[i % 28]) for i in range(120)]
    path = written(tmp_path, a=range(120), y=cells)
    with pytest.raises(ValueError, match=r"the target 'y' is a column of dates.*--task classif"):
        learnt(path)
    assert learnt(path, task="classification").data.task == "classification"


def test_equal_numbers_are_one_class_however_they_are_written(tmp_path):
    path = written(tmp_path, a=range(60), y=["1", "1.0", "2"] * 20)
    table = learnt(path)
    assert "2 classes: 1, 2" in table.lines()[0]
    assert set(table.data.y_train) == {"1", "2"}
    codes = written(tmp_path, a=range(60), y=["01", "1", "2"] * 20)
    assert "3 classes: 01, 1, 2" in learnt(codes).lines()[0]


def test_line_ends_in_cells_and_names_do_not_break_the_summary(tmp_path):
    columns = {"a\nb": ["x\ny", "z"] * 20, "w": range(40), "y": ["u\r\nv", "t"] * 20}
    assert learnt(written(tmp_path, **columns)).lines() == [
        r"y     target: 2 classes: t, u\r\nv",
        r"a\nb  category of 2 values: x\ny, z",
        "w     number, 0 to 39",
    ]
    many = {f"n\n{i}": range(40) for i in range(22)}
    lines = learnt(written(tmp_path, **many, y=["u", "t"] * 20)).lines()
    assert lines[1] == r"22 others  numbers: n\n0, n\n1, n\n2, n\n3, ..., n\n21"
    lines = learnt(written(tmp_path, **{"b\x1b[2J": range(40)}, y=["u\x07", "t"] * 20)).lines()
    assert "\n".join(lines).replace("\n", "").isprintable()


def test_only_whole_numbers_that_float64_does_not_tell_apart_are_codes(tmp_path):
    near = [f"9007199254740993.{i}" for i in range(1, 41)]
    assert "number" in learnt(written(tmp_path, a=near, y=["u", "t"] * 20)).lines()[1]


# Few rows --------------------------------------------------------------------------------------


def test_a_regression_needs_two_rows_to_be_scored_on(tmp_path):
    cells = [i / 7 for i in range(6)]
    assert len(learnt(written(tmp_path, a=range(6), y=cells)).data.y_test) == 2
    with pytest.raises(ValueError, match=r"at least 6 rows for a regression.*got 5"):
        learnt(written(tmp_path, a=range(5), y=cells[:5]))


def test_counts_that_are_taken_for_classes_have_a_hint(tmp_path):
    path = written(tmp_path, a=range(41), y=[*(i % 4 for i in range(40)), 17])
    with pytest.raises(ValueError, match=r"single row: \['17'\]; for a target of numbers: --task"):
        learnt(path)


def test_a_target_of_numbers_with_a_unit_is_refused_unless_it_is_of_classes(tmp_path):
    cells = [f"{30 + i % 25} km" for i in range(60)]
    path = written(tmp_path, x=range(60), y=cells)
    with pytest.raises(ValueError, match=r"target 'y', such as '\d\d km', seem to be numbers and"):
        learnt(path)
    assert learnt(path, task="classification").data.task == "classification"


# Long whole numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [2**53, 1234567890123456788, -1234567890123456790])
def test_labels_of_many_digits_are_not_merged(tmp_path, first):
    labels = [str(first + i % 3) for i in range(60)]
    table = learnt(written(tmp_path, x=range(60), y=labels))
    assert "3 classes" in table.lines()[0]
    assert set(table.data.y_train) == set(labels)


def test_long_labels_that_are_one_number_are_one_class(tmp_path):
    labels = ["1e20", "100000000000000000000", "100000000000000000001"] * 20
    assert "2 classes" in learnt(written(tmp_path, x=range(60), y=labels)).lines()[0]


def test_whole_numbers_that_float64_does_not_tell_apart_are_codes(tmp_path):
    cells = [str(1234567890123456700 + i) for i in range(20)]
    assert "an identifier or free text, different in every row" in taken(tmp_path, cells).words
    repeated = taken(tmp_path, cells[:4] * 5)
    assert repeated.column.words == tuple(cells[:4])
    assert taken(tmp_path, [str(2**60 + 1024 * i) for i in range(20)]).column.kind == "number"
