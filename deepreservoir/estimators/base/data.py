"""From validated X, y and weights to a training set and, for early stopping, a held-out one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.model_selection import train_test_split

from ...backend import is_on_device, to_host
from ...inputs.table import take_rows


class Data(NamedTuple):
    """Rows with their targets and weights; all but X are on the host."""

    X: Any  # (n, n_features), dense or CSR, or of a device
    y: np.ndarray  # (n,) or (n, n_outputs)
    weights: np.ndarray | None  # (n,)

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def take(self, index: np.ndarray) -> Data:
        weights = None if self.weights is None else self.weights[index]
        return Data(taken(self.X, index), self.y[index], weights)


def taken(X: Any, index: np.ndarray) -> Any:
    """Return rows of X, dense, CSR or of a device."""
    return take_rows(X, index) if is_on_device(X) else X[index]


def without_zero_weights(data: Data) -> Data:
    """Leave out rows of weight zero, so that such a row is as good as absent.

    Raises
    ------
    ValueError
        If a weight is negative, or no row is left.
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
    """Merge equal rows into one, of their summed weight, in an order of their own bytes.

    A training set that fits one batch is trained on as a whole, so neither the order of its
    rows nor whether one is repeated or weighted should matter. After this it does not, bit
    for bit.
    """
    if is_on_device(data.X):  # one batch: little enough to be looked at on the host
        data = Data(to_host(data.X), data.y, data.weights)
    X = data.X
    if scipy.sparse.issparse(X):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        parts = [slice(*X.indptr[i : i + 2]) for i in range(len(data))]
        keys = [X.indices[p].tobytes() + X.data[p].tobytes() for p in parts]
    else:
        keys = [row.tobytes() for row in X]
    keys = [key + target.tobytes() for key, target in zip(keys, data.y, strict=True)]
    weights = np.ones(len(data)) if data.weights is None else data.weights
    total: dict[bytes, float] = {}
    first: dict[bytes, int] = {}
    for i, key in enumerate(keys):
        total[key] = total.get(key, 0.0) + float(weights[i])
        first.setdefault(key, i)
    order = sorted(total)
    index = np.array([first[key] for key in order])
    return Data(data.X[index], data.y[index], np.array([total[key] for key in order]))


def split(data: Data, fraction: float, seed: int, stratify: bool) -> tuple[Data, Data]:
    """Split off a validation set, by class where `stratify`; see :func:`split_rows`."""
    labels = data.y if stratify else None
    kept, held_out = split_rows(len(data), fraction, seed, labels)
    return data.take(kept), data.take(held_out)


def split_rows(
    n: int, fraction: float, seed: int, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `n` rows are trained on and which held out, of each label its share.

    Raises
    ------
    ValueError
        If the fraction leaves one side empty, or a label has too few rows to be split.
    """
    try:
        kept, held_out = train_test_split(
            np.arange(n), test_size=fraction, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction} of {n} "
            f"samples: {error}. Give more samples, another validation_fraction, or "
            "early_stopping=False"
        ) from None
    return np.sort(kept), np.sort(held_out)


def normalised_weights(weights: np.ndarray | None, dtype: np.dtype) -> np.ndarray | None:
    """Return weights of mean one, or None where all are equal."""
    if weights is None or (weights == weights[0]).all():
        return None
    return (weights / weights.mean()).astype(dtype)
