"""Checks of class labels, whose errors name the first one that is not a label."""

from __future__ import annotations

import numpy as np


def check_class_labels(y: np.ndarray) -> None:
    """Raise a ValueError that names the first number that is not a class label.

    Parameters
    ----------
    y : ndarray
        Labels: strings, integers, or floats that are whole.
    """
    if y.dtype.kind == "f":
        wrong = np.argwhere(~np.isfinite(y) | (y != np.round(y)))
        if len(wrong):
            i = int(wrong[0][0])
            raise ValueError(f"y must hold class labels, integers or strings; y[{i}] is {y[i]!r}")


def check_one_kind(y: np.ndarray) -> None:
    """Raise a ValueError for Python objects that cannot be sorted: strings and something else."""
    if y.dtype.kind != "O" or not any(isinstance(label, str) for label in y):
        return
    for i, label in enumerate(y):
        if not isinstance(label, str):
            raise ValueError(
                "y must hold class labels of one kind, integers or strings; "
                f"y[{i}] is {label!r:.60} beside strings. Leave out samples without a label, or "
                "convert all labels to str"
            )
