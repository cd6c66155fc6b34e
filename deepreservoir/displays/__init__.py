"""Plots in the style of scikit-learn's Displays: what a model learned, drawn on matplotlib axes."""

from .forecast import ForecastDisplay
from .images import AttentionDisplay, FilterDisplay
from .loss_curve import LossCurveDisplay
from .rank_curve import RankCurveDisplay

__all__ = [
    "AttentionDisplay",
    "FilterDisplay",
    "ForecastDisplay",
    "LossCurveDisplay",
    "RankCurveDisplay",
]
