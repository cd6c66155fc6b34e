"""Frozen weight matrices behind one interface, in four ways of keeping them.

Every storage answers the same questions: ``matmul`` (x W^T), ``rmatmul`` (g W), ``dense``,
``tile``, ``nbytes`` and ``digest``. The values are the same; memory and speed differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..backend import Array, Device, array_module, to_device
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

    def matmul(self, x: Array) -> Array:
        """Return ``x W^T`` in the dtype of x: (n, d_in) -> (n, d_out)."""
        out = array_module(x).empty((x.shape[0], self.shape[0]), x.dtype)
        for rows, weights in self._device_tiles(x.dtype):
            out[:, rows.start : rows.stop] = x @ weights.T
        return out

    def rmatmul(self, g: Array) -> Array:
        """Return ``g W`` in the dtype of g: (n, d_out) -> (n, d_in)."""
        out = array_module(g).zeros((g.shape[0], self.shape[1]), g.dtype)
        for rows, weights in self._device_tiles(g.dtype):
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

    def _device_tiles(self, dtype: np.dtype) -> Iterator[tuple[range, Array]]:
        """Yield (rows, W[rows]) where products are computed, in `dtype`."""
        for rows, tile in self.row_tiles():
            yield rows, to_device(tile.astype(dtype, copy=False), self.device)

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
        norms = np.empty(self.shape[0])
        for rows, tile in self.row_tiles():
            norms[rows.start : rows.stop] = np.einsum("ij,ij->i", tile, tile, dtype=np.float64)
        return to_device(norms.astype(self.dtype), self.device)


class DenseScaffold(Scaffold):
    """All weights in memory: 4 bytes each, or 8 in float64.

    A product in another dtype converts a tile at a time.
    """

    storage = "dense"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        weights = spec.rows(0, spec.shape[0]).astype(self.dtype, copy=False)
        weights.flags.writeable = False
        self.weights = to_device(weights, device)  # (d_out, d_in)

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

    def _device_tiles(self, dtype: np.dtype) -> Iterator[tuple[range, Array]]:
        for rows in self._row_ranges():
            yield rows, self.weights[rows.start : rows.stop].astype(dtype, copy=False)

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
        row_bytes = -(-d_in * self.bits // 8)
        unit = np.dtype(np.uint16 if self.bits == 16 else np.uint8)
        self.codes = np.empty((d_out, row_bytes // unit.itemsize), unit)
        for rows in self._row_ranges():
            lanes = spec.stream.rows(rows.start, rows.stop, d_in)
            self.codes[rows.start : rows.stop] = self._pack(lanes)
        self._unpacked = self._unpack_table(spec.values)

    def _pack(self, lanes: np.ndarray) -> np.ndarray:
        codes = lanes >> (16 - self.bits)
        if self.bits >= 8:
            return codes.astype(self.codes.dtype)
        short = -codes.shape[1] % self._per_byte
        codes = np.pad(codes.astype(np.uint8), ((0, 0), (0, short)))
        groups = codes.reshape(len(codes), -1, self._per_byte)
        packed = groups[:, :, 0].copy()
        for i in range(1, self._per_byte):
            packed |= groups[:, :, i] << (i * self.bits)
        return packed

    def _unpack_table(self, values: np.ndarray) -> np.ndarray:
        """Return the weights of each unit of storage: (units, weights a unit)."""
        if self.bits >= 8:
            return values[:, None]
        byte = np.arange(256)[:, None]
        shifts = np.arange(self._per_byte) * self.bits
        return values[(byte >> shifts) & (2**self.bits - 1)]

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes

    def tile(self, rows: range, cols: range) -> np.ndarray:
        first = cols.start // self._per_byte
        last = -(-cols.stop // self._per_byte)
        units = self.codes[rows.start : rows.stop, first:last]
        out = np.take(self._unpacked, units, axis=0, mode="clip")
        out = out.reshape(len(rows), (last - first) * self._per_byte)
        skip = cols.start - first * self._per_byte
        return out[:, skip : skip + len(cols)]
