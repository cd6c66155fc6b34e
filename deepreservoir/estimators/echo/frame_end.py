"""Forecasts as DataFrames, for series that were DataFrames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...frames import RowLabels, column_names, framed, is_frame
from ...user_warnings import warn_user


@dataclass(frozen=True)
class FrameEnd:
    """How the DataFrames of a training continue.

    Attributes
    ----------
    targets, inputs : RowLabels
        Of the rows after the last target, and after the last row of X.
    shared : bool
        Whether targets have the labels of their inputs. Where a target is the next input, the
        last target then belongs to the row after its label.
    """

    targets: RowLabels
    inputs: RowLabels
    shared: bool

    @classmethod
    def of(cls, X: Any, y: Any) -> FrameEnd | None:
        """Return the end of a series that was trained on, or None if it has no labels.

        Rows that are dated, but not in the order of time, are warned of.
        """
        frames = [part for part in (X, y) if is_frame(part)]
        if not frames:
            return None
        inputs, targets = frames[0].index, frames[-1].index
        _warn_of_order(inputs)
        shared = bool(inputs.equals(targets))
        return cls(RowLabels.of(targets), RowLabels.of(inputs), shared)


def output_names(X: Any, y: Any, n_outputs: int) -> list[Any] | None:
    """Return the names of the outputs of a training on one series, or None if they have none."""
    names = column_names(y) if is_frame(y) else None
    if names is None or None in names:
        names = column_names(X) if is_frame(X) else None
    return names if names is not None and len(names) == n_outputs else None


def _warn_of_order(index: Any) -> None:
    if index.dtype.kind == "M" and not index.is_monotonic_increasing:
        order = "newest first" if index.is_monotonic_decreasing else "not in the order of time"
        warn_user(
            f"the rows of the series are {order}; they are run in this order. Sort them with "
            "sort_index()"
        )


def labelled(
    forecast: np.ndarray, X: Any, inputs: Any, end: FrameEnd | None, columns: list[Any] | None
) -> Any:
    """Return a forecast as a DataFrame, or a list of them, where the series are DataFrames.

    Parameters
    ----------
    forecast : array, shape (n_steps, n_outputs) or (n_series, n_steps, n_outputs)
    X, inputs : as in ``forecast``
    end : FrameEnd, or None
        Of the training.
    columns : list, or None
        Names of the outputs.
    """
    if isinstance(X, list | tuple) and len(X) and all(map(is_frame, X)):
        pairs = zip(forecast, X, strict=True)
        return [labelled(part, x, inputs, end, columns) for part, x in pairs]
    if forecast.ndim > 2 or not isinstance(forecast, np.ndarray):
        return forecast
    n_steps, n_outputs = forecast.shape
    if is_frame(inputs):
        index = inputs.index
    elif is_frame(X):
        index = RowLabels.of(X.index).after(n_steps)
    elif X is not None or end is None:
        return forecast
    elif inputs is not None:
        index = end.inputs.after(n_steps)
    else:
        index = end.targets.after(n_steps, int(end.shared))
    # Without known inputs, the outputs are the next inputs.
    if columns is None and inputs is None and is_frame(X) and X.shape[1] == n_outputs:
        columns = column_names(X)
    return framed(forecast, index, columns)
