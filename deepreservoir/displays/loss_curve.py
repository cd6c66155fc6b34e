"""The course of training: losses by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators import DeepEstimator
from .axes import axes_of


class LossCurveDisplay:
    """Plot of the training loss, and of the validation loss if there is one, by epoch.

    Use :meth:`from_estimator` to make one from a fitted model. The arguments are kept as
    attributes.

    Parameters
    ----------
    loss : array-like, shape (n_epochs,)
    validation_loss : array-like, shape (n_epochs,), optional
    name : str, optional
        Name of the model in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        The curve of the training loss, and that of the validation loss.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the size of the training set.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DeepReservoirClassifier((32,), max_iter=5, early_stopping=True, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(model.fit(X / 16, y))
    >>> [line.get_label() for line in display.lines_]
    ['training', 'validation']
    """

    def __init__(
        self,
        *,
        loss: Sequence[float],
        validation_loss: Sequence[float] | None = None,
        name: str | None = None,
    ) -> None:
        self.loss = loss
        self.validation_loss = validation_loss
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **line_kw: Any
    ) -> Self:
        """Plot the losses of a fitted model.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted deep estimator, or a pipeline that ends in one.
        name : str, optional
            Name of the model in the legend.
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.
        **line_kw
            Arguments of :meth:`matplotlib.axes.Axes.plot`, for both curves.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If the model is of another class, or has no training history, as when it was loaded from
            a file.
        """
        model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(model, DeepEstimator):
            raise ValueError(
                "a loss curve needs an estimator of deepreservoir that is trained in epochs, or a "
                f"pipeline that ends in one; got {type(model).__name__}"
            )
        check_is_fitted(model)
        history = getattr(model, "history_", {})
        if not history.get("loss"):
            raise ValueError(
                f"this {type(model).__name__} has no training history: files do not keep it. Draw "
                "the loss curve before saving, or fit again"
            )
        display = cls(
            loss=history["loss"], validation_loss=history.get("validation_loss"), name=name
        )
        return display.plot(ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.
        **line_kw
            Arguments of :meth:`matplotlib.axes.Axes.plot`, for both curves.

        Returns
        -------
        LossCurveDisplay
        """
        self.figure_, (self.ax_,) = axes_of(ax, 1, "LossCurveDisplay")
        of = "" if self.name is None else f"{self.name}, "
        curves = {"training": self.loss, "validation": self.validation_loss}
        self.lines_ = []
        for label, values in curves.items():
            if values is not None:
                epochs = np.arange(1, len(values) + 1)
                options = {"label": f"{of}{label}", **line_kw}
                self.lines_ += self.ax_.plot(epochs, values, **options)
        self.ax_.set(xlabel="Epoch", ylabel="Loss")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.legend()
        return self
