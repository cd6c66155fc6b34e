"""Frozen weight matrices behind one interface, in four ways of keeping them.

Every storage answers the same questions: ``matmul`` (x W^T), ``rmatmul`` (g W), ``dense``,
``tile``, ``nbytes`` and ``digest``. The values are the same; memory and speed differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..backend import Array, Device, array_module, device_module, to_device
from ..kernels import codes_shape, draw_codes_, draw_rows, unpack, unpack_table
from .spec import ScaffoldSpec

# Bytes of float32 weights that are drawn, unpacked or hashed at a time.
TILE_BYTES = 8 << 20


class Scaffold:
    """A frozen weight matrix W of shape (d_out, d_in), drawn from a seed.

    Use :func:`deepreservoir.scaffold.make_scaffold` to get one.

    Parameters
    ----------
    spec : ScaffoldSpec
        What is drawn.
    dtype : numpy dtype, default=float32
        Type that products are mostly computed in: dense weights are held in it. The weights
        are float32 values in any case.
    device : "cpu" or "cuda"
    """

    storage = "abstract"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        self.spec = spec
        self.dtype = np.dtype(dtype)
        self.device: Device = device

    @property
    def shape(self) -> tuple[int, int]:
        """(d_out, d_in)."""
        return self.spec.shape

    def serves(self, spec: ScaffoldSpec, storage: str, dtype: np.dtype, device: Device) -> bool:
        """Say whether this is the scaffold that :func:`make_scaffold` would make of these."""
        mine = (self.spec, self.storage, self.dtype, self.device)
        return mine == (spec, storage, dtype, device)

    @property
    def nbytes(self) -> int:
        """Bytes held between products."""
        raise NotImplementedError

    def multiply_adds(self, backward: bool = False) -> int:
        """Return the multiply-adds of `matmul`, or backward of `rmatmul`, for one row."""
        d_out, d_in = self.shape
        return d_out * d_in

    def matmul(self, x: Array) -> Array:
        """Return ``x W^T`` in the dtype of x: (n, d_in) -> (n, d_out)."""
        out = array_module(x).empty((x.shape[0], self.shape[0]), x.dtype)
        for rows, weights in self.product_tiles(x.dtype):
            out[:, rows.start : rows.stop] = x @ weights.T
        return out

    def rmatmul(self, g: Array) -> Array:
        """Return ``g W`` in the dtype of g: (n, d_out) -> (n, d_in)."""
        out = array_module(g).zeros((g.shape[0], self.shape[1]), g.dtype)
        for rows, weights in self.product_tiles(g.dtype):
            out += g[:, rows.start : rows.stop] @ weights
        return out

    def tile(self, rows: range, cols: range) -> np.ndarray:
        """Return W[rows, cols] on the host: float32, (len(rows), len(cols))."""
        return self.spec.tile(rows, cols)

    def row_tiles(self) -> Iterator[tuple[range, np.ndarray]]:
        """Yield (rows, W[rows]) on the host, from the first row to the last, in float32."""
        for rows in self._row_ranges():
            yield rows, self.tile(rows, range(self.shape[1]))

    def _row_ranges(self) -> Iterator[range]:
        d_out, d_in = self.shape
        step = max(1, TILE_BYTES // (4 * d_in))
        for start in range(0, d_out, step):
            yield range(start, min(start + step, d_out))

    def product_tiles(self, dtype: np.dtype | type) -> Iterator[tuple[range, Array]]:
        """Yield (rows, W[rows]) where products are computed, in `dtype`."""
        for rows in self._row_ranges():
            yield rows, self._product_rows(rows).astype(dtype, copy=False)

    def _product_rows(self, rows: range) -> Array:
        """Return W[rows] where products are computed, drawn there where it can be."""
        if self.device == "cuda" and self.spec.addressable:
            table, key = self._device_table, self.spec.stream.key
            return draw_rows(table, key, rows.start, rows.stop, self.shape[1])
        return to_device(self.tile(rows, range(self.shape[1])), self.device)

    @cached_property
    def _device_table(self) -> Array:
        return to_device(self.spec.table, self.device)

    def dense(self) -> np.ndarray:
        """Return W on the host: float32, (d_out, d_in)."""
        out = np.empty(self.shape, np.float32)
        for rows, tile in self.row_tiles():
            out[rows.start : rows.stop] = tile
        return out

    def digest(self) -> str:
        """Return the SHA-256 of the weights' bytes: float32, little end first, row by row."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256()
        for _, tile in self.row_tiles():
            sha.update(np.ascontiguousarray(tile, dtype="<f4").data)
        return sha.hexdigest()

    @cached_property
    def row_norms_squared(self) -> Array:
        """Squared length of each row, (d_out,), in `dtype`: what DoRA normalises by."""
        xp = device_module(self.device)
        norms = xp.empty(self.shape[0])
        for rows, tile in self.product_tiles(np.float32):
            norms[rows.start : rows.stop] = xp.einsum("ij,ij->i", tile, tile, dtype=np.float64)
        return norms.astype(self.dtype)


class DenseScaffold(Scaffold):
    """All weights in memory: 4 bytes each, or 8 in float64.

    A product in another dtype converts a tile at a time.
    """

    storage = "dense"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        weights = super()._product_rows(range(spec.shape[0]))
        weights = weights.astype(self.dtype, copy=False)
        if device == "cpu":
            weights.flags.writeable = False
        self.weights = weights  # (d_out, d_in)

    @property
    def nbytes(self) -> int:
        return int(self.weights.nbytes)

    def matmul(self, x: Array) -> Array:
        if x.dtype == self.dtype:
            return x @ self.weights.T
        return super().matmul(x)

    def rmatmul(self, g: Array) -> Array:
        if g.dtype == self.dtype:
            return g @ self.weights
        return super().rmatmul(g)

    def _product_rows(self, rows: range) -> Array:
        return self.weights[rows.start : rows.stop]

    def dense(self) -> np.ndarray:
        return self.spec.rows(0, self.shape[0])


class StreamedScaffold(Scaffold):
    """One tile in memory: the weights are drawn again inside every product."""

    storage = "streamed"

    @property
    def nbytes(self) -> int:
        return 0


class PackedScaffold(Scaffold):
    """1, 2, 4, 8 or 16 bits a weight, unpacked a tile at a time.

    The code of a weight is the top bits of its lane. Codes are packed little end first: the
    first weight of a byte sits in its lowest bits; a row starts on a byte.
    """

    storage = "packed"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        d_out, d_in = spec.shape
        self.bits = spec.definition.bits
        self._per_byte = max(1, 8 // self.bits)
        self.codes = device_module(device).empty(*codes_shape(d_out, d_in, self.bits))
        for rows in self._row_ranges():
            part = self.codes[rows.start : rows.stop]
            draw_codes_(part, spec.stream.key, rows.start, d_in, self.bits)
        self._unpacked = to_device(unpack_table(spec.values, self.bits), device)

    @property
    def nbytes(self) -> int:
        return int(self.codes.nbytes)

    def _product_rows(self, rows: range) -> Array:
        return unpack(self.codes[rows.start : rows.stop], self._unpacked, self.shape[1])

    def tile(self, rows: range, cols: range) -> np.ndarray:
        if self.device == "cuda":
            return self.spec.tile(rows, cols)
        first = cols.start // self._per_byte
        units = self.codes[rows.start : rows.stop, first : -(-cols.stop // self._per_byte)]
        skip = cols.start - first * self._per_byte
        return unpack(units, self._unpacked, skip + len(cols))[:, skip:]
