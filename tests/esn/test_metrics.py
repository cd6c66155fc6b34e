"""Normalised error and valid prediction time: manual results, invariances and edge cases."""

import numpy as np
import pytest

from deepreservoir.esn.metrics import nrmse, valid_prediction_time

pytestmark = pytest.mark.host(reason="errors of forecasts are computed on the CPU")


def series(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape)


def test_nrmse_by_hand():
    # Errors 1, 0, 0, 1; mean square 1/2; the variance of 0, 2, 4, 6 is 5.
    assert nrmse([0, 2, 4, 6], [1, 2, 4, 5]) == pytest.approx(np.sqrt(0.5 / 5))


def test_nrmse_is_the_mean_over_outputs():
    true, pred = series(50, 3), series(50, 3, seed=1)
    each = [nrmse(true[:, i], pred[:, i]) for i in range(3)]
    assert nrmse(true, pred) == pytest.approx(np.mean(each))
    assert max(each) > min(each)


def test_nrmse_of_the_mean_is_one_and_of_the_truth_zero():
    true = series(30, 2)
    assert nrmse(true, np.broadcast_to(true.mean(axis=0), true.shape)) == pytest.approx(1)
    assert nrmse(true, true) == 0


def test_nrmse_squared_is_one_minus_r2():
    r2_score = pytest.importorskip("sklearn.metrics").r2_score
    true, pred = series(40), series(40, seed=2)
    assert nrmse(true, pred) ** 2 == pytest.approx(1 - r2_score(true, pred))


@pytest.mark.parametrize("metric", [nrmse, valid_prediction_time])
def test_units_and_offsets_of_an_output_do_not_matter(metric):
    true = series(60, 2)
    pred = true + np.linspace(0, 1, 60)[:, None] * series(60, 2, seed=1)
    scale, shift = np.array([1000.0, 0.01]), np.array([-5.0, 2.0])
    moved = metric(true * scale + shift, pred * scale + shift)
    assert moved == pytest.approx(metric(true, pred))


@pytest.mark.parametrize("metric", [nrmse, valid_prediction_time])
def test_a_single_column_equals_a_vector(metric):
    true, pred = series(20), series(20, seed=1)
    assert metric(true[:, None], pred[:, None]) == metric(true, pred)
    assert metric(true.tolist(), pred.tolist()) == metric(true, pred)


def test_valid_time_by_hand():
    # Spread 1: errors are their own units, and 0.4 itself is still valid.
    true = np.array([-1.0, 1, -1, 1, -1, 1])
    pred = true + np.array([0, 0.25, -0.4, 0.41, 0, 5])
    assert valid_prediction_time(true, pred) == 3
    assert valid_prediction_time(true, pred, dt=0.5) == 1.5
    assert valid_prediction_time(true, pred, threshold=0.3) == 2
    assert valid_prediction_time(true, pred, threshold=0.5) == 5
    assert valid_prediction_time(true, pred, dt=0.1, threshold=10) == pytest.approx(0.6)


def test_valid_time_uses_the_root_mean_square_over_outputs():
    true = np.array([[-1.0, -10], [1, 10], [-1, -10], [1, 10]])
    pred = true.copy()
    pred[1] += [0.5, 0]  # sqrt(0.25 / 2) = 0.354
    pred[2] += [0.5, 3]  # sqrt((0.25 + 0.09) / 2) = 0.412
    assert valid_prediction_time(true, pred) == 2
    assert valid_prediction_time(true, pred, threshold=0.35) == 1
    assert valid_prediction_time(true, pred, threshold=0.42) == 4


def test_valid_time_is_zero_if_the_first_row_fails():
    true = series(10)
    assert valid_prediction_time(true, true + 10) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
def test_a_forecast_is_valid_until_it_diverges(bad):
    true = series(10, 2)
    pred = true.copy()
    pred[6:, 1] = bad
    assert valid_prediction_time(true, pred) == 6
    assert nrmse(true, pred) == np.inf


def test_float32_predictions_are_scored_in_float64():
    true = 1e4 + series(1000)
    pred = (true - 1e4).astype(np.float32).astype(np.float64) + 1e4
    assert nrmse(true.astype(np.float32), true.astype(np.float32)) == 0
    assert nrmse(true, pred) < 1e-6


@pytest.mark.parametrize("metric", [nrmse, valid_prediction_time])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.arange(5.0), np.arange(4.0), r"must have the same shape; got \(5,\) and \(4,\)"),
        (np.ones((5, 1)), np.ones(5), r"must have the same shape; got \(5, 1\) and \(5,\)"),
        (np.ones((5, 2)), np.ones((2, 5)), "must have the same shape"),
        (np.ones((2, 5, 1)), np.ones((2, 5, 1)), r"y_true must be .*; got shape \(2, 5, 1\)"),
        (np.float64(1), np.float64(1), r"y_true must be .*; got shape \(\)"),
        ([], [], r"y_true must be .*; got shape \(0,\)"),
        (np.arange(3.0), np.ones((3, 0)), r"y_pred must be .*; got shape \(3, 0\)"),
        (["a", "b"], ["a", "b"], "y_true must hold real numbers; got an array of <U1"),
        ([1.0, 2.0], [1j, 2j], "y_pred must hold real numbers; got an array of complex128"),
        ([1.0, np.nan], [1.0, 2.0], "y_true must be finite; row 1 holds NaN or infinity"),
        ([0.1] * 7, np.arange(7.0), "output 0 is constant over 7 rows"),
        ([[1.0, 3], [2, 3]], [[1.0, 3], [2, 3]], "output 1 is constant over 2 rows"),
        ([1.0], [1.0], "output 0 is constant over 1 rows"),
    ],
)
def test_bad_arrays_are_refused(metric, true, pred, message):
    with pytest.raises(ValueError, match=message):
        metric(true, pred)


@pytest.mark.parametrize("name", ["dt", "threshold"])
@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf])
def test_a_bad_dt_or_threshold_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive finite number; got"):
        valid_prediction_time(series(5), series(5), **{name: value})


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_errors_do_not_depend_on_the_unit(unit):
    truth, forecast = np.sin(np.arange(50.0)), np.sin(np.arange(50.0) + 0.1)
    assert nrmse(unit * truth, unit * forecast) == pytest.approx(nrmse(truth, forecast))
