"""Reading a series with its times, whatever else its file holds."""

import gzip

import numpy as np
import pytest

from deepreservoir.datasets import read_time_series

WAVE = np.sin(np.arange(40) / 3)


def write(path, columns, delimiter=",", header=True):
    """Write columns, a dict of lists, as a CSV file."""
    rows = [list(columns)] if header else []
    rows += zip(*columns.values(), strict=True)
    path.write_text("\n".join(delimiter.join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture
def months():
    return [f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(40)]


@pytest.mark.parametrize("order", ["oldest first", "newest first", "unordered"])
def test_rows_are_in_the_order_of_time(tmp_path, months, order):
    rows = np.arange(40)
    if order == "newest first":
        rows = rows[::-1]
    elif order == "unordered":
        rows = np.random.default_rng(0).permutation(40)
    columns = {"v": WAVE[rows], "month": np.array(months)[rows]}
    series = read_time_series(write(tmp_path / "s.csv", columns))
    np.testing.assert_array_equal(series.values[:, 0], WAVE)
    assert series.names == ("v",)
    assert series.times.name == "month"
    assert str(series.times) == "monthly, 40 values from 2000-01 to 2003-04"
    assert series.sorted_from == ("" if order == "oldest first" else order)
    assert series.left_out == {}


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("", range(40), "counts the rows"),
        ("Unnamed: 0", range(40), "counts the rows"),
        ("id", range(100, 140), "counts the rows"),
        ("pressure", range(0, 80, 2), "counts the rows"),
        ("left", range(40, 0, -1), "counts the rows"),
        ("place", ["a"] * 40, "text"),
        ("level", [3] * 40, "constant"),
        ("second", [10 * i + i % 3 for i in range(40)], "a time with unequal steps"),
        ("issued", ["2024-01-01", "2024-01-05"] * 20, "dates"),
    ],
)
def test_columns_that_are_no_series_are_left_out_with_the_reason(
    tmp_path, months, name, cells, reason
):
    columns = {"month": months, name: cells, "v": WAVE}
    series = read_time_series(write(tmp_path / "s.csv", columns))
    assert series.names == ("v",)
    assert series.left_out == {name: reason}


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("YEAR", range(1960, 2000), "yearly, 40 values from 1960 to 1999"),
        ("unix", range(1_700_000_000, 1_700_144_000, 3600), "hourly, 40 values"),
        ("t", [f"{0.5 * i:.1f}" for i in range(40)], "every 0.5, 40 values from 0.0 to 19.5"),
    ],
)
def test_numbers_are_times_where_their_name_says_so(tmp_path, name, cells, words):
    series = read_time_series(write(tmp_path / "s.csv", {name: cells, "v": WAVE}))
    assert series.names == ("v",)
    assert words in str(series.times)


def test_year_and_month_are_one_time(tmp_path, months):
    columns = {
        "Year": [month[:4] for month in months],
        "Month": [int(month[5:]) for month in months],
        "v": WAVE,
    }
    series = read_time_series(write(tmp_path / "s.csv", columns))
    assert series.names == ("v",)
    assert series.times.name == "Year-Month"
    assert series.times.text(series.times.after(1)) == ["2003-05"]


def test_columns_that_count_are_a_series_where_nothing_else_is(tmp_path, months):
    path = write(tmp_path / "s.csv", {"month": months, "sold": range(40)})
    assert read_time_series(path).names == ("sold",)
    path = write(tmp_path / "s.csv", {"index": range(40), "n": range(40)})
    with pytest.raises(ValueError, match=r"no column to forecast: 'index' counts.*--columns index"):
        read_time_series(path)
    assert read_time_series(path, ["n"]).names == ("n",)


