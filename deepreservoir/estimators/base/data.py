"""Validated samples, split into a training set and, for early stopping, a held-out set."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from ...inputs import Inputs


class Data(NamedTuple):
    """Samples with their encoded targets and weights; the latter two are on the host."""

    inputs: Inputs
    y: np.ndarray  # (n, ...)
    weights: np.ndarray | None  # (n,)

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: np.ndarray) -> Data:
        """Return the samples at `index`."""
        weights = None if self.weights is None else self.weights[index]
        return Data(self.inputs.subset(index), self.y[index], weights)


def without_zero_weights(data: Data) -> Data:
    """Leave out samples of weight zero, which have no effect at all.

    Raises
    ------
    ValueError
        If a weight is negative, or no sample is left.
    """
    if data.weights is None:
        return data
    if (data.weights < 0).any():
        raise ValueError(f"sample_weight must not be negative; got {float(data.weights.min())!r}")
    if (data.weights > 0).all():
        return data
    if not (data.weights > 0).any():
        raise ValueError("sample_weight must be positive for at least one sample; got only zeros")
    return data.take(np.flatnonzero(data.weights))


def merged(data: Data) -> Data:
    """Merge equal samples into one with the sum of their weights, and sort samples by their bytes.

    A training set that fits in one batch is trained on as a whole, so neither the order of its
    samples nor whether one is repeated or weighted should matter. After merging, it does not
    matter, bit for bit. Inputs without keys are returned unchanged.
    """
    input_keys = data.inputs.keys()
    if input_keys is None:
        return data
    keys = [key + target.tobytes() for key, target in zip(input_keys, data.y, strict=True)]
    weights = np.ones(len(data)) if data.weights is None else data.weights
    total: dict[bytes, float] = {}
    first: dict[bytes, int] = {}
    for i, key in enumerate(keys):
        total[key] = total.get(key, 0.0) + float(weights[i])
        first.setdefault(key, i)
    order = sorted(total)
    index = np.array([first[key] for key in order])
    merged_weights = np.array([total[key] for key in order])
    return Data(data.inputs.subset(index), data.y[index], merged_weights)


def split(data: Data, fraction: float, seed: int, stratify: bool) -> tuple[Data, Data]:
    """Split off a validation set, by class if `stratify`; see :func:`split_rows`."""
    labels = data.y if stratify else None
    trained_on, held_out = split_rows(len(data), fraction, seed, labels)
    return data.take(trained_on), data.take(held_out)


def split_rows(
    n: int, fraction: float, seed: int, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `n` samples are trained on and which are held out, stratified by label.

    A sample that is the only one of its label is trained on. The others are stratified unless
    there are more labels than samples on one side; then they are drawn regardless of label.

    Raises
    ------
    ValueError
        If the fraction leaves one side empty, or only one sample held out.
    """
    rows = np.arange(n)
    single = np.zeros(n, dtype=bool)
    if labels is not None:
        _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        single = counts[codes.reshape(-1)] == 1
    shared = rows[~single]
    held = ceil(fraction * n)
    if not 1 <= held < n or held >= len(shared):
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction} of {n} samples"
            f"{_of_which(int(single.sum()))}. Give more samples, another validation_fraction, or "
            "early_stopping=False"
        )
    if held < 2:
        raise ValueError(
            f"The validation set is too small: validation_fraction={fraction} of {n} samples is "
            "one sample. Increase validation_fraction, give more samples, or set "
            "early_stopping=False"
        )
    strata = None if labels is None else labels[shared]
    if strata is not None and len(np.unique(strata)) > min(held, len(shared) - held):
        strata = None
    trained_on, held_out = train_test_split(
        shared, test_size=held, random_state=seed, stratify=strata
    )
    return np.sort(np.concatenate([trained_on, rows[single]])), np.sort(held_out)


def _of_which(single: int) -> str:
    return f", of which {single} are the only ones of their class" if single else ""


def normalised_weights(weights: np.ndarray | None, dtype: np.dtype) -> np.ndarray | None:
    """Return weights with mean one, or None if all are equal."""
    if weights is None or (weights == weights[0]).all():
        return None
    return (weights / weights.mean()).astype(dtype)
