"""Fair comparisons of ways of training: arms, runner, results and reports."""

from .comparisons.arms import ALL_ARMS, ARMS
from .comparisons.protocol import (
    MNIST_MEDIUM,
    MNIST_MEDIUM_PAPER,
    Protocol,
    protocol_for,
    references_for,
)
from .comparisons.report import save_picture, save_table, table
from .comparisons.results import Comparison, Summary
from .comparisons.runner import DEFAULT_RANKS, check_arms, checked_estimator, checked_ranks, compare
from .comparisons.task import Record
from .episodes import episode_returns
from .forecasts.comparison import (
    FORECAST_ARMS,
    SERIES,
    ForecastComparison,
    ForecastRecord,
    check_forecast_arms,
    check_forecast_ranks,
    compare_forecasts,
)
from .forecasts.forecast import forecast_series
from .forecasts.output import conclusions, forecast_csv, save_forecast
from .forecasts.picture import save_forecast_picture
from .forecasts.report import forecast_table, save_comparison_picture, save_forecast_table
from .forecasts.results import Forecast

__all__ = [
    "ALL_ARMS",
    "ARMS",
    "DEFAULT_RANKS",
    "FORECAST_ARMS",
    "MNIST_MEDIUM",
    "MNIST_MEDIUM_PAPER",
    "SERIES",
    "Comparison",
    "Forecast",
    "ForecastComparison",
    "ForecastRecord",
    "Protocol",
    "Record",
    "Summary",
    "check_arms",
    "check_forecast_arms",
    "check_forecast_ranks",
    "checked_estimator",
    "checked_ranks",
    "compare",
    "compare_forecasts",
    "conclusions",
    "episode_returns",
    "forecast_csv",
    "forecast_series",
    "forecast_table",
    "protocol_for",
    "references_for",
    "save_comparison_picture",
    "save_forecast",
    "save_forecast_picture",
    "save_forecast_table",
    "save_picture",
    "save_table",
    "table",
]
