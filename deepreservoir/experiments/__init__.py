"""How two ways of training are compared fairly: arms, runner, results, report."""

from .arms import ARMS, Record
from .forecast import Forecast, forecast_series, save_forecast, save_forecast_picture
from .protocol import MNIST_MEDIUM, MNIST_MEDIUM_PAPER, Protocol, protocol_for
from .report import save_picture, save_table, table
from .results import Comparison, Summary
from .runner import check_arms, checked_ranks, compare

__all__ = [
    "ARMS",
    "MNIST_MEDIUM",
    "MNIST_MEDIUM_PAPER",
    "Comparison",
    "Forecast",
    "Protocol",
    "Record",
    "Summary",
    "check_arms",
    "checked_ranks",
    "compare",
    "forecast_series",
    "protocol_for",
    "save_forecast",
    "save_forecast_picture",
    "save_picture",
    "save_table",
    "table",
]
