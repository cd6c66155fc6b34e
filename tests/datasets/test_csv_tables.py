"""Reading a CSV file as a task: encoding of columns, split and scaling."""

import csv

import numpy as np
import pytest

from deepreservoir.datasets import read_table
from deepreservoir.datasets.base import split_dataset, standardised
from deepreservoir.datasets.cells import Table


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def column(rows) -> str:
    """Return a CSV of a feature x = 0, 1, ... and a target y."""
    return "x,y\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows))


def both(data):
    return np.vstack([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])


# Which task ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "task"),
    [
        pytest.param(["a", "b"], "classification", id="words"),
        pytest.param(["0", "1"], "classification", id="0 and 1"),
        pytest.param(["1.0", "2.0"], "classification", id="whole numbers with a point"),
        pytest.param([str(i) for i in range(20)], "classification", id="20 whole numbers"),
        pytest.param([str(i) for i in range(21)], "regression", id="21 whole numbers"),
        pytest.param(["-1", "1"], "classification", id="negative whole numbers"),
        pytest.param(["0.5", "1"], "regression", id="a fraction"),
        pytest.param(["1e-3", "2"], "regression", id="an exponent"),
        pytest.param(["1", "2", "x"], "classification", id="numbers and a word"),
    ],
)
def test_the_target_decides_the_task(write, values, task):
    data = read_table(write(column(values * 5)), "y")
    assert data.task == task
    _, y = both(data)
    if task == "classification":
        assert set(y) == set(values)
    else:
        assert sorted(y) == sorted(float(value) for value in values * 5)


# Features --------------------------------------------------------------------


def test_rows_keep_their_target(write):
    data = read_table(write("x,y\n" + "".join(f"{i},{2 * i + 0.5}\n" for i in range(30))), "y")
    X, y = both(data)
    assert len(y) == 30
    # Scaling is one rising line, so x and y correlate exactly if rows stayed together.
    assert np.corrcoef(X[:, 0], y)[0, 1] == pytest.approx(1, abs=1e-6)


def test_the_target_is_not_a_feature_wherever_it_is(write):
    text = "a,y,b\n" + "".join(f"{i}.5,{i}.5,{i * i}\n" for i in range(10))
    assert read_table(write(text), "y").n_features == 2
    assert read_table(write(text), "a").n_features == 2


def test_text_is_one_hot_encoded(write):
    colours = ["red", "green", "blue", "green"] * 5
    text = "n,colour,y\n" + "".join(f"{i},{c},{i}.5\n" for i, c in enumerate(colours))
    data = read_table(write(text), "y")
    X, y = both(data)
    assert X.shape == (20, 4)
    truth = np.array(colours)[np.floor(y).astype(int)]  # y says which row it was
    for values, name in zip(X[:, 1:].T, ["blue", "green", "red"], strict=True):
        assert len(np.unique(values)) == 2
        np.testing.assert_array_equal(values > 0, truth == name)


@pytest.mark.parametrize(
    "cells",
    [["18_25", "26_35"], ["1_000", "2_000"], ["0x10", "0x11"], ["\uff11", "\uff12"]],
    ids=str,
)
def test_words_that_only_python_reads_as_numbers_are_text(write, cells):
    rows = "".join(f"{cells[i % 2]},{i}.5,{'ab'[i % 2]}\n" for i in range(20))
    data = read_table(write(f"band,x,y\n{rows}"), "y")
    assert data.X_train.shape[1] == 3
    assert read_table(write(column(cells * 10)), "y").task == "classification"
    assert set(read_table(write(column(cells * 10)), "y").y_train) == set(cells)


def test_quoted_cells_may_contain_commas_quotes_and_line_ends(write):
    cells = ['"a, b"', '"c ""d"" e"', '"f\ng"', 'h "i" j']
    data = read_table(write(column(cells * 5)), "y")
    assert set(both(data)[1]) == {"a, b", 'c "d" e', "f\ng", 'h "i" j'}


