"""What a column is taken for: numbers in any notation, dates, codes, categories, or nothing."""

import math
import os
import warnings
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir.datasets import read_table
from deepreservoir.datasets.cells import Table, is_missing
from deepreservoir.datasets.column_kinds import taken_for
from deepreservoir.datasets.columns import Columns
from deepreservoir.datasets.dates import date_format
from deepreservoir.datasets.learning_table import TableOptions, learning_table
from deepreservoir.datasets.notation import Notation, notation_of


def taken(tmp_path, cells, name="x", delimiter=",", **options):
    path = tmp_path / "t.csv"
    quoted = "\n".join(f'"{cell}"{delimiter}1' for cell in cells)
    path.write_text(f"{name}{delimiter}other\n{quoted}\n")
    table = Table(path, delimiter=delimiter)
    return taken_for(table, name, **options), table


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", "-2", "3e2"], [1.5, -2, 300]),
        (["2,917,883", "12", "1,000"], [2917883, 12, 1000]),
        (["1,5", "12", "-3,25"], [1.5, 12, -3.25]),
        (["1.234,5", "12", "1.000"], [1234.5, 12, 1000]),
        (["1 234", "12"], [1234, 12]),
        (["1\N{NO-BREAK SPACE}234,5", "12"], [1234.5, 12]),
        (["1'234.5", "12"], [1234.5, 12]),
        (["12%", "3.5 %"], [12, 3.5]),
        (["$1,200", "-$5.50", "$-3"], [1200, -5.5, -3]),
        (["1.200 €", "7 €"], [1.2, 7]),
        (["\N{MINUS SIGN}5%", "3%"], [-5, 3]),
        (["-1", "-2", "10"], [-1, -2, 10]),
        (["1", "n/a", "3", "", "?", "NULL"], [1, math.nan, 3, math.nan, math.nan, math.nan]),
    ],
)
def test_numbers_are_read_in_the_notation_of_their_column(tmp_path, cells, expected):
    found, table = taken(tmp_path, cells, chosen=True)
    assert found.column.kind == "number"
    np.testing.assert_array_equal(found.column.encode(table)[:, 0], expected)


def test_a_comma_before_three_digits_is_decimal_in_files_with_semicolons(tmp_path):
    with_comma, _ = taken(tmp_path, ["1,234", "2,500"])
    assert with_comma.column.notation == Notation(thousands=",")
    with_semicolon, table = taken(tmp_path, ["1,234", "2,500"], delimiter=";")
    assert with_semicolon.column.encode(table)[:, 0].tolist() == [1.234, 2.5]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        pytest.param(["007", "012", "007", "123"], "category", id="codes"),
        pytest.param(["True", "False", "True", "False"], "category", id="booleans"),
        pytest.param(["12%", "12", "12%", "12"], "category", id="percent in some cells only"),
        pytest.param(["$1", "€1", "$1", "€1"], "category", id="two currencies"),
        pytest.param(["18-25", "65+", "18-25", "65+"], "category", id="bands"),
        pytest.param(["1_000", "2_000", "1_000", "2_000"], "category", id="underscores"),
        pytest.param(["1,2,3", "4,5,6", "1,2,3", "4,5,6"], "category", id="lists"),
        pytest.param(["0", "1", "0", "1"], "number", id="0 and 1"),
        pytest.param(["0.07", "0.12", "0.07", "0.12"], "number", id="zeros before a point"),
        pytest.param(["2020-01-31", "2021-02-28", "2020-01-31"], "date", id="dates"),
        pytest.param(["yes", "", "yes", "yes"], "category", id="a mark"),
    ],
)
def test_kinds(tmp_path, cells, kind):
    assert taken(tmp_path, cells)[0].column.kind == kind


@pytest.mark.parametrize(
    ("cells", "name", "why"),
    [
        (["5", "5", "5"], "x", "same value in every row, 5"),
        (["", "NA", "?"], "x", "no values"),
        (["1", "", "", "", "2"], "x", "mostly missing, 3 of 5"),
        (["3", "1", "2"], "customer_id", "identifier"),
        (["-3", "1", "2"], "CustomerID", "identifier"),
        (["0", "1", "2"], "", "identifier"),
        (["ann", "bob", "cleo"], "name", "identifier or free text, different in every row"),
    ],
)
def test_columns_that_say_nothing_are_left_out_unless_chosen(tmp_path, cells, name, why):
    found, _ = taken(tmp_path, cells, name)
    assert found.column is None
    assert why in found.words
    chosen, _ = taken(tmp_path, cells, name, chosen=True)
    assert (chosen.column is None) == (len({c for c in cells if not is_missing(c)}) < 2)


