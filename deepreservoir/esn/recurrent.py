"""Scaled recurrent weights on the device of a reservoir, in the fastest format."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from ..backend import Array, Device, device_module, to_device, to_host
from ..kernels.hadamard_reservoir import hadamard_reservoir_fits, leaky_hadamard_
from ..kernels.reservoir import leaky_, leaky_dense_
from ..kernels.sparse_reservoir import Slices, leaky_sparse_, sparse_product, to_slices
from ..scaffold import Scaffold
from ..scaffold.hadamard import HadamardScaffold
from . import compiled

# From this share of nonzero weights on, a dense product is faster than a sparse one.
_DENSE_SHARE = 0.04
_DENSE_UNITS = 8192
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
    device : {"cpu", "cuda"}, default="cpu"

    Attributes
    ----------
    matrix : array, CSR matrix, Slices or None
        (units, units), on `device`, where Slices is the sparse format. None for structured
        weights, which are not stored as a matrix.
    """

    def __init__(
        self,
        weights: Any,
        factor: float,
        dtype: np.dtype | type,
        gain: np.ndarray | None = None,
        device: Device = "cpu",
    ) -> None:
        self.factor = factor
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self._scaffold = weights if isinstance(weights, Scaffold) else None
        self.matrix: Any = None
        self.links: compiled.Links | None = None  # for the compiled loops, if they are faster
        scale = factor if gain is None else factor * gain
        self._scale = to_device(np.asarray(scale, self.dtype), device)
        self._signs = self._signs_on_device()
        if self._scaffold is None:
            if scipy.sparse.issparse(weights):
                weights = weights.tocsr()
                matrix = (weights.multiply(np.reshape(scale, (-1, 1)))).tocsr()
                self._choose_format(matrix.astype(self.dtype))
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

    def _choose_format(self, matrix: Any) -> None:
        units = matrix.shape[0]
        share = _DENSE_SHARE if self.device == "cpu" else _DEVICE_DENSE_SHARE
        if self.device == "cpu" and compiled.suits(units, matrix.nnz):
            self.links = compiled.make_links(matrix)
            if compiled.suits_many(units, matrix.nnz):
                self.matrix = matrix
            else:
                self._set_dense(matrix.toarray())
        elif matrix.nnz > share * units**2 and units <= _DENSE_UNITS:
            self._set_dense(matrix.toarray())
        else:
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
