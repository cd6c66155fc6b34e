"""Prediction intervals from earlier forecasts, and the forecasts that they are compared with."""

import numpy as np
import pandas as pd
import pytest

from deepreservoir.experiments.forecasts.backtest import backtest, first_start, measured_horizon
from deepreservoir.experiments.forecasts.forecast import forecast_series
from deepreservoir.experiments.forecasts.season import season_of

RHO = 0.8


def autoregression(n, seed):
    """Return x[t] = RHO x[t - 1] + a standard normal number, from its stationary state."""
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = rng.normal() / np.sqrt(1 - RHO**2)
    for t in range(1, n):
        x[t] = RHO * x[t - 1] + rng.normal()
    return x[:, None]


def train_on_nothing(known):
    """Return the forecast of least squared error of an autoregression; see `Train`."""

    def forecasts(values, starts, n_steps):
        return values[starts - 1][:, None] * RHO ** np.arange(1, n_steps + 1)[:, None]

    return forecasts


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_intervals_cover_the_future_of_a_known_process_at_their_level(level):
    inside = []
    for seed in range(300):
        x = autoregression(410, seed)
        found = backtest(x[:400], 10, level, train_on_nothing, None)
        ahead = train_on_nothing(None)(x[:400], np.array([400]), 10)[0]
        inside.append(np.abs(ahead - x[400:]) <= found.half_widths)
    # The width never decreases with the step, so that the coverage is a little above the level.
    assert level - 0.03 < np.mean(inside) < level + 0.05
    assert np.mean(inside, axis=0).min() > level - 0.06


def test_widths_approach_those_of_the_process():
    found = backtest(autoregression(40_000, 0), 8, 0.9, train_on_nothing, None)
    deviations = np.sqrt(np.cumsum(RHO ** (2 * np.arange(8))))
    np.testing.assert_allclose(found.half_widths[:, 0], 1.645 * deviations, rtol=0.2)


def test_the_network_covers_a_known_wave_with_noise():
    t = np.arange(320)
    inside = []
    for seed in range(12):
        noise = 0.2 * np.random.default_rng(seed).normal(size=320)
        x = (np.sin(t / 4) + noise)[:, None]
        found = forecast_series(x[:300], 20, units=40, seed=seed)
        inside.append((found.lower <= x[300:]) & (x[300:] <= found.upper))
    assert 0.82 < np.mean(inside) < 0.99


def test_a_window_is_forecast_by_a_network_of_the_rows_before_it():
    seen = []

    def train(known):
        def forecasts(values, starts, n_steps):
            assert len(known) <= starts.min()
            seen.append((len(known), starts))
            return values[starts - 1][:, None].repeat(n_steps, axis=1)

        return forecasts

    x = autoregression(100, 0)
    found = backtest(x, 5, 0.9, train, None)
    np.testing.assert_array_equal(np.concatenate([starts for _, starts in seen]), range(50, 100))
    assert [known for known, _ in seen] == [50, 63, 76, 88]
    assert found.nrmse["network"] == found.nrmse["persistence"]  # as they are the same
    errors = [x[start : start + 5] - x[start - 1] for start in range(50, 100)]
    first = np.sort(np.abs([error[0, 0] for error in errors]))
    assert found.half_widths[0, 0] == first[45]  # the 46th of 50: ceil(51 * 0.9)
    squares = np.concatenate(errors) ** 2
    assert found.nrmse["persistence"] == pytest.approx(np.sqrt(squares.mean()) / x.std())


def test_a_season_is_repeated_from_before_each_window():
    x = np.tile(np.random.default_rng(0).normal(size=(12, 2)), (10, 1))
    found = backtest(x, 20, 0.9, train_on_nothing, 12)
    assert found.nrmse["seasonal"] == 0
    assert set(found.nrmse) == {"network", "persistence", "seasonal"}


@pytest.mark.parametrize(
    ("n", "horizon", "level", "steps"),
    [
        (144, 24, 0.9, 24),
        (144, 100, 0.9, 36),
        (40, 100, 0.95, 2),
        (20, 5, 0.9, 2),
        (20, 5, 0.95, 0),
        (10_000, 100, 0.999, 100),
    ],
)
def test_steps_without_enough_windows_have_no_interval(n, horizon, level, steps):
    assert measured_horizon(n, horizon, level) == steps
    found = backtest(autoregression(n, 0), horizon, level, train_on_nothing, None)
    assert (0 if found is None else found.horizon) == steps
    if found is not None:
        windows = n - first_start(n)
        assert found.n_windows <= max(windows, 1)
        assert np.isfinite(found.half_widths).all()
        assert (np.diff(found.half_widths, axis=0) >= 0).all()


