"""Scaled recurrent weights on the device of a reservoir, in the fastest format.

A sparse product reads the nonzero weights one by one, a dense one reads all of them, with vector
units. Which is faster depends on the share of nonzero weights, on the size of the matrix and on
the caches of the machine. ``product="auto"`` decides by share and size alone, and does not time
the two: they round differently, and the same seed has to give the same bits whatever else the
machine does, also in another process of a sweep. Where that choice is slow, it can be fixed.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse

from ..backend import Array, Device, device_module, to_device, to_host
from ..choices import ProductName
from ..kernels.hadamard_reservoir import hadamard_reservoir_fits, leaky_hadamard_
from ..kernels.reservoir import leaky_, leaky_dense_
from ..kernels.sparse_reservoir import Slices, leaky_sparse_, sparse_product, to_slices
from ..scaffold import Scaffold
from ..scaffold.hadamard import HadamardScaffold
from . import compiled

PRODUCTS: tuple[ProductName, ...] = get_args(ProductName)

# From this share of nonzero weights on, a dense product is faster than a sparse one.
_DENSE_SHARE = 0.04
_DENSE_UNITS = 8192
# For one series, a dense product reads each weight once, so its speed is that of the cache that
# the matrix fits into. Above a size that every core has near it, it is faster only from this share
# on. On a Xeon with 2 MB per core, one step of 1000 and 2000 units with 10 % of the links takes a
# third of the time with a sparse product, in float32; with 500 units (1 MB), a quarter more.
_DENSE_BYTES = 1 << 20
_DENSE_SHARE_OF_ONE = 0.15
# The same on a device: the share of the compiled loops, not measured on a device.
_DEVICE_DENSE_SHARE = 0.15


class Recurrent:
    """Scaled recurrent weights W (units, units), ready for products.

    Parameters
    ----------
    weights : ndarray, CSR matrix or Scaffold
        Unscaled weights. Arrays are on the host and are copied to `device`; a scaffold is
        already there.
    factor : float
        Factor that scales all weights.
    dtype : numpy dtype
    gain : ndarray of float64, shape (units,), optional
        Gain of each unit, which scales the weights into it.
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
    product : {"auto", "sparse", "dense"}, default="auto"
        Whether products read the nonzero weights only or all of them. By default, what is faster
        for the size and the share of nonzero weights; the two differ by rounding.

    Attributes
    ----------
    matrix : array, CSR matrix, Slices or None
        (units, units), on `device`, where Slices is the sparse format. None for structured
        weights, which are not stored as a matrix.
    links : Links or None
        The nonzero weights for the compiled loops, where these run some numbers of series.
    """

    def __init__(
        self,
        weights: Any,
        factor: float,
        dtype: np.dtype | type,
        gain: np.ndarray | None = None,
        device: Device = "cpu",
        product: ProductName = "auto",
    ) -> None:
        self.factor = factor
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self._scaffold = weights if isinstance(weights, Scaffold) else None
        self.matrix: Any = None
        self.links: compiled.Links | None = None
        self._one: Any = None  # CSR matrix, if it is faster for one series than `matrix`
        scale = factor if gain is None else factor * gain
        self._scale = to_device(np.asarray(scale, self.dtype), device)
        self._signs = self._signs_on_device()
        if self._scaffold is None:
            if scipy.sparse.issparse(weights):
                weights = weights.tocsr()
                matrix = (weights.multiply(np.reshape(scale, (-1, 1)))).tocsr()
                self._choose_format(matrix.astype(self.dtype), product)
            else:
                self._set_dense(weights * np.reshape(scale, (-1, 1)))

    def _signs_on_device(self) -> tuple[Array, Array] | None:
        """Return the signs before and after a transform that a kernel runs, or None."""
        scaffold = self._scaffold
        if (
            self.device == "cpu"
            or not isinstance(scaffold, HadamardScaffold)
            or not hadamard_reservoir_fits(scaffold.order, self.dtype)
        ):
            return None
        return scaffold.signs_in[0], scaffold.signs_out * self._scale

    def _choose_format(self, matrix: Any, product: ProductName) -> None:
        units, share = matrix.shape[0], matrix.nnz / matrix.shape[0] ** 2
        if product == "dense":
            self._set_dense(matrix.toarray())
        elif product == "sparse":
            if self.device == "cpu" and compiled.can_run(units):
                self.links = compiled.make_links(matrix)
            self._set_sparse(matrix)
        elif self.device == "cpu" and compiled.suits(units, matrix.nnz):
            self.links = compiled.make_links(matrix)
            if compiled.suits_many(units, matrix.nnz):
                self._set_sparse(matrix)
            else:
                self._set_dense(matrix.toarray())
        elif units <= _DENSE_UNITS and share > (
            _DENSE_SHARE if self.device == "cpu" else _DEVICE_DENSE_SHARE
        ):
            self._set_dense(matrix.toarray())
            large = self.matrix.nbytes > _DENSE_BYTES
            if self.device == "cpu" and large and share <= _DENSE_SHARE_OF_ONE:
                self._one = matrix
        else:
            self._set_sparse(matrix)

    def _set_sparse(self, matrix: Any) -> None:
        self.matrix = matrix if self.device == "cpu" else to_slices(matrix, self.device)

    def _set_dense(self, weights: np.ndarray) -> None:
        # Column-major, so that W^T is contiguous in ``h W^T``: twice as fast for a few series.
        self.matrix = to_device(np.asfortranarray(weights, self.dtype), self.device)

    @property
    def structured(self) -> bool:
        return self._scaffold is not None

    @property
    def sparse(self) -> bool:
        return scipy.sparse.issparse(self.matrix) or isinstance(self.matrix, Slices)

    @property
    def nbytes(self) -> int:
        """Number of bytes that the weights occupy."""
        if self._scaffold is not None:
            return self._scaffold.nbytes
        if scipy.sparse.issparse(self.matrix):
            matrix = self.matrix
            return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
        return int(self.matrix.nbytes)

    def product_for(self, n_series: int = 1) -> Literal["sparse", "dense", "structured"]:
        """Return which product a run of so many series uses."""
        if self.structured:
            return "structured"
        one = self._one is not None and n_series == 1
        return "sparse" if self.sparse or one or self.links_for(n_series) else "dense"

    def matmul(self, h: Array, out: Array | None = None) -> Array:
        """Return ``h W^T``: (n, units) -> (n, units), written to `out` if given."""
        xp = device_module(self.device)
        if self._scaffold is not None:
            return xp.multiply(self._scaffold.matmul(h), self._scale, out=out)
        if not self.sparse:
            return xp.matmul(h, self.matrix.T, out=out)
        result = sparse_product(self.matrix, h)
        if out is None:
            return result
        out[...] = result
        return out

    def run(
        self, drive: Array, h: Array, take: np.floating, keep: np.floating, activation: str
    ) -> None:
        """Replace the drive of a block of steps by its states, in place.

        Parameters
        ----------
        drive : array, shape (time, n_series, units)
        h : array, shape (n_series, units)
            State before the first step.
        take, keep : floating, of the same type
            Factors of the nonlinearity and of the previous state.
        activation : {"tanh", "relu", "identity"}
        """
        links = self.links_for(len(h))
        if links is not None:
            compiled.run(links, drive, h, take, keep, activation)
        elif self._one is not None and len(h) == 1:
            leaky_sparse_(self._one, drive, h, take, keep, activation)
        elif self.sparse:
            leaky_sparse_(self.matrix, drive, h, take, keep, activation)
        elif self.matrix is not None:
            leaky_dense_(self.matrix, drive, h, take, keep, activation)
        elif self._signs is not None:
            leaky_hadamard_(*self._signs, drive, h, take, keep, activation)
        else:
            x = device_module(self.device).empty_like(h)
            for now in drive:
                self.matmul(h, out=x)
                leaky_(now, x, h, take, keep, activation)
                h = now

    def links_for(self, n_series: int) -> compiled.Links | None:
        """Return the weights of the compiled loops, if these are to run so many series."""
        fast = self.sparse or compiled.beats_dense(n_series)
        return self.links if fast else None

    def dense(self) -> np.ndarray:
        """Return the scaled W (units, units) on the host, in float64."""
        if self._scaffold is not None:
            scale = np.reshape(to_host(self._scale), (-1, 1)).astype(np.float64)
            return self._scaffold.dense() * scale
        matrix = to_host(self.matrix) if not self.sparse else self.matrix.toarray()
        return matrix.astype(np.float64)
