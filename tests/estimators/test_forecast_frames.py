"""Forecasts of series that are DataFrames, and many forecasts of one series."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from deepreservoir import EchoStateRegressor

DAYS = pd.date_range("2024-01-01", periods=220, name="when")
WAVE = pd.DataFrame({"a": np.sin(np.arange(220) / 5), "b": np.cos(np.arange(220) / 5)}, index=DAYS)
KNOWN, AHEAD = WAVE[:200], WAVE[200:]


def fitted(X, y, **params):
    return EchoStateRegressor(50, random_state=0, **params).fit(X, y)


def test_the_index_and_the_columns_continue():
    model = fitted(KNOWN[:-1], KNOWN[1:])
    wanted = model._forecast_array(20, None, None)
    pd.testing.assert_frame_equal(
        model.forecast(20), pd.DataFrame(wanted, AHEAD.index, ["a", "b"]), check_freq=False
    )
    np.testing.assert_allclose(wanted, AHEAD, atol=0.05)
    pd.testing.assert_frame_equal(model.forecast(20, KNOWN), model.forecast(20), atol=1e-5)


def test_values_are_those_of_arrays():
    framed = fitted(KNOWN[:-1], KNOWN[1:])
    plain = fitted(KNOWN[:-1].to_numpy(), KNOWN[1:].to_numpy())
    np.testing.assert_array_equal(framed.forecast(9).to_numpy(), plain.forecast(9))
    assert isinstance(plain.forecast(9), np.ndarray)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of names
        assert isinstance(framed.forecast(9, KNOWN.to_numpy()), np.ndarray)
        assert isinstance(plain.forecast(9, KNOWN), pd.DataFrame)


@pytest.mark.parametrize("form", ["shifted labels", "array", "one column", "series", "labels of X"])
def test_the_first_label_is_after_the_last_target_in_every_form_of_y(form):
    shifted = KNOWN.shift(-1)[:-1]  # the targets have the labels of their inputs
    y = {
        "shifted labels": KNOWN[1:],
        "array": KNOWN[1:].to_numpy(),
        "labels of X": shifted,
        "one column": KNOWN[["a"]][1:],
        "series": KNOWN["a"][1:],
    }[form]
    X = KNOWN[:-1] if np.shape(y)[1:] == (2,) else KNOWN[["a"]][:-1]
    found = fitted(X, y).forecast(20)
    pd.testing.assert_index_equal(found.index, AHEAD.index, exact=False)
    assert list(found.columns) == list(X.columns)


def test_known_inputs_give_their_index():
    model = fitted(KNOWN[["a"]], KNOWN["b"])
    for inputs in (AHEAD[["a"]], AHEAD[["a"]].to_numpy()):
        found = model.forecast(20, inputs=inputs)
        pd.testing.assert_index_equal(found.index, AHEAD.index, exact=False)
        assert list(found.columns) == ["b"]


def test_a_list_of_frames_gives_a_list():
    model = fitted([KNOWN[:99], KNOWN[:149]], [KNOWN[1:100], KNOWN[1:150]])
    pd.testing.assert_index_equal(model.forecast(3).index, DAYS[150:153], exact=False)
    first, second = model.forecast(3, [KNOWN[:70], KNOWN])
    pd.testing.assert_index_equal(first.index, DAYS[70:73], exact=False)
    pd.testing.assert_index_equal(second.index, DAYS[200:203], exact=False)
    assert model.forecast(3, np.stack([KNOWN, KNOWN])).shape == (2, 3, 2)


def test_partial_fit_moves_the_end_and_a_pickle_keeps_it():
    model = fitted(KNOWN[:98], KNOWN[1:99]).partial_fit(KNOWN[99:-1], KNOWN[100:])
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_index_equal(again.forecast(4).index, DAYS[200:204], exact=False)


def test_arrays_after_frames_are_arrays_again():
    model = fitted(KNOWN[:-1], KNOWN[1:])
    model.fit(KNOWN[:-1].to_numpy(), KNOWN[1:].to_numpy())
    assert isinstance(model.forecast(2), np.ndarray)


def test_rows_that_are_newest_first_are_warned_of():
    back = KNOWN[::-1]
    with pytest.warns(UserWarning, match=r"newest first.*sort_index") as caught:
        fitted(back[:-1], back[1:])
    assert caught[0].filename == __file__


@pytest.mark.parametrize("feedback", [False, True])
@pytest.mark.parametrize("units", [40, (30, 20)])
def test_historical_forecasts_are_those_from_each_start(feedback, units):
    x = WAVE.to_numpy()
    model = EchoStateRegressor(units, random_state=0, feedback=feedback, dtype="float64")
    model.fit(x[:99], x[1:100])
    starts = [1, 2, 57, 120, 220]
    found = model.historical_forecasts(6, x, starts)
    for start, forecast in zip(starts, found, strict=True):
        np.testing.assert_allclose(forecast, model.forecast(6, x[:start]), atol=1e-10)


def test_historical_forecasts_of_a_long_series_cross_the_blocks_of_states():
    x = np.sin(np.arange(9000) / 5)[:, None]
    model = EchoStateRegressor(20, random_state=0, dtype="float64").fit(x[:500], x[1:501])
    starts = [1023, 1024, 1025, 4096, 8192, 9000]
    found = model.historical_forecasts(2, x, starts)
    for start, forecast in zip(starts, found, strict=True):
        np.testing.assert_allclose(forecast, model.forecast(2, x[:start]), atol=1e-10)


@pytest.mark.parametrize(
    ("starts", "n_steps", "words"),
    [
        ([0, 5], 3, "from 1 to 220"),
        ([5, 221], 3, "from 1 to 220"),
        ([5, 5], 3, "increasing"),
        ([], 3, "increasing"),
        ([1.5], 3, "increasing"),
        ([5], 0, "n_steps must be"),
    ],
)
def test_starts_that_cannot_be_are_refused(starts, n_steps, words):
    model = fitted(KNOWN[:99].to_numpy(), KNOWN[1:100].to_numpy())
    with pytest.raises(ValueError, match=words):
        model.historical_forecasts(n_steps, WAVE.to_numpy(), starts)


def test_several_series_have_no_common_starts():
    x = KNOWN.to_numpy()
    model = fitted(x[:99], x[1:100])
    with pytest.raises(ValueError, match="one series"):
        model.historical_forecasts(3, [x, x], [5])