@pytest.mark.parametrize("period", [4, 7, 12, 50])
def test_seasons_are_found(period):
    rng = np.random.default_rng(1)
    t = np.arange(400)
    x = np.tile(rng.normal(size=period), 400 // period + 1)[:400] + 0.1 * rng.normal(size=400)
    assert season_of(x[:, None]) == period
    assert season_of((x + 0.05 * t)[:, None]) == period  # beside a trend


def test_seasons_of_the_calendar_are_tried():
    rng = np.random.default_rng(1)
    days = np.arange(1200)
    x = (np.sin(days * 2 * np.pi / 365) + 0.3 * rng.normal(size=1200))[:, None]
    assert season_of(x, [7, 365], 100) == 365
    level = np.cumsum(np.random.default_rng(2).normal(size=(1200, 1)), axis=0)
    assert season_of(level, [7, 365], 5) == 7  # the latest rows are closest
    assert season_of(rng.normal(size=(300, 1))) is None
    assert season_of(np.cumsum(rng.normal(size=(12, 1)), axis=0), [365]) is None


def test_a_frame_gives_frames_in_the_order_of_time():
    months = pd.date_range("2000-01-01", periods=130, freq="MS", name="month")
    x = pd.DataFrame({"a": np.sin(np.arange(130) / 3)}, index=months)
    known, ahead = x[:120], x[120:]
    found = forecast_series(known[::-1], 10, test=20, units=40)
    plain = forecast_series(known.to_numpy(), 10, test=20, units=40)
    for name in ("values", "lower", "upper", "history"):
        frame = getattr(found, name)
        np.testing.assert_array_equal(frame.to_numpy(), getattr(plain, name))
        index = known.index if name == "history" else ahead.index
        pd.testing.assert_index_equal(frame.index, index, check_freq=False)
        assert list(frame.columns) == ["a"]
    pd.testing.assert_index_equal(found.held_out.values.index, known.index[-20:], check_freq=False)
    assert str(found.times) == "monthly, 120 values from 2000-01-01 to 2009-12-01"
    one = forecast_series(known["a"], 10, units=40)
    pd.testing.assert_frame_equal(one.values, found.values)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.DatetimeIndex(["2024-01-01"] * 40), "index of the series: the time .* 40 times"),
        (pd.DatetimeIndex(["2024-01-01", None] * 20), r"row 1 has no time \(NaT\)"),
        (pd.to_datetime(np.cumsum(np.arange(40)), unit="D"), "unequal"),
    ],
    ids=["repeated", "missing", "unequal"],
)
def test_frames_whose_times_do_not_fit_are_refused(index, words):
    series = pd.Series(np.arange(40.0), index=index)
    with pytest.raises(ValueError, match=words):
        forecast_series(series, 5, units=20)


def test_frames_with_gaps_are_warned_of_and_other_indexes_taken_as_they_are():
    days = pd.date_range("2024-01-01", periods=60).delete(30)
    x = pd.DataFrame({"v": np.sin(np.arange(59))}, index=days)
    with pytest.warns(UserWarning, match=r"1 of 60 times is missing \(2024-01-31\)"):
        found = forecast_series(x, 2, units=20)
    assert [str(day.date()) for day in found.values.index] == ["2024-03-01", "2024-03-02"]
    found = forecast_series(x.reset_index(drop=True), 2, units=20)
    assert list(found.values.index) == [59, 60]
    with pytest.raises(ValueError, match="column 'v' must be numeric"):
        forecast_series(x.astype(str), 2)


@pytest.mark.parametrize("interval", [0, 1, -0.5, 90])
def test_levels_that_are_no_share_are_refused(interval):
    with pytest.raises(ValueError, match="interval must be a share between 0 and 1"):
        forecast_series(autoregression(60, 0), 5, interval=interval)


def test_without_intervals_nothing_is_forecast_from_earlier_rows():
    found = forecast_series(autoregression(60, 0), 5, interval=None, units=20)
    assert found.backtest is found.lower is found.upper is None
