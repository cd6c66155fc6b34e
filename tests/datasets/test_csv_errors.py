"""Malformed tables: each is refused with a ValueError that locates the fault."""

import pytest

from deepreservoir.datasets import read_table

ROWS = "1,a\n2,b\n" * 5


@pytest.fixture
def refusal(tmp_path):
    """Return a function from the content of a file to the error message."""

    def refusal(content, target="y"):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ValueError, match=r".") as caught:
            read_table(path, target)
        return str(caught.value)

    return refusal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x,y\n1,a\n,b\n", ["row 3", "'x'", "empty"], id="empty feature"),
        pytest.param("x,y\n1,a\n2,\n", ["row 3", "'y'", "empty"], id="empty target"),
        pytest.param("x,y\n1,a\n2,  \n", ["row 3", "'y'", "empty"], id="blank target"),
        pytest.param("x,y\n1\n", ["row 2", "2 cells", "got 1"], id="too few cells"),
        pytest.param("x,y\n1,a\n1,a,7\n", ["row 3", "2 cells", "got 3"], id="too many cells"),
        pytest.param("x,x,y\n1,2,a\n", ["more than once", "'x'"], id="duplicate column"),
        pytest.param("x, x,y\n1,2,a\n", ["more than once", "'x'"], id="duplicate but for a space"),
        pytest.param("x,z\n" + ROWS, ["'y'", "x, z"], id="missing target"),
        pytest.param("y\n" + "a\nb\n" * 5, ["'y'", "beside"], id="one column"),
        pytest.param("", ["header", "at least one row"], id="empty file"),
        pytest.param("x,y\n", ["header", "at least one row"], id="header alone"),
        pytest.param("x,y\n1,a\n", ["at least 2 rows"], id="one row, a class"),
        pytest.param("x,y\n" + ROWS + "3,c\n", ["at least 2 rows", "'c'"], id="a rare class"),
    ],
)
def test_a_malformed_table_is_refused_with_the_place_of_the_fault(refusal, text, words):
    message = refusal(text)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_by_row_and_column(refusal, cell):
    rows = "".join(f"{i},{i}.5\n" for i in range(6))
    message = refusal(f"x,y\n{rows}{cell},1\n")
    assert "row 8" in message
    assert "'x'" in message
    message = refusal(f"x,y\n{rows}1,{cell}\n")
    assert "row 8" in message
    assert "'y'" in message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("größe,y\n1,a\n".encode("latin-1"), id="latin-1"),
        pytest.param("x,y\n1,a\n".encode("utf-16"), id="utf-16"),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xfe", id="a picture"),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_by_name(refusal, content):
    message = refusal(content)
    assert "UTF-8" in message
    assert "table.csv" in message


def test_a_missing_file_raises_an_os_error_with_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_table(tmp_path / "nothing.csv", "y")


def test_a_cell_too_long_for_the_reader_is_refused(refusal):
    assert "table.csv" in refusal("x,y\n" + "a" * 200_000 + ",1\n2,2\n")


LINES = [f"{i}.5,{'red' if i % 2 else 'blue'},note" for i in range(100)]


@pytest.mark.parametrize(
    ("line", "end"),
    [
        pytest.param('60.5,"blue,note', "", id="to the end of the file"),
        pytest.param('60.5,blue,"note', "", id="in the last cell"),
        pytest.param('60.5,"blue,note', '1.5,"red",note\n', id="up to a quoted cell"),
        pytest.param('60.5,"blue,' + "note" * 50_000, "", id="beyond the longest cell"),
    ],
)
def test_a_quote_that_is_not_closed_is_refused_by_row(refusal, line, end):
    lines = [*LINES[:60], line, *LINES[61:]]
    message = refusal("x,y,note\n" + "\n".join(lines) + "\n" + end)
    assert "table.csv, row 62: not a row of a CSV file" in message
    assert "A quote that begins a cell must also end it" in message
    assert len(message) < 400


def test_the_row_named_is_the_line_of_the_file_after_blank_lines_too(refusal):
    assert "row 5" in refusal("x,y\n\n1,a\n\n2\n")


def test_a_regression_with_one_row_is_refused(refusal):
    message = refusal("x,y\n1,2.5\n")
    assert "table" in message
    assert "rows" in message


def test_every_class_of_a_small_table_is_in_the_training_rows(tmp_path):
    path = tmp_path / "table.csv"
    labels = ["b" if i in (2, 7) else "a" for i in range(9)]
    path.write_text("x,y\n" + "".join(f"{i},{y}\n" for i, y in enumerate(labels)))
    assert set(read_table(path, "y").y_train) == {"a", "b"}
