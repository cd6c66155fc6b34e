"""Reading a series from a CSV file."""

import numpy as np
import pytest

from deepreservoir.datasets import read_series, read_time_series


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("day,level,flow\nmonday,1.5,-2\ntuesday,2.5,1e3\n")
    return path


def test_text_columns_are_skipped(path):
    values, names = read_series(path)
    assert names == ("level", "flow")
    np.testing.assert_array_equal(values, [[1.5, -2], [2.5, 1000]])


def test_columns_have_the_requested_order(path):
    values, names = read_series(path, ["flow", "level"])
    assert names == ("flow", "level")
    np.testing.assert_array_equal(values[0], [-2, 1.5])


def test_columns_that_are_not_read_may_have_empty_cells(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("day,v,note,w,\n2024-01-01,1,,,\n2024-01-02,2.5,rain,4,\n2024-01-03,0,,5,\n")
    for chosen in ({"drop": ["w"]}, {"columns": ["v"]}, {"columns": ["v"], "time": "day"}):
        series = read_time_series(path, **chosen)
        assert series.values.tolist() == [[1], [2.5], [0]]
    assert read_time_series(path, drop=["w"]).left_out == {
        "w": "dropped",
        "note": "text",
        "": "empty",
    }
    empty = r"row 2, column 'w': the cell is empty; fill it in or remove the row"
    with pytest.raises(ValueError, match=rf"{empty}, or leave the column out: --drop 'w'"):
        read_time_series(path)
    with pytest.raises(ValueError, match=empty):
        read_time_series(path, ["v", "w"])
    with pytest.raises(ValueError, match=empty):
        read_time_series(path, ["v"], time="w")


def test_an_empty_cell_in_a_column_with_commas_between_thousands_is_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text('v,w\n"1,250",1\n"2,500",3\n,2\n')
    with pytest.raises(ValueError, match="row 4, column 'v': the cell is empty"):
        read_time_series(path)


def test_commas_at_the_ends_of_lines_do_not_make_a_header_of_numbers(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("1,2,\n3,1,\n4,6,\n")
    with pytest.raises(ValueError, match=r"no header: its first row, 1, 2, .*--columns 1,2 "):
        read_time_series(path)
    assert read_time_series(path, header=False).values.tolist() == [[1, 2], [3, 1], [4, 6]]


def test_without_a_column_to_forecast_the_use_of_each_is_said(tmp_path):
    path = tmp_path / "s.csv"
    rows = "".join(f"2024-01-{i + 1:02d},{i % 7},{20 + i / 2} C,\n" for i in range(24))
    path.write_text("day,v,w,\n" + rows)
    uses = r"day \(the time\), v \(dropped\), w \(text\), \(no name\) \(empty\)"
    with (
        pytest.warns(UserWarning, match=r"column 'w': cells such as '20\.0 C' seem to be a number"),
        pytest.raises(ValueError, match=rf"has no numeric column to forecast; it has {uses}"),
    ):
        read_time_series(path, drop=["v"])
    with pytest.warns(UserWarning, match="remove the unit for them to be read as numbers"):
        assert read_time_series(path).names == ("v",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["depth"], "no column 'depth'; it has day, level, flow"),
        ([], "columns must have at least one name"),
        ("level", "columns must be a sequence of names; got 'level'"),
        (["day"], "row 2, column 'day': expected a number, got 'monday'"),
    ],
)
def test_columns_that_cannot_be_read_are_named(path, columns, message):
    with pytest.raises(ValueError, match=message):
        read_series(path, columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,n/a\n5,6\n", r"row 3, column 'b': .* got 'n/a'.*--columns"),
        ("a,b\n1,x\n3,4\n5,6\n", r"row 2, column 'b': .* got 'x'.*--columns"),
        ("1,2\n3,4\n", r"no header: its first row, 1, 2, .*names above it.*--columns 1,2"),
        ("a;b\n1;2\n", "separated by semicolons"),
        ("a;b\n1,5;2,5\n", "separated by semicolons"),
        ("a\tb\n1\t2\n", "separated by tabs"),
    ],
)
def test_a_file_that_can_only_be_read_in_part_is_refused(tmp_path, text, message):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_series(path)


def test_numeric_names_and_bad_columns_are_handled_by_selecting_columns(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("2020,2021\n1,2\n3,4\n")
    np.testing.assert_array_equal(read_series(path, ["2021"])[0], [[2], [4]])
    path.write_text("a,b,who\n1,2,x\n3,n/a,Nan\n")
    np.testing.assert_array_equal(read_series(path, ["a"])[0], [[1], [3]])
    path.write_text("a,who\n1,x\n3,Nan\n")  # a name, and no number
    assert read_series(path)[1] == ("a",)
    path.write_text("level; m\n1\n2\n")
    assert read_series(path)[1] == ("level; m",)


@pytest.mark.parametrize("cell", ["2020_{:02d}", "\uff11{}"], ids=["underscore", "alphabet"])
def test_words_that_only_python_reads_as_numbers_are_skipped(tmp_path, cell):
    path = tmp_path / "s.csv"
    path.write_text(
        "lot,v\n" + "".join(f"{cell.format(i)},{i / 2}\n" for i in range(9)), encoding="utf-8"
    )
    values, names = read_series(path)
    assert names == ("v",)
    np.testing.assert_array_equal(values[:, 0], np.arange(9) / 2)
    with pytest.raises(ValueError, match="row 2, column 'lot': expected a number, got"):
        read_series(path, ["lot"])


def test_a_header_of_words_that_only_python_reads_as_numbers_is_one(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("1_0,2_0\n1,2\n3,4\n")
    assert read_series(path)[1] == ("1_0", "2_0")
