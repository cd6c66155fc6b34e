"""Rows of a design matrix, dense or CSR, taken a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from ..backend import Array, Device, array_module, to_device

#: Rows that a product outside training takes at a time.
CHUNK_ROWS = 1024


class Rows:
    """The rows of X, handed out as dense batches on the device of the network.

    A CSR matrix is made dense a batch at a time, never as a whole.

    Parameters
    ----------
    X : ndarray or CSR matrix, shape (n_rows, n_features)
    dtype : numpy dtype
    device : {"cpu", "cuda"}
    """

    def __init__(self, X: Array, dtype: np.dtype, device: Device = "cpu") -> None:
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self.sparse = scipy.sparse.issparse(X)
        self._X = X if self.sparse else to_device(X, device)

    def __len__(self) -> int:
        return int(self._X.shape[0])

    @property
    def width(self) -> int:
        return int(self._X.shape[1])

    def take(self, index: np.ndarray) -> Array:
        """Return the rows at `index`: (len(index), n_features), a new array."""
        if self.sparse:
            return self._dense(self._X[index])
        return take_rows(self._X, index).astype(self.dtype, copy=False)

    def _dense(self, part: scipy.sparse.csr_matrix) -> Array:
        return to_device(part.toarray().astype(self.dtype, copy=False), self.device)

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[tuple[slice, Array]]:
        """Yield (where, rows) from first to last."""
        for start in range(0, len(self), size):
            where = slice(start, min(start + size, len(self)))
            part = self._X[where]
            dense = self._dense(part) if self.sparse else part.astype(self.dtype, copy=False)
            yield where, dense


def take_rows(array: Array, index: np.ndarray) -> Array:
    """Return ``array[index]`` for an index that is in range."""
    xp = array_module(array)
    if xp is np:
        return np.take(array, index, axis=0, mode="clip")  # spares the check of each index
    return xp.take(array, xp.asarray(index), axis=0)