def test_columns_drop_and_time_choose(tmp_path, months):
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(40)]
    columns = {"month": months, "t": range(40), "a": WAVE, "b": WAVE**2, "bad": days}
    path = write(tmp_path / "s.csv", columns)
    series = read_time_series(path, ["b", "a"], time="t")
    assert series.names == ("b", "a")
    assert series.times.name == "t"
    series = read_time_series(path, drop=("month", "bad", "b"))
    assert series.names == ("a",)
    assert series.times.name == "t"
    assert series.left_out == {"month": "dropped", "bad": "dropped", "b": "dropped"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["v", "w"]}, "no column 'w'; it has month, v"),
        ({"drop": ["w"]}, "no column 'w'"),
        ({"time": "w"}, "no column 'w'"),
        ({"columns": ["v"], "drop": ["v"]}, "'v' cannot be forecast and also be dropped"),
        ({"columns": ["v"], "time": "v"}, "'v' cannot be forecast and also be the time"),
        ({"drop": ["month"], "time": "month"}, "cannot be the time and also be dropped"),
        ({"time": "v"}, "row [0-9]+, column 'v': the steps between times are unequal"),
    ],
    ids=range(7),
)
def test_choices_that_cannot_be_are_refused(tmp_path, months, options, words):
    path = write(tmp_path / "s.csv", {"month": months, "v": WAVE})
    with pytest.raises(ValueError, match=words):
        read_time_series(path, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({5: "2000-05"}, "row 7, column 'month': the time '2000-05' occurs 2 times"),
        ({5: "unknown"}, "row 7, column 'month': expected a date as in other rows"),
        (dict.fromkeys(range(3, 40, 3), "2050-01"), "occurs 13 times"),
        ({i: f"{2000 + i}-01" for i in range(20, 40)}, "steps between times are unequal"),
    ],
    ids=["twice", "unknown", "often", "unequal"],
)
def test_times_that_do_not_fit_are_refused_with_their_row(tmp_path, months, change, words):
    cells = [change.get(i, month) for i, month in enumerate(months)]
    path = write(tmp_path / "s.csv", {"month": cells, "v": WAVE})
    with pytest.raises(ValueError, match=rf"{words}.*--drop month"):
        read_time_series(path)
    assert read_time_series(path, drop=["month"]).times is None


def test_numbers_are_read_in_the_notation_of_their_table(tmp_path, months):
    columns = {"month": months, "v": ["0,5", "0,7"] * 20, "w": ["1.296", "2.296"] * 20}
    with pytest.warns(UserWarning, match="column 'w': numbers such as 1.296 are read with points"):
        series = read_time_series(write(tmp_path / "s.csv", columns, ";"), delimiter=";")
    assert series.names == ("v", "w")
    assert series.values[:2].tolist() == [[0.5, 1296.0], [0.7, 2296.0]]


def test_formats_of_files(tmp_path, months):
    plain = write(tmp_path / "s.csv", {"month": months, "v": WAVE}, ";", header=False)
    series = read_time_series(plain, header=False, delimiter=";")
    assert series.names == ("2",)
    assert series.times.name == "1"
    packed = tmp_path / "s.csv.gz"
    packed.write_bytes(gzip.compress("Größe,jahr\n1,2000\n2,2001\n4,2002\n".encode("latin-1")))
    assert read_time_series(packed, encoding="latin-1").names == ("Größe",)


@pytest.mark.parametrize("path", ["airline-passengers", "monthly-sunspots"])
def test_real_series(path):
    import os
    from pathlib import Path

    file = Path(os.environ.get("DEEPRESERVOIR_DATA", "none"), "tables", f"{path}.csv")
    if not file.is_file():
        pytest.skip("DEEPRESERVOIR_DATA has no tables")
    series = read_time_series(file)
    first = {"airline-passengers": "1949-01 to 1960-12", "monthly-sunspots": "1749-01 to 1983-12"}
    assert str(series.times) == f"monthly, {len(series.values):,} values from {first[path]}"


def test_points_are_decimal_in_files_with_commas(tmp_path, months):
    columns = {"month": months, "pairs": ['"1,2"', '"2,3"'] * 20, "price": ["1.250", "2.250"] * 20}
    series = read_time_series(write(tmp_path / "s.csv", columns), columns=["price"])
    assert series.values[:2, 0].tolist() == [1.25, 2.25]
