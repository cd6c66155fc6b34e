"""The targets of samples in a user's file, and which samples are held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from ...datasets.base import check_regression_rows, varied_strata
from ...datasets.cells import one_spelling

# A target of whole numbers with at most this many distinct values is treated as class labels.
_MAX_CLASSES = 20


def targets_of(cells: np.ndarray) -> tuple[np.ndarray, str]:
    """Return labels as written in the file, or numbers, and the task.

    Examples
    --------
    >>> targets_of(np.array(["0", "1"]))[1], targets_of(np.array(["0.5", "1"]))[1]
    ('classification', 'regression')
    """
    try:
        numbers = cells.astype(float)
    except ValueError:
        return cells, "classification"
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise ValueError(
            f"the target {str(cells[wrong[0]])!r} is not a finite number, as the others are; "
            "correct it, or remove its rows"
        )
    whole = (numbers == np.round(numbers)).all()
    if whole and len(np.unique(numbers)) <= _MAX_CLASSES:
        return np.array(one_spelling(cells.tolist(), numbers.tolist())), "classification"
    return numbers, "regression"


def split(path: Path, y: np.ndarray, task: str, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples to train on, and the fifth that is held out.

    It always consists of the same samples, and is stratified by class if possible.

    Parameters
    ----------
    path : Path
        Of the file, for the message.
    y : ndarray, shape (n,)
    task : {"classification", "regression"}
    what : str
        What the samples are, for the message.

    Returns
    -------
    train, held : ndarray of int
        Sorted indices.

    Raises
    ------
    ValueError
        If there are fewer than 5 samples, or 6 of a regression, or targets that cannot be in both
        parts.
    """
    if len(y) < 5:
        raise ValueError(
            f"{path} needs at least 5 {what}, of which a fifth is held out; got {len(y)}"
        )
    check_regression_rows(str(path), len(y), task)
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) == 1:
        raise ValueError(
            f"{path}: all {len(y)} {what} have the target {classes.tolist()[0]!r}; there is "
            "nothing to predict"
        )
    if task == "regression":
        strata = varied_strata(str(path), y)
    else:
        rare = classes[counts < 2].tolist()
        if rare:
            raise ValueError(
                f"every class of {path} needs at least 2 {what}, one to train on and one to hold "
                f"out; classes with a single one: {rare[:5]}"
            )
        strata = y if len(counts) <= len(y) // 5 else None
    parts = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=strata)
    return np.sort(parts[0]), np.sort(parts[1])
