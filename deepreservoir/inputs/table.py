"""Tables: the rows of a design matrix, dense or CSR."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import scipy.sparse

from ..backend import Array, Device, array_module, to_device, to_host
from ..user_warnings import warn_user
from .base import Batch, Index, Inputs, Reader

#: Maximum number of rows of the chunks that are processed outside training.
CHUNK_ROWS = 1024

# Largest size in bytes of sparse rows whose keys are those of dense ones.
_DENSE_KEYS = 64 << 20

# A column with a larger root mean square is warned about.
_LARGEST_SIZE = 100.0


class Table(Inputs):
    """The rows of X, supplied as dense batches on the device of the network.

    A CSR matrix is made dense one batch at a time, never as a whole.

    Parameters
    ----------
    X : ndarray or CSR matrix, shape (n_rows, n_features)
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}

    Examples
    --------
    >>> table = Table(np.arange(12).reshape(4, 3), np.float32)
    >>> len(table), table.take(np.array([3, 0])).x
    (4, array([[ 9., 10., 11.],
           [ 0.,  1.,  2.]], dtype=float32))
    """

    def __init__(self, X: Array, dtype: np.dtype[Any] | type, device: Device = "cpu") -> None:
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self.sparse = scipy.sparse.issparse(X)
        self._X = X if self.sparse else to_device(X, device)

    def __len__(self) -> int:
        return int(self._X.shape[0])

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self._X.shape[1])

    @property
    def takes_device_index(self) -> bool:
        return not self.sparse

    def take(self, index: Array, step: int | None = None) -> Batch:
        if self.sparse:
            return Batch(self._dense(self._X[index]))
        return Batch(take_rows(self._X, index).astype(self.dtype, copy=False))

    def subset(self, index: np.ndarray) -> Self:
        part = self._X[index] if self.sparse else take_rows(self._X, index)
        return type(self)(part, self.dtype, self.device)

    def _dense(self, part: scipy.sparse.csr_matrix) -> Array:
        return to_device(part.toarray().astype(self.dtype, copy=False), self.device)

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        size = max(1, min(CHUNK_ROWS, nbytes // max(1, sample_bytes)))
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            part = self._X[start:stop]
            dense = self._dense(part) if self.sparse else part.astype(self.dtype, copy=False)
            yield slice(start, stop), Batch(dense)

    def keys(self) -> list[bytes]:
        """Return the bytes of each row; equal rows have equal bytes.

        Those of a sparse row are the bytes of the dense one, unless all rows would be large.
        """
        if not self.sparse:
            return [(row + 0.0).tobytes() for row in to_host(self._X)]  # -0.0 becomes 0.0
        if self._X.shape[0] * self._X.shape[1] * self._X.dtype.itemsize <= _DENSE_KEYS:
            return [(row + 0.0).tobytes() for row in self._X.toarray()]
        X = self._X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        parts = [slice(*X.indptr[i : i + 2]) for i in range(len(self))]
        return [X.indices[part].tobytes() + X.data[part].tobytes() for part in parts]

    def root_mean_squares(self) -> np.ndarray:
        """Return the root of the mean square of each column, (n_features,), on the host."""
        if self.sparse:
            return np.sqrt(np.asarray(self._X.multiply(self._X).mean(axis=0)).ravel())
        squares = array_module(self._X).einsum("ij,ij->j", self._X, self._X)
        return np.sqrt(to_host(squares) / max(len(self), 1))

    def digest(self) -> str:
        X = self._X
        arrays = (X.indptr, X.indices, X.data) if self.sparse else (to_host(X),)
        sha = hashlib.sha256(f"{'csr' if self.sparse else 'dense'}{X.shape}".encode())
        for array in arrays:
            sha.update(array.dtype.str.encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


class TableReader(Reader):
    """The reader of design matrices; only the number of features is fitted.

    A training set with a column that is far from unit scale causes a warning.

    Parameters
    ----------
    n_features : int, default=0

    Examples
    --------
    >>> reader = TableReader().fit(np.zeros((5, 3)))
    >>> reader.sizes(), len(reader.read(np.zeros((2, 3)), np.float32, "cpu"))
    ({'n_features': 3}, 2)
    """

    def __init__(self, n_features: int = 0) -> None:
        self.n_features = n_features

    def fit(self, X: Any) -> Self:
        self.n_features = int(X.shape[1])
        return self

    def fit_training(self, inputs: Inputs) -> None:
        """Warn about columns of such a size that training on them hardly works."""
        if not isinstance(inputs, Table):
            return
        with np.errstate(over="ignore"):
            sizes = inputs.root_mean_squares()
        if sizes.size and not sizes.max() <= _LARGEST_SIZE:
            j = int(np.argmax(sizes))
            size = f"about {sizes[j]:.2g}" if np.isfinite(sizes[j]) else "more than 1e19"
            warn_user(
                f"column {j} of X has values of {size} (the root of their mean square), and "
                "networks learn well from values of about 1: scale the features, for example with "
                "a StandardScaler before the estimator in a pipeline"
            )

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> Table:
        return Table(X, dtype, device)

    def sizes(self) -> dict[str, Any]:
        return {"n_features": self.n_features}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self.sizes(), {}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        n_features = plain.get("n_features")
        if set(plain) != {"n_features"} or type(n_features) is not int or tensors:
            raise ValueError(
                "the state of a table reader is n_features, an integer, without arrays; got "
                f"{plain!r:.80}"
            )
        return cls(n_features)


def take_rows(array: Array, index: Array) -> Array:
    """Return ``array[index]`` for an index whose entries are in range."""
    xp = array_module(array)
    if xp is np:
        return array.take(index, axis=0, mode="clip")  # skips the check of each index
    return xp.take(array, to_device(index, "cuda"), axis=0)
