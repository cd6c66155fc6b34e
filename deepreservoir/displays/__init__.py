"""Plots in the style of scikit-learn's Displays: what a model learned, drawn on matplotlib axes."""

from .forecast import ForecastDisplay
from .loss_curve import LossCurveDisplay
from .rank_curve import RankCurveDisplay

__all__ = ["ForecastDisplay", "LossCurveDisplay", "RankCurveDisplay"]