def test_whole_numbers_that_differ_are_kept_unless_their_name_is_that_of_an_identifier(tmp_path):
    assert taken(tmp_path, ["3", "1", "2"], "population")[0].column.kind == "number"
    assert taken(tmp_path, ["3", "1", "1"], "id")[0].column.kind == "number"
    assert taken(tmp_path, ["0.5", "1", "2"], "id")[0].column.kind == "number"


def test_one_word_among_numbers_is_refused_with_its_row(tmp_path):
    cells = [str(i / 2) for i in range(50)]
    with pytest.raises(ValueError, match=r"row 32, column 'x': expected a number.*'5O\.5'.*--drop"):
        taken(tmp_path, [*cells[:30], "5O.5", *cells[30:]])


def test_a_category_of_many_values_is_kept_with_a_warning(tmp_path):
    found, _ = taken(tmp_path, [f"w{i // 2}" for i in range(120)])
    assert len(found.column.words) == 60
    assert "'x' is taken for a category of 60 values" in found.warning
    assert "--drop 'x'" in found.warning


def test_pandas_words_for_missing_values_are_missing():
    from pandas._libs.parsers import STR_NA_VALUES

    assert [word for word in STR_NA_VALUES if not is_missing(word)] == []
    assert is_missing("?")
    assert not any(map(is_missing, ["0", "no", "nothing", "-", "unknown"]))


# Notation and dates, against other readers ------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 3)), min_size=1, max_size=20))
def test_numbers_with_commas_between_thousands_are_read_as_pandas_does(values):
    cells = [f"{value:,}" for value in values]
    notation = notation_of(cells)
    expected = pd.Series(cells).str.replace(",", "").astype(float)
    assert [notation.number(cell) for cell in cells] == expected.tolist()


FORMATS = ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%B %d, %Y"]


@pytest.mark.parametrize("text", FORMATS)
@settings(deadline=None, max_examples=25)
@given(st.lists(st.dates(date(1800, 1, 1), date(2200, 1, 1)), min_size=1, max_size=10))
def test_dates_are_read_as_they_were_written(text, dates):
    found, _ = date_format([day.strftime(text) for day in dates])
    assert found.text == text.replace("%B", "%b")
    days = [found.days(day.strftime(text)) for day in dates]
    assert days == [float((day - date(1970, 1, 1)).days) for day in dates]


