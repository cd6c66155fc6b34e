"""Forecasts of a series in a closed loop, and how they are scored."""

import numpy as np
import pytest

from deepreservoir.datasets import lorenz63, read_series
from deepreservoir.esn import nrmse
from deepreservoir.experiments.forecasts.forecast import forecast_series
from deepreservoir.experiments.forecasts.output import save_forecast
from deepreservoir.experiments.forecasts.picture import (
    check_picture,
    save_forecast_picture,
)

RNG = np.random.default_rng(0)
WAVE = 50 + 3 * np.sin(np.arange(400) / 5)[:, None]


def test_lorenz_is_forecast_for_a_while_in_its_own_units():
    series = lorenz63(2600)
    found = forecast_series(series[:2500], 100, test=200, units=300)
    np.testing.assert_allclose(found.values[:50], series[2500:2550], atol=1.0)
    assert found.held_out.valid_time > 60 > found.held_out.persistence_valid_time
    assert found.trained == 3 * 301
    assert not found.diverged


def test_scores_are_of_a_network_that_has_not_seen_the_rows_held_out():
    found = forecast_series(WAVE, 30, test=100, units=50)
    alone = forecast_series(WAVE[:-100], 100, units=50)
    np.testing.assert_array_equal(found.held_out.values, alone.values)
    assert found.held_out.nrmse == nrmse(WAVE[-100:], alone.values)
    still = np.full((100, 1), WAVE[-101, 0])
    assert found.held_out.persistence_nrmse == nrmse(WAVE[-100:], still)


def test_few_noisy_rows_do_not_run_away():
    t = np.arange(400)
    noisy = (np.sin(t / 6) + 0.5 * np.sin(t / 2.3) + 0.3 * RNG.normal(size=400))[:, None]
    found = forecast_series(noisy, 100, test=150)
    assert found.held_out.nrmse < 0.8 < found.held_out.persistence_nrmse
    assert np.abs(found.values).max() < 3


def test_the_file_holds_every_digit(tmp_path):
    found = forecast_series(WAVE, 25, ["level"], units=50)
    path = save_forecast(found, tmp_path / "f.csv")
    values, names = read_series(path)
    assert names == ("level", "level_lower", "level_upper")  # the column step counts the rows
    np.testing.assert_array_equal(values, np.hstack([found.values, found.lower, found.upper]))


@pytest.mark.parametrize("test", [0, 50])
@pytest.mark.parametrize("suffix", ["png", "pdf", "jpg"])
def test_a_picture_for_any_number_of_columns(tmp_path, test, suffix):
    pytest.importorskip("matplotlib")
    found = forecast_series(np.hstack([WAVE, -WAVE]), 25, test=test, units=50)
    path = save_forecast_picture(found, tmp_path / f"f.{suffix}")
    assert (
        path.read_bytes()[:4]
        == {"png": b"\x89PNG", "pdf": b"%PDF", "jpg": b"\xff\xd8\xff\xe0"}[suffix]
    )


def test_a_picture_of_no_known_format_is_refused():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"must end in one of .*\.png.*got 'picture'"):
        check_picture("picture")


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (WAVE[:, 0], {}, r"\(time, n_columns\); got shape \(400,\)"),
        (WAVE, {"horizon": 0}, "horizon must be an integer of at least 1"),
        (WAVE, {"test": -1}, "test must be 0 or at least 2"),
        (WAVE[:19], {}, "at least 20 rows to train on; got 19"),
        (WAVE[:60], {"test": 41}, "got 60, of which 41 are held out"),
        (np.hstack([WAVE, np.ones_like(WAVE)]), {}, "column 'x1' is constant"),
        (np.r_[WAVE, np.ones((9, 1))], {"test": 5}, "constant over the last 5 rows"),
        (WAVE, {"units": 0}, "units must be an integer of at least 1"),
    ],
    ids=range(8),
)
def test_what_cannot_be_forecast_is_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        forecast_series(values, **{"horizon": 10, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 2.5}, "horizon must be an integer of at least 1; got 2.5"),
        ({"test": 2.5}, "test must be 0 or at least 2"),
        ({"interval": "x"}, "interval must be a share between 0 and 1"),
        ({"names": ["a", "b"]}, "names must name each of 1 columns; got 2"),
        ({"random_state": 7}, "the seed of a forecast is seed=7, in place of random_state"),
        ({"readout": "best"}, "readout must be one of 'ridge', 'rls', 'lms'"),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        forecast_series(WAVE, **{"horizon": 3, **options})


@pytest.mark.parametrize("params", [{"ridge": 1e-6}, {"readout": "rls"}])
def test_parameters_that_leave_no_choice_of_a_penalty_hold_nothing_out(params):
    forecast = forecast_series(WAVE, 3, units=50, interval=None, **params)
    assert np.isfinite(forecast.values).all()
