"""Forecasts as plots: what is drawn, on which axes, and what is refused."""

import numpy as np
import pytest

from deepreservoir import EchoStateRegressor, ForecastDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

SERIES = np.sin(np.arange(300)[:, None] / np.array([5.0, 9.0]))


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    plt.close("all")


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def network(series):
    return EchoStateRegressor(40, random_state=0).fit(series[:-1], series[1:])


def test_a_forecast_continues_the_series_and_stands_beside_the_truth():
    model = network(SERIES[:250])
    display = ForecastDisplay.from_estimator(model, SERIES[250:], X=SERIES[200:250])
    assert len(display.ax_) == len(display.lines_) == 2
    series, true, forecast = display.lines_[1]
    np.testing.assert_array_equal(series.get_ydata(), SERIES[200:250, 1])
    assert series.get_xdata()[-1] == 0
    np.testing.assert_array_equal(true.get_ydata(), SERIES[250:, 1])
    np.testing.assert_array_equal(forecast.get_ydata(), model.forecast(50, SERIES[200:250])[:, 1])
    np.testing.assert_array_equal(forecast.get_xdata(), np.arange(1, 51))
    assert labels(display.ax_[0]) == ["series", "true", "forecast"]
    assert [ax.get_ylabel() for ax in display.ax_] == ["Output 0", "Output 1"]


def test_a_forecast_of_one_output_has_one_panel():
    model = network(SERIES[:250, :1])
    display = ForecastDisplay.from_estimator(model, n_steps=20, names=["height"])
    assert display.ax_.get_ylabel() == "height"
    assert [line.get_label() for line in display.lines_[0]] == ["forecast"]


def test_predictions_of_any_origin_are_drawn_on_given_axes():
    figure, axes = plt.subplots(1, 2)
    display = ForecastDisplay.from_predictions(SERIES[:30], SERIES[:10], ax=axes, color="C3")
    assert display.figure_ is figure
    assert [ax is given for ax, given in zip(display.ax_, axes, strict=True)] == [True, True]
    true, forecast = display.lines_[0]
    assert (len(true.get_ydata()), len(forecast.get_ydata())) == (10, 30)
    assert forecast.get_color() == "C3"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y_true": SERIES[:5, :1]}, "y_true must have 2 columns"),
        ({"history": SERIES[None]}, "history must be one series"),
        ({"names": ["one"]}, "names must have one name for each of 2 outputs"),
        ({"ax": "axes"}, "ax must be 2 axes"),
    ],
    ids=str,
)
def test_what_does_not_fit_a_forecast_is_refused(given, message):
    axes = {"ax": plt.subplots()[1]} if given == {"ax": "axes"} else given
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_predictions(SERIES[:20], **axes)
    assert len(plt.get_fignums()) <= 1


def test_a_forecast_needs_a_length():
    with pytest.raises(ValueError, match="pass y_true, or n_steps"):
        ForecastDisplay.from_estimator(network(SERIES))


def test_an_estimator_that_cannot_forecast_is_refused():
    with pytest.raises(TypeError, match="must have the method forecast"):
        ForecastDisplay.from_estimator(object(), n_steps=3)
