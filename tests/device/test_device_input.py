"""Device arrays as estimators are given them: told apart, checked where they are."""

import numpy as np
import pytest
from device_array import transfers
from sklearn.base import BaseEstimator

from deepreservoir.estimators.base.device_input import (
    checked_array,
    checked_features,
    checked_pair,
    place_of,
)

DATA = np.arange(6.0).reshape(3, 2)


def test_results_are_where_all_arrays_are(cupy):
    there = cupy.asarray(DATA)
    assert place_of("cuda", X=there, y=there, inputs=None) == "cuda"
    assert place_of("cuda", X=[there, there], y=[there, there]) == "cuda"
    for device in ("cpu", "cuda"):
        assert place_of(device, X=DATA, y=[0, 1, 0]) == "cpu"
        assert place_of(device, X=[DATA, DATA.tolist()]) == "cpu"


def test_a_mix_names_both_kinds(cupy):
    there = cupy.asarray(DATA)
    for given, named in [
        ({"X": DATA, "y": there}, r"y is a \w+\.ndarray and X is a numpy\.ndarray"),
        ({"X": there, "y": [0, 1]}, r"X is a \w+\.ndarray and y is a builtins\.list"),
        ({"X": [there, DATA]}, r"X\[0\] is a \w+\.ndarray and X\[1\] is a numpy\.ndarray"),
    ]:
        for device in ("cpu", "cuda"):
            with pytest.raises(TypeError, match=f"{named}.*to_device or to_host"):
                place_of(device, **given)


def test_device_arrays_for_the_cpu_are_refused_with_what_to_do(cupy):
    with pytest.raises(TypeError, match=r"X is a \w+\.ndarray, but .*device='cuda', or .*to_host"):
        place_of("cpu", X=cupy.asarray(DATA))


def test_arrays_stay_where_they_are(cupy):
    there = cupy.asarray(DATA)
    sent, fetched = transfers.to_device, transfers.to_host
    assert checked_array(there) is there
    single = checked_array(there.T, dtype=np.float32)
    assert single.dtype == np.float32
    assert single.flags.c_contiguous
    assert transfers.to_device == sent
    assert transfers.to_host <= fetched + 2  # whether all is finite, twice


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"X must have 2 axes; got shape \(3,\)"),
        (np.zeros((0, 2)), r"X must not be empty; got shape \(0, 2\)"),
        (np.zeros((2, 0)), r"X must not be empty"),
        (np.array([[1.0, np.nan]]), "X contains NaN or infinity"),
        (np.array([[1.0, np.inf]], np.float32), "X contains NaN or infinity"),
        (np.array([[1j]]), "X must hold real numbers; got an array of complex128"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(cupy, values, message):
    with pytest.raises(ValueError, match=message):
        checked_array(cupy.asarray(values))


def test_integers_and_truth_values_are_numbers(cupy):
    for values in (np.ones((2, 2), np.int32), np.ones((2, 2), bool)):
        found = checked_array(cupy.asarray(values))
        np.testing.assert_array_equal(found.get(), np.ones((2, 2)))
        assert found.dtype == np.float64


def test_the_number_of_features_is_set_once_and_held(cupy):
    model = BaseEstimator()
    checked_features(model, cupy.asarray(DATA), reset=True)
    assert model.n_features_in_ == 2
    checked_features(model, cupy.asarray(DATA[:1]), reset=False)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 2"):
        checked_features(model, cupy.asarray(DATA.T), reset=False)


def test_rows_of_x_and_y_belong_together(cupy):
    model, X = BaseEstimator(), cupy.asarray(DATA)
    for shape in [(3,), (3, 1), (3, 4)]:
        _, y = checked_pair(model, X, cupy.ones(shape, np.float32), reset=True)
        assert (y.shape, y.dtype) == (shape, np.float64)
    _, labels = checked_pair(model, X, cupy.arange(3), reset=True, y_dtype=None)
    assert labels.dtype.kind == "i"
    with pytest.raises(ValueError, match="the same number of rows; got 3 and 2"):
        checked_pair(model, X, cupy.ones(2), reset=True)
    with pytest.raises(ValueError, match="y contains NaN"):
        checked_pair(model, X, cupy.full(3, np.nan), reset=True)
