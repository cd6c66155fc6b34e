"""The steps between times, against pandas' own offsets."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir.time_steps import TimeStep, find_step

START = pd.Timestamp("2019-12-31 06:30")
# pandas' offsets, and what they are called here.
OFFSETS = {
    "YS": "yearly",
    "QE": "quarterly",
    "MS": "monthly",
    "ME": "monthly",
    "2MS": "every 2 months",
    "24MS": "every 2 years",
    "W": "weekly",
    "B": "every weekday",
    "D": "daily",
    "3D": "every 3 days",
    "h": "hourly",
    "6h": "every 6 hours",
    "15min": "every 15 minutes",
    "min": "every minute",
    "10s": "every 10 seconds",
    "250ms": "every 250 milliseconds",
}


@pytest.mark.parametrize(("offset", "words"), OFFSETS.items())
def test_times_continue_as_those_of_pandas(offset, words):
    times = pd.date_range(START, periods=50, freq=offset).to_numpy()
    step = find_step(times[:30])
    assert str(step) == words
    np.testing.assert_array_equal(step.after(times[29], 20), times[30:])
    assert not len(step.missing(times))


@settings(deadline=None)
@given(
    offset=st.sampled_from(list(OFFSETS)),
    gone=st.lists(st.integers(1, 97), max_size=4, unique=True),
)
def test_missing_times_are_found_and_do_not_change_the_step(offset, gone):
    times = pd.date_range(START, periods=100, freq=offset).to_numpy()
    kept = np.delete(times, gone)
    step = find_step(kept)
    np.testing.assert_array_equal(step.missing(kept), times[sorted(gone)])
    np.testing.assert_array_equal(step.after(kept[-2], 1), kept[-1:])


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01"],
        ["2024-01-01", "2024-01-02", "2024-01-09", "2024-01-11"],
        pd.date_range("2024-01-01", periods=60).delete(range(4, 60, 5)),  # a fifth is missing
        np.datetime64("2024-01-01") + np.cumsum(np.random.default_rng(0).integers(1, 9, 60)),
    ],
    ids=["one", "irregular", "gaps", "random"],
)
def test_irregular_times_have_no_step(times):
    assert find_step(np.array(times, "datetime64[us]")) is None


def test_a_day_that_a_month_lacks_is_its_last_one():
    times = np.array(["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"], "datetime64[D]")
    step = find_step(times)
    assert step == TimeStep("months", 1, 30)
    later = step.after(np.datetime64("2025-01-30"), 2)
    np.testing.assert_array_equal(
        later.astype(str), ["2025-02-28T00:00:00.000000", "2025-03-30T00:00:00.000000"]
    )


@pytest.mark.parametrize(
    ("offset", "seasons"),
    [
        ("YS", []),
        ("QE", [4]),
        ("MS", [12]),
        ("W", [52]),
        ("D", [7, 365]),
        ("B", [5, 261]),
        ("h", [24, 168, 8766]),
        ("6h", [4, 28, 1461]),
    ],
)
def test_seasons_of_the_calendar(offset, seasons):
    assert find_step(pd.date_range(START, periods=30, freq=offset).to_numpy()).seasons() == seasons