def test_the_features_of_dates_are_days_and_places_in_cycles():
    found, _ = date_format(["2020-01-01"])
    days = np.array([found.days(str(date(2020, 1, 1) + timedelta(i))) for i in range(29)])
    features = found.features(days)
    assert features.shape == (29, len(found.parts))
    np.testing.assert_allclose(features[7, 3:5], features[0, 3:5], atol=1e-9)  # a week later
    assert features[28, 0] - features[0, 0] == 28
    hours, _ = date_format(["2020-01-01 06:00"])
    assert hours.parts[-2:] == ("day sin", "day cos")
    quarter = hours.features(np.array([hours.days("2020-01-01 06:00")]))[0, -2:]
    np.testing.assert_allclose(quarter, [1, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("cells", "expected", "ambiguous"),
    [
        (["13/01/2020", "01/02/2020"], "%d/%m/%Y", False),
        (["01/13/2020", "01/02/2020"], "%m/%d/%Y", False),
        (["01/02/2020", "03/04/2020"], "%m/%d/%Y", True),
        (["13/01/2020", "01/13/2020"], None, False),
        (["2020-01-31", "soon"], None, False),
        (["2020-13-01"], None, False),
        (["1949-01", "1949-12"], "%Y-%m", False),
        (["2020-01-31T10:00:00Z"], "%Y-%m-%dT%H:%M:%S%z", False),
        (["1.5", "2.5"], None, False),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_whole_column(cells, expected, ambiguous):
    found, exchangeable = date_format(cells)
    assert (found and found.text, exchangeable) == (expected, ambiguous)


# Tables -----------------------------------------------------------------------------------------


def write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_missing_cells_are_the_mean_of_the_training_rows_and_no_category(tmp_path):
    rows = [f"{i if i % 5 else 'NA'},{'ab'[i % 2] if i % 7 else '?'},{i}.5" for i in range(60)]
    path = write(tmp_path, "x,kind,y\n" + "\n".join(rows))
    with pytest.raises(ValueError, match=r"row 2, column 'x'.*21 cells of 2 columns.*--missing"):
        read_table(path, "y")
    read = learning_table(path, "y", TableOptions(missing="impute"))
    X, y = read.data.X_train, np.floor(read.data.y_train)
    known = y % 5 != 0
    np.testing.assert_array_equal(X[known, 0], y[known])
    np.testing.assert_allclose(X[~known, 0], y[known].mean())
    np.testing.assert_array_equal(X[y % 7 == 0, 1:], 0)
    np.testing.assert_array_equal(X[y % 7 != 0, 1:].sum(axis=1), 1)
    held_out = np.floor(read.data.y_test) % 5 == 0
    np.testing.assert_allclose(read.data.X_test[held_out, 0], y[known].mean())


def test_rows_without_a_target_are_refused_or_left_out_with_a_word(tmp_path):
    path = write(tmp_path, "x,y\n" + "".join(f"{i},{i if i % 4 else ''}\n" for i in range(100)))
    with pytest.raises(ValueError, match=r"row 2, column 'y'.*the target cannot be missing"):
        read_table(path, "y")
    with pytest.warns(UserWarning, match="25 rows have no value of the target 'y'"):
        data = read_table(path, "y", missing="impute")
    assert len(data.y_train) + len(data.y_test) == 75


def test_columns_are_chosen_and_dropped_by_name(tmp_path):
    path = write(tmp_path, "a,b,id,y\n" + "".join(f"{i},{i * i},{i},{i}.5\n" for i in range(30)))
    assert read_table(path, "y").n_features == 2
    assert read_table(path, "y", columns=["b", "id"]).n_features == 2
    assert read_table(path, "y", drop=["a"]).n_features == 1
    for options, words in [
        ({"columns": ["c"]}, "no column 'c'; it has a, b, id, y"),
        ({"drop": ["c"]}, "no column 'c'"),
        ({"drop": ["y"]}, "'y' is the target"),
        ({"drop": ["a", "b", "id"]}, "needs another column besides the target"),
        ({"columns": "ab"}, "columns must be a sequence"),
        ({"columns": []}, "columns must have at least one name, or be None for all; got none"),
        ({"task": "ranking"}, "task must be"),
        ({"missing": "drop"}, "missing must be"),
    ]:
        with pytest.raises(ValueError, match=words):
            read_table(path, "y", **options)


def test_the_task_is_what_is_asked_for(tmp_path):
    rooms = write(tmp_path, "x,rooms\n" + "".join(f"{i},{i % 6}\n" for i in range(60)))
    assert read_table(rooms, "rooms").task == "classification"
    data = read_table(rooms, "rooms", task="regression")
    assert (data.task, data.y_train.dtype) == ("regression", np.float64)
    words = write(tmp_path, "x,y\n" + "1,a\n2,b\n" * 5, "w.csv")
    with pytest.raises(ValueError, match=r"row 2, column 'y': a regression needs numbers.*'a'"):
        read_table(words, "y", task="regression")
    floats = write(tmp_path, "x,y\n" + "".join(f"{i},{i}.5\n" for i in range(60)), "f.csv")
    with pytest.raises(ValueError, match=r"60 different values in 60 rows.*--task regression"):
        read_table(floats, "y", task="classification")


def test_one_class_and_a_constant_target_are_refused_in_plain_words(tmp_path):
    path = write(tmp_path, "x,y\n" + "".join(f"{i},yes\n" for i in range(20)))
    with pytest.raises(ValueError, match=r"target 'y' is 'yes' in every row"):
        read_table(path, "y")
    path = write(tmp_path, "x,y\n" + "".join(f"{i},0.5\n" for i in range(20)))
    with pytest.raises(ValueError, match=r"target 'y' is 0\.5 in every row"):
        read_table(path, "y")


def test_a_target_may_be_money(tmp_path):
    path = write(tmp_path, "x,y\n" + "".join(f'{i},"${1000 * i:,}"\n' for i in range(30)))
    data = read_table(path, "y")
    assert data.task == "regression"
    assert sorted([*data.y_train, *data.y_test]) == [1000.0 * i for i in range(30)]


def test_a_table_without_a_header_is_read_and_one_taken_for_a_header_is_told(tmp_path):
    path = write(tmp_path, "".join(f"{i},{2 * i},{i % 2}\n" for i in range(40)))
    data = read_table(path, "3", header=False)
    assert (data.n_features, data.task, len(data.y_train)) == (2, "classification", 32)
    with pytest.raises(ValueError, match="no column '4'; it has the columns 1 to 3"):
        read_table(path, "4", header=False)
    with pytest.raises(ValueError, match="no-header"):
        read_table(path, "3")
    path = write(tmp_path, "2019,2020,2021\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(9)))
    with pytest.warns(UserWarning, match="has only numbers and is taken for the names"):
        read_table(path, "2021")


def test_a_table_too_large_for_its_categories_is_refused_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("deepreservoir.datasets.columns._MOST_VALUES", 1000)
    path = write(tmp_path, "w,y\n" + "".join(f"w{i // 2},{i % 2}\n" for i in range(90)))
    with pytest.raises(ValueError, match=r"45 features of 90 rows.*'w' has 45 categories.*--drop"):
        read_table(path, "y")


# The description in a file ----------------------------------------------------------------------


def difficult(tmp_path):
    rows = [
        f'{i % 9},"{1000 * i:,}",{date(2020, 1, 1) + timedelta(i)},{"abc"[i % 3]},{i}.5'
        for i in range(60)
    ]
    path = write(tmp_path, "a,money,day,kind,y\n" + "\n".join(rows))
    return path, learning_table(path, "y", TableOptions(missing="impute"))


def test_the_description_of_columns_returns_from_json(tmp_path):
    path, read = difficult(tmp_path)
    again = Columns.from_dict(read.columns.to_dict(), Path("m"))
    assert again == read.columns
    table = TableOptions().open(path)
    np.testing.assert_array_equal(again.encode(table), read.columns.encode(table))


def test_a_description_of_an_older_version_is_read(tmp_path):
    old = {"target": "y", "columns": [["a", None], ["kind", ["NA", "b"]]]}
    columns = Columns.from_dict(old, Path("m"))
    path = write(tmp_path, "a,kind\n1,NA\n2,b\n")
    np.testing.assert_array_equal(
        columns.encode(TableOptions().open(path)), [[1, 1, 0], [2, 0, 1]]
    )  # NA was a category


@pytest.mark.parametrize(
    "change",
    [
        {"target": 1},
        {"columns": []},
        {"columns": [["a"]]},
        {"columns": [["a", [1]]]},
        {"more": 1},
        {"reading": {"more": 1}},
        {"reading": {"missing": "drop"}},
        {"reading": {"means": [1.0, 2.0]}},
        {"reading": {"means": ["a"]}},
        {"reading": {"names": [1]}},
        {"reading": {"kinds": {"b": {"date": "%Y-%m-%d"}}}},
        {"reading": {"kinds": {"a": {"date": "%A"}}}},
        {"reading": {"kinds": {"a": {"thousands": "x"}}}},
        {"reading": {"kinds": {"a": {"decimal": ";"}}}},
        {"reading": {"kinds": {"a": {"unit": "EUR"}}}},
        {"reading": {"kinds": {"a": {"other": ""}}}},
    ],
)
def test_a_malformed_description_is_refused(change):
    data = {"target": "y", "columns": [["a", None]], "reading": {"missing": "error"}}
    assert Columns.from_dict(data, Path("m")).feature_names == ["a"]
    with pytest.raises(ValueError, match="m: the description of the table's columns is malformed"):
        Columns.from_dict(data | change, Path("m"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("5,12 apples,2020-01-01,a", "row 2, column 'money': expected a number with commas"),
        ("5,12,01.02.2020,a", "row 2, column 'day': expected a date such as 2026-01-31"),
        ("five,12,2020-01-01,a", "row 2, column 'a': expected a number, got 'five'"),
        ("1e40,12,2020-01-01,a", "row 2, column 'a': expected a finite number"),
    ],
)
def test_other_rows_must_have_the_kinds_of_the_columns(tmp_path, line, words):
    _, read = difficult(tmp_path)
    path = write(tmp_path, f"a,money,day,kind\n{line}\n", "new.csv")
    with pytest.raises(ValueError, match=words):
        read.columns.encode(TableOptions().open(path))


@pytest.mark.parametrize("name", ["pima-indians-diabetes", "breast-cancer", "housing", "abalone"])
def test_real_tables_are_read_as_pandas_reads_them(name):
    folder = Path(os.environ.get("DEEPRESERVOIR_DATA", "nowhere")) / "tables"
    if not folder.is_dir():
        pytest.skip("needs the tables below DEEPRESERVOIR_DATA")
    frame = pd.read_csv(folder / f"{name}.csv", header=None, na_values=["?"])
    target = str(len(frame.columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = learning_table(
            folder / f"{name}.csv", target, TableOptions(header=False, missing="impute")
        )
    numbers = sum(pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns[:-1])
    kinds = [column.kind for column in read.columns.features]
    assert kinds.count("number") == numbers
    assert len(kinds) == len(frame.columns) - 1
    mean = frame[frame.columns[-2]].mean() if kinds[-1] == "number" else None
    if mean is not None:
        both = np.vstack([read.data.X_train, read.data.X_test])
        np.testing.assert_allclose(both[:, -1].mean(), mean)
