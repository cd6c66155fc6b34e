"""What the picture of a forecast shows."""

import numpy as np
import pytest

from deepreservoir.datasets.time_axis import time_axis
from deepreservoir.experiments.forecasts.forecast import forecast_series
from deepreservoir.experiments.forecasts.picture import _figure, save_forecast_picture

pytest.importorskip("matplotlib")

MONTHS = [f"{1950 + i // 12}-{i % 12 + 1:02d}" for i in range(150)]
WAVE = np.c_[np.sin(np.arange(120) / 3), np.cos(np.arange(120) / 3)]


def figure_of(title=None, times=None, names=("a$b_1$", "b"), **options):
    found = forecast_series(WAVE, 20, names, units=30, times=times, **options)
    return found, _figure(found, title)


def test_title_dates_names_and_legend():
    _, figure = figure_of("sales", time_axis("month", MONTHS[:120]), test=24)
    assert figure.get_suptitle() == "sales: forecast of 20 steps"
    first, last = figure.axes
    assert (first.get_ylabel(), last.get_ylabel()) == ("a$b_1$", "b")
    assert last.get_xlabel() == "month"
    words = [text.get_text() for text in first.get_legend().get_texts()]
    assert words == ["series", "held out, forecast", "90 % interval", "forecast"]
    figure.canvas.draw()
    labels = [label.get_text() for label in last.get_xticklabels()]
    assert "1960" in labels
    assert all(1950 <= int(label) <= 1962 for label in labels if label)


def test_the_band_is_the_interval_and_the_line_the_forecast():
    times = time_axis("month", MONTHS[:120])
    found, figure = figure_of(times=times)
    assert figure.get_suptitle() == "Forecast of 20 steps"
    (panel, _) = figure.axes
    (band,) = panel.collections
    (path,) = band.get_paths()
    heights = path.vertices[:, 1]
    assert heights.min() == found.lower[:, 0].min()
    assert heights.max() == found.upper[:, 0].max()
    line = next(line for line in panel.lines if line.get_label() == "forecast")
    np.testing.assert_array_equal(line.get_ydata(), found.values[:, 0])
    np.testing.assert_array_equal(line.get_xdata(), times.after(20))


@pytest.mark.parametrize("options", [{}, {"interval": None}, {"test": 24}])
def test_rows_without_times_are_numbered(options):
    found, figure = figure_of(**options)
    panel = figure.axes[-1]
    assert panel.get_xlabel() == "row"
    line = next(line for line in panel.lines if line.get_label() == "forecast")
    np.testing.assert_array_equal(line.get_xdata(), np.arange(120, 140))
    assert len(panel.collections) == (found.interval is not None) + ("test" in options)


def test_a_band_far_wider_than_the_series_does_not_squeeze_it():
    from dataclasses import replace

    found, _ = figure_of()
    wide = replace(found, lower=found.lower - 1e3, upper=found.upper + 1e3)
    low, high = _figure(wide, None).axes[0].get_ylim()
    assert -4 < low < high < 4


@pytest.mark.parametrize(("form", "count"), [("%Y", 40), ("%Y-%m-%d", 150)])
def test_a_dollar_in_a_name_and_every_calendar_can_be_drawn(tmp_path, form, count):
    days = np.datetime64("1850-01-01") + np.arange(count)
    cells = [str(1850 + i) for i in range(count)] if form == "%Y" else [str(day) for day in days]
    axis = time_axis("year", cells)[:count]
    values = np.sin(np.arange(count) / 3)[:, None]
    found = forecast_series(values, 3, ["$x"], units=20, times=axis)
    path = save_forecast_picture(found, tmp_path / "f.svg", "a $ b")
    assert "<svg" in path.read_text()
