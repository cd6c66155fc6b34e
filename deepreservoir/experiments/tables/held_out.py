"""The targets of samples in a user's file, and which samples are held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from ...datasets.base import check_regression_rows, varied_strata
from ...datasets.cells import exact_number, numbers_of, one_spelling

# A target of whole numbers with at most this many distinct values is treated as class labels.
_MAX_CLASSES = 20


def targets_of(cells: np.ndarray) -> tuple[np.ndarray, str]:
    """Return labels as written in the file, or numbers, and the task.

    Examples
    --------
    >>> targets_of(np.array(["0", "1"]))[1], targets_of(np.array(["0.5", "1"]))[1]
    ('classification', 'regression')
    """
    numbers = numbers_of(cells.tolist())
    if numbers is None:
        return cells, "classification"
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise ValueError(
            f"the target {str(cells[wrong[0]])!r} is not a finite number, as the others are; "
            "correct it, or remove its rows"
        )
    whole = (numbers == np.round(numbers)).all()
    if whole and len(set(exact := [exact_number(cell) for cell in cells.tolist()])) <= _MAX_CLASSES:
        return np.array(one_spelling(cells.tolist(), exact)), "classification"
    return numbers, "regression"


def split(path: Path, y: np.ndarray, task: str, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples to train on, and the fifth that is held out.

    It always consists of the same samples, and is stratified by class if possible. The only sample
    of a class is trained on.

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
    rows = np.arange(len(y))
    alone = np.zeros(len(y), bool)
    if task == "regression":
        strata = varied_strata(str(path), y)
    else:
        alone = np.isin(y, classes[counts < 2])  # they are trained on
        if (~alone).sum() < 5:
            raise ValueError(
                f"{path}: nearly every one of the {len(y)} {what} has a class of its own, such as "
                f"{y[alone].tolist()[0]!r}; classes need several {what}"
            )
        stratified = (counts >= 2).sum() <= (~alone).sum() // 5
        strata = y[~alone] if stratified else None
    train, held = train_test_split(rows[~alone], test_size=0.2, random_state=0, stratify=strata)
    return np.sort(np.r_[train, rows[alone]]), np.sort(held)