def test_byte_order_mark_quotes_spaces_and_line_ends_are_ignored(write):
    rows = [(f"v{i % 2}", i) for i in range(10)]
    plain = read_table(write("y,x\n" + "".join(f"{y},{x}\n" for y, x in rows)), "y")
    dressed = '"y" , x\r\n' + "".join(f' {y},"{x}" \r\n' for y, x in rows) + "\r\n"
    other = read_table(write(dressed, "table.csv", "utf-8-sig"), "y")
    np.testing.assert_array_equal(plain.X_train, other.X_train)
    np.testing.assert_array_equal(plain.y_train, other.y_train)


def test_names_and_text_may_use_any_alphabet(write):
    data = read_table(write("größe,κλάση\n" + "1,да\n2,нет\n" * 5), "κλάση")
    assert set(data.y_train) == {"да", "нет"}


def test_the_name_is_that_of_the_file(write):
    assert read_table(write(column("ab" * 5), "measured.csv"), "y").name == "measured"


# Split and scale -------------------------------------------------------------


def test_a_fifth_is_held_out_by_class_and_always_the_same(write):
    path = write(column(["a"] * 40 + ["b"] * 10))
    one, two = read_table(path, "y"), read_table(path, "y")
    assert sorted(one.y_test) == ["a"] * 8 + ["b"] * 2
    np.testing.assert_array_equal(one.X_train, two.X_train)
    np.testing.assert_array_equal(one.X_test, two.X_test)
    np.testing.assert_array_equal(one.y_test, two.y_test)


def test_no_row_is_in_both_parts():
    X = np.arange(50.0)[:, None]
    data = split_dataset("t", X, X[:, 0] / 7, "regression")
    assert len(data.X_test) == 10
    assert sorted(np.vstack([data.X_train, data.X_test])[:, 0]) == list(range(50))
    np.testing.assert_array_equal(data.y_test, data.X_test[:, 0] / 7)


def test_features_are_standardised_by_the_training_rows_only(write):
    generator = np.random.default_rng(0)
    text = "a,b,y\n" + "".join(
        f"{a},{b},{i}.5\n"
        for i, (a, b) in enumerate(zip(generator.normal(5, 3, 40), range(40), strict=True))
    )
    data = read_table(write(text), "y")
    assert data.X_train.dtype == data.X_test.dtype == np.float32
    np.testing.assert_allclose(data.X_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.X_train.std(axis=0), 1, atol=1e-6)
    # Held-out rows take the training rows' line: b was 0, 1, ..., so y tells its place on it.
    b_train, b_test = np.floor(data.y_train), np.floor(data.y_test)
    expected = (b_test - b_train.mean()) / b_train.std()
    np.testing.assert_allclose(data.X_test[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize("value", [7.0, 0.1, 0.3, 0.001, 123.456])
@pytest.mark.parametrize("n", [4, 333])
def test_a_constant_column_becomes_zero(value, n):
    train, test = standardised(np.full((n, 1), value), np.array([[value], [2 * value]]))
    np.testing.assert_allclose(train, 0, atol=1e-9)
    np.testing.assert_allclose(test[:, 0], [0, value], rtol=1e-6, atol=1e-9)


def test_too_many_classes_for_stratification_are_still_split(write):
    data = read_table(write(column([f"c{i // 2}" for i in range(30)])), "y")
    assert len(data.y_test) == 6


def test_cells_may_be_long_texts(tmp_path):
    path = tmp_path / "texts.csv"
    texts = ["word " * 60_000 + str(i) for i in range(6)]
    path.write_text("t,y\n" + "".join(f'"{text}",{i % 2}\n' for i, text in enumerate(texts)))
    limit = csv.field_size_limit()
    assert list(Table(path).columns["t"]) == texts
    assert csv.field_size_limit() == limit
    path.write_text("t,y\n" + '"' + texts[0])
    with pytest.raises(ValueError, match="row 2: not a row of a CSV file"):
        Table(path)
    assert csv.field_size_limit() == limit
