"""The labels that follow those of a DataFrame."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from deepreservoir.frames import RowLabels, column_names, framed, is_frame

LOOSE = {"exact": False, "check_freq": False}
ENDLESS = [
    pd.date_range("2024-01-31", periods=30, freq="ME", name="month"),
    pd.date_range("2024-01-01", periods=30, freq="B"),
    pd.date_range("2024-03-20 00:00", periods=30, freq="D", tz="Europe/Berlin"),
    pd.date_range("2024-03-30 12:00", periods=30, freq="h", tz="Europe/Berlin"),
    pd.period_range("2024Q1", periods=30, freq="Q"),
    pd.timedelta_range("1h", periods=30, freq="15min"),
    pd.RangeIndex(30),
    pd.RangeIndex(30, 0, -1),
    pd.Index(np.arange(1990, 2020), name="YEAR"),
]


@pytest.mark.parametrize("index", ENDLESS, ids=lambda index: str(index[0]))
@pytest.mark.parametrize("with_freq", [True, False])
def test_labels_go_on_as_they_did(index, with_freq):
    known = index[:20]
    if not with_freq and isinstance(known, pd.DatetimeIndex):
        known = pd.DatetimeIndex(known, freq=None)
    pd.testing.assert_index_equal(RowLabels.of(known).after(10), index[20:], **LOOSE)
    pd.testing.assert_index_equal(RowLabels.of(known).after(8, 2), index[22:], **LOOSE)


@pytest.mark.parametrize("index", ENDLESS[:4], ids=lambda index: str(index[0]))
def test_gaps_do_not_matter(index):
    known = index[:20].delete(7)
    pd.testing.assert_index_equal(RowLabels.of(known).after(10), index[20:], **LOOSE)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(list("abc")),
        pd.DatetimeIndex(["2024-01-01", "2024-01-05", "2024-03-02"]),
        pd.DatetimeIndex(["2024-01-01", "2024-01-01", "2024-01-02"]),
        pd.DatetimeIndex(["2024-01-01", "NaT", "2024-01-02"]),
        pd.MultiIndex.from_tuples([(0, 1), (0, 2)]),
        pd.Index([1.0, 2.0, 4.0]),
        pd.Index([1, 1, 1]),
        pd.RangeIndex(1),
    ],
    ids=range(8),
)
def test_labels_that_cannot_go_on_are_warned_of_and_numbered(index):
    with pytest.warns(UserWarning, match="numbered from 1"):
        found = RowLabels.of(index).after(3)
    assert list(found) == [1, 2, 3]
    assert found.name == "step"


def test_frames_and_their_names():
    frame = framed(np.ones((2, 1)), pd.RangeIndex(2), ["a"])
    assert is_frame(frame)
    assert is_frame(frame["a"])
    assert not is_frame(frame.to_numpy())
    assert column_names(frame) == column_names(frame["a"].rename("a")) == ["a"]


@pytest.mark.slow
def test_pandas_is_optional():
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import numpy as np; from deepreservoir import EchoStateRegressor\n"
        "x = np.sin(np.arange(60) / 5)[:, None]\n"
        "print(EchoStateRegressor(20, random_state=0).fit(x[:-1], x[1:]).forecast(3).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(3, 1)"
