"""A user's own series from a CSV file."""

import numpy as np
import pytest

from deepreservoir.datasets import read_series


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("day,level,flow\nmonday,1.5,-2\ntuesday,2.5,1e3\n")
    return path


def test_columns_of_words_are_left_out(path):
    values, names = read_series(path)
    assert names == ("level", "flow")
    np.testing.assert_array_equal(values, [[1.5, -2], [2.5, 1000]])


def test_columns_come_in_the_order_asked_for(path):
    values, names = read_series(path, ["flow", "level"])
    assert names == ("flow", "level")
    np.testing.assert_array_equal(values[0], [-2, 1.5])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["depth"], "no column 'depth'; it has day, level, flow"),
        (["day"], "row 2, column 'day': expected a number, got 'monday'"),
    ],
)
def test_columns_that_cannot_be_read_are_named(path, columns, message):
    with pytest.raises(ValueError, match=message):
        read_series(path, columns)
