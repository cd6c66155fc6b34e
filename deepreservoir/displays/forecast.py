"""A forecast beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ..backend import is_on_device, to_host
from .axes import axes_of


def _columns(values: Any, name: str, width: int | None = None) -> np.ndarray:
    """Return a series as an array (time, n_outputs), after checking its shape."""
    array = np.asarray(to_host(values) if is_on_device(values) else values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) == 0:
        raise ValueError(
            f"{name} must be one series, of shape (time,) or (time, n_outputs); got an array of "
            f"shape {array.shape}"
        )
    if width is not None and array.shape[1] != width:
        raise ValueError(f"{name} must have {width} columns, as the forecast; got {array.shape[1]}")
    return array


class ForecastDisplay:
    """Plot of a forecast, with the series before it and the true continuation if they are known.

    Use :meth:`from_estimator` to forecast with a fitted echo-state network, or
    :meth:`from_predictions` for a forecast of any origin; the arguments are kept as attributes.

    Parameters
    ----------
    y_pred : array-like, shape (n_steps,) or (n_steps, n_outputs)
    y_true : array-like, shape (n_known, n_outputs), optional
        The true values of the first `n_known` steps.
    history : array-like, shape (time, n_outputs), optional
        The series before the forecast.
    names : sequence of str, optional
        Name of each output.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of Axes of shape (n_outputs,)
        An array if there are several outputs, each with a panel of its own.
    figure_ : matplotlib Figure
    lines_ : list of list of matplotlib Line2D
        The curves of each panel.

    Examples
    --------
    >>> from deepreservoir import EchoStateRegressor, ForecastDisplay
    >>> from deepreservoir.datasets import mackey_glass
    >>> series = mackey_glass(700)
    >>> model = EchoStateRegressor(100, random_state=0).fit(series[:599], series[1:600])
    >>> display = ForecastDisplay.from_estimator(model, series[600:], history=series[500:600])
    >>> [line.get_label() for line in display.lines_[0]]
    ['series', 'true', 'forecast']
    """

    def __init__(
        self,
        *,
        y_pred: Any,
        y_true: Any = None,
        history: Any = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.y_pred = y_pred
        self.y_true = y_true
        self.history = history
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        y_true: Any = None,
        *,
        n_steps: int | None = None,
        X: Any = None,
        inputs: Any = None,
        history: Any = None,
        names: Sequence[str] | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Forecast in closed loop with a fitted model, and plot the result.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`deepreservoir.EchoStateRegressor`, or any estimator whose method
            ``forecast`` has the same arguments.
        y_true : array-like, shape (n_known,) or (n_known, n_outputs), optional
            The true continuation.
        n_steps : int, optional
            Number of steps; that of `y_true` by default.
        X : array-like, shape (time, n_features), optional
            Series to continue; by default, the forecast continues from the end of training.
        inputs : array-like, shape (n_steps, n_features), optional
            Known inputs of the future steps.
        history : array-like, shape (time,) or (time, n_outputs), optional
            The series before the forecast; X by default, if outputs and features are the same.
        names : sequence of str, optional
            Name of each output.
        ax : matplotlib Axes or sequence of Axes, optional
            Axes to draw on, one for each output; new ones by default.
        **line_kw
            Arguments of :meth:`matplotlib.axes.Axes.plot`, for the forecast.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            If neither `y_true` nor `n_steps` is given.
        TypeError
            If the estimator cannot forecast.
        """
        if y_true is None and n_steps is None:
            raise ValueError("the number of steps is unknown: pass y_true, or n_steps")
        if not hasattr(estimator, "forecast"):
            raise TypeError(
                "estimator must have the method forecast, as EchoStateRegressor has; got "
                f"{type(estimator).__name__}. Pass its predictions to from_predictions"
            )
        steps = len(_columns(y_true, "y_true")) if n_steps is None else n_steps
        y_pred = estimator.forecast(steps, X, inputs=inputs)
        if history is None and X is not None and inputs is None:
            history = X
        return cls.from_predictions(y_pred, y_true, history=history, names=names, ax=ax, **line_kw)

    @classmethod
    def from_predictions(
        cls,
        y_pred: Any,
        y_true: Any = None,
        *,
        history: Any = None,
        names: Sequence[str] | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Plot a forecast.

        Parameters
        ----------
        y_pred : array-like, shape (n_steps,) or (n_steps, n_outputs)
        y_true : array-like, shape (n_known,) or (n_known, n_outputs), optional
            The true continuation.
        history : array-like, shape (time,) or (time, n_outputs), optional
            The series before the forecast.
        names : sequence of str, optional
            Name of each output.
        ax : matplotlib Axes or sequence of Axes, optional
            Axes to draw on, one for each output; new ones by default.
        **line_kw
            Arguments of :meth:`matplotlib.axes.Axes.plot`, for the forecast.

        Returns
        -------
        ForecastDisplay
        """
        display = cls(y_pred=y_pred, y_true=y_true, history=history, names=names)
        return display.plot(ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the curves, one panel for each output.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of Axes, optional
            Axes to draw on, one for each output; new ones by default.
        **line_kw
            Arguments of :meth:`matplotlib.axes.Axes.plot`, for the forecast.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            If the series differ in their number of outputs.
        """
        y_pred = _columns(self.y_pred, "y_pred")
        width = y_pred.shape[1]
        y_true = None if self.y_true is None else _columns(self.y_true, "y_true", width)
        history = None if self.history is None else _columns(self.history, "history", width)
        names = self.names
        if names is None:
            names = ["Value"] if width == 1 else [f"Output {i}" for i in range(width)]
        if len(names) != width:
            raise ValueError(f"names must have one name for each of {width} outputs; got {names!r}")
        self.figure_, panels = axes_of(ax, width, "ForecastDisplay")
        self.ax_ = panels[0] if width == 1 else panels
        self.lines_: list[list[Any]] = []
        for i, (panel, name) in enumerate(zip(panels, names, strict=True)):
            lines = []
            if history is not None:
                before = np.arange(1 - len(history), 1)
                lines += panel.plot(before, history[:, i], color="0.5", label="series")
                panel.axvline(0.5, color="0.85", lw=1, zorder=0)
            if y_true is not None:
                steps = np.arange(1, len(y_true) + 1)
                lines += panel.plot(steps, y_true[:, i], color="0.2", ls="--", label="true")
            options = {"color": "C0", "label": "forecast", **line_kw}
            lines += panel.plot(np.arange(1, len(y_pred) + 1), y_pred[:, i], **options)
            panel.set_ylabel(name)
            self.lines_.append(lines)
        panels[0].legend()
        panels[-1].set_xlabel("Step")
        return self
