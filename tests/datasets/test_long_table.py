"""Long tables: a row per series and time."""

import numpy as np
import pytest

from deepreservoir.datasets import read_long_table

pytestmark = pytest.mark.host(reason="files are read on the host")

TEXT = """who,t,pulse,temperature,died
b,1.5,70,,no
a,2,62,36.5,
a,0.5,60,NA,yes
b,0,71,37,no
a,1,,36.6,yes
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "long.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_series_are_sorted_by_time(write):
    table = read_long_table(write(TEXT), "who", "t", "died")
    assert table.names == ("b", "a")
    assert table.y.tolist() == ["no", "yes"]
    assert table.series.names == ("pulse", "temperature")
    np.testing.assert_array_equal(table.series[0].values, [[71, 37], [70, np.nan]])
    np.testing.assert_array_equal(
        table.series[1].values, [[60, np.nan], [np.nan, 36.6], [62, 36.5]]
    )
    np.testing.assert_array_equal(table.series[1].times, [0.5, 1, 2])


def test_chosen_channels_and_no_target(write):
    path = write(TEXT)
    table = read_long_table(path, "who", "t", channels=["temperature"])
    assert table.y is None
    assert table.series.names == ("temperature",)
    assert table.series.lengths.tolist() == [1, 3]  # what follows the last observation is left out


def test_dates_are_seconds(write):
    rows = "a,2026-03-01,1\na,2026-03-02T12:00,2\na,2026-03-01T00:00:30+00:00,3\n"
    table = read_long_table(write("id,day,x\n" + rows), "id", "day")
    assert table.series.gaps().tolist() == [0, 30, 1.5 * 86_400 - 30]
    assert table.series.values.ravel().tolist() == [1, 3, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.replace("died", "other"), "has no column 'died'; it has who, t, pulse"),
        (TEXT.replace("a,1,,", "a,2,,"), r"series 'a' has the time 2 twice, in rows 3 and 6"),
        (TEXT.replace("70", "high"), r"row 2, column 'pulse': expected a finite number.*'high'"),
        (TEXT.replace("70", "inf"), "expected a finite number"),
        (TEXT.replace("1.5", "late"), r"row 2, column 't': expected a date.*got 'late'"),
        (TEXT.replace("a,1,", "a,soon,"), r"row 6, column 't': expected a number, got 'soon'"),
        (TEXT.replace("37,no", "37,yes"), r"series 'b' has two values of 'died': 'no' in row 2"),
        (
            TEXT.replace("37,no", "37,9007199254740993").replace("no", "9007199254740992"),
            r"series 'b' has two values of 'died'",
        ),
        (TEXT.replace("yes", ""), "series 'a' has no 'died' in any of its rows"),
        (TEXT + "c,1,,,no\n", "series 'c' has no observation"),
        (TEXT + ",1,2,3,no\n", "row 7, column 'who': the name of the series is empty"),
        (TEXT + "c,1,2\n", "row 7: expected 5 cells as in the header, got 3"),
        (TEXT + 'c,1,2,3,"no\n', "is not a CSV file"),
        ("who,t,pulse,who,died\n", "every column needs a name of its own"),
        ("who,t,pulse,died\n", "must have a header and at least one row"),
        ("who,t,died\na,1,yes\n", "needs a column besides who, t, died"),
        ("", "must have a header"),
    ],
)
def test_bad_tables_say_where(write, text, words):
    with pytest.raises(ValueError, match=words):
        read_long_table(write(text), "who", "t", "died")


def test_other_refusals(write, tmp_path):
    with pytest.raises(ValueError, match=r"must be different columns; got .*'t', 't'"):
        read_long_table(write(TEXT), "who", "t", "t")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="must be a text file in UTF-8; save it as one"):
        read_long_table(tmp_path / "binary", "who", "t")
