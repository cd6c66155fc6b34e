"""Frozen weight matrices in several storages with one interface.

Every storage has the same methods: ``matmul`` (x W^T), ``rmatmul`` (g W), ``rows_at`` (rows by
index), ``dense``, ``tile``, ``nbytes`` and ``digest``. The values are the same; memory and speed
differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache, cached_property

import numpy as np

from ..backend import (
    Array,
    Device,
    array_module,
    device_memory,
    device_module,
    is_on_device,
    to_device,
    to_host,
)
from ..kernels import (
    codes_shape,
    compact_table,
    consecutive,
    draw_codes_,
    draw_rows,
    draw_rows_at,
    product,
    squared_norms,
    unpack,
    unpack_table,
)
from .spec import ScaffoldSpec

# Number of bytes of float32 weights that are drawn, unpacked or hashed at a time on the host, where
# a tile should stay in the cache.
HOST_TILE_BYTES = 8 << 20

# The same on a device, where the product of a small tile leaves most of it idle.
DEVICE_TILE_BYTES = 512 << 20


@cache
def tile_bytes(device: Device) -> int:
    """Return the number of bytes of float32 weights in a tile of a product.

    It depends on the device alone and not on the memory that happens to be free: products of other
    tiles differ in their last bits.
    """
    if device == "cpu":
        return HOST_TILE_BYTES
    return min(DEVICE_TILE_BYTES, device_memory(device)[1] // 128)


class Scaffold:
    """A frozen weight matrix W of shape (d_out, d_in), drawn from a seed.

    Use :func:`deepreservoir.scaffold.make_scaffold` to get one.

    Parameters
    ----------
    spec : ScaffoldSpec
        Specification of the matrix.
    dtype : numpy dtype, default=float32
        Type in which products are mostly computed; dense weights are stored in it. The weights
        are always float32 values.
    device : {"cpu", "cuda", "cuda:N"}

    Examples
    --------
    >>> from deepreservoir import ScaffoldSpec, make_scaffold
    >>> scaffold = make_scaffold(ScaffoldSpec("normal", (4, 3), seed=0, path="layers.0"))
    >>> x = np.ones((2, 3), np.float32)
    >>> scaffold.shape, scaffold.matmul(x).shape, bool((scaffold.dense() @ x[0]).any())
    ((4, 3), (2, 4), True)
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
        """Return whether :func:`make_scaffold` would make this scaffold from these arguments."""
        properties = (self.spec, self.storage, self.dtype, self.device)
        return properties == (spec, storage, dtype, device)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept in memory between products."""
        raise NotImplementedError

    def multiply_adds(self, backward: bool = False) -> int:
        """Return the multiply-adds of `matmul`, or of `rmatmul` if `backward`, for one row."""
        d_out, d_in = self.shape
        return d_out * d_in

    def matmul(self, x: Array) -> Array:
        """Return ``x W^T`` in the dtype of x: (..., d_in) -> (..., d_out)."""
        if x.ndim == 2 and x.shape[1] == self.shape[1] and x.dtype.kind == "f":
            return self._matmul(x)
        return self._over_rows(self._matmul, x, *self.shape[::-1])

    def rmatmul(self, g: Array) -> Array:
        """Return ``g W`` in the dtype of g: (..., d_out) -> (..., d_in)."""
        if g.ndim == 2 and g.shape[1] == self.shape[0] and g.dtype.kind == "f":
            return self._rmatmul(g)
        return self._over_rows(self._rmatmul, g, *self.shape)

    def _over_rows(
        self, product: Callable[[Array], Array], x: Array, width: int, out_width: int
    ) -> Array:
        """Return a product over the rows of x, with the leading axes of x restored."""
        if x.ndim == 0 or x.shape[-1] != width:
            raise ValueError(
                f"a product with scaffold {self.spec.path!r} of shape {self.shape} needs a last "
                f"axis of {width}; got shape {x.shape}"
            )
        if x.dtype.kind != "f":
            raise TypeError(
                f"a product with scaffold {self.spec.path!r} is computed in the dtype of the rows, "
                f"which must be a floating-point one; got {x.dtype}"
            )
        return product(x.reshape(-1, width)).reshape(*x.shape[:-1], out_width)

    # A storage overrides the products of rows, (n, d_in) -> (n, d_out) and back.

    def _matmul(self, x: Array) -> Array:
        out = array_module(x).empty((x.shape[0], self.shape[0]), x.dtype)
        for rows, weights in self.product_tiles(x.dtype):
            product(x, weights.T, out=out[:, rows.start : rows.stop])
        return out

    def _rmatmul(self, g: Array) -> Array:
        out: Array = None
        for rows, weights in self.product_tiles(g.dtype):
            part = product(g[:, rows.start : rows.stop], weights)
            if out is None:
                out = part
            else:
                out += part
        return out

    def rows_at(self, index: Array, check: bool = True) -> Array:
        """Return rows of W by index, like an embedding table, without drawing the other rows.

        Parameters
        ----------
        index : array of integers, of any shape
            From 0 to d_out - 1, in any order, with or without repetition; on the host or on a
            device. The range of an index on a device is checked there, and the host waits for it.
        check : bool, default=True
            False if all entries are known to be in range, so that the host need not wait.

        Returns
        -------
        array of the scaffold's dtype, ``(*index.shape, d_in)``
            The rows of :meth:`dense`, on the scaffold's device.

        Raises
        ------
        TypeError
            If the index does not have an integer dtype.
        IndexError
            If an index is out of range.
        """
        index = index if is_on_device(index) else np.asarray(index)
        if index.dtype.kind not in "iu":
            raise TypeError(f"row indices must be integers; got an array of {index.dtype}")
        d_out, d_in = self.shape
        if not index.size:
            return device_module(self.device).empty((*index.shape, d_in), self.dtype)
        flat = index.reshape(-1).astype(np.int64, copy=False)
        # Checked where it is, before it is moved.
        outside = (flat < 0) | (flat >= d_out) if check else None
        if outside is not None and outside.any():
            raise IndexError(
                f"row indices of scaffold {self.spec.path!r} must be from 0 to {d_out - 1}; got "
                f"{int(flat[outside][0])}"
            )
        rows = self._rows_at(to_device(flat, self.device)).astype(self.dtype, copy=False)
        return rows.reshape(*index.shape, d_in)

    def _rows_at(self, index: Array) -> Array:
        """Return the rows of a non-empty 1-D index, on the scaffold's device."""
        if self.spec.addressable:
            table = self.spec.table if self.device == "cpu" else self._device_table
            return draw_rows_at(table, self.spec.stream.key, index, self.shape[1])
        distinct, inverse = np.unique(to_host(index), return_inverse=True)
        cols = range(self.shape[1])
        tiles = [self.tile(rows, cols) for rows in consecutive(distinct)]
        return to_device(np.concatenate(tiles)[inverse], self.device)

    def tile(self, rows: range, cols: range) -> np.ndarray:
        """Return W[rows, cols] on the host: float32, (len(rows), len(cols))."""
        return self.spec.tile(rows, cols)

    def row_tiles(self) -> Iterator[tuple[range, np.ndarray]]:
        """Yield (rows, W[rows]) on the host, from the first row to the last, in float32."""
        for rows in self._row_ranges("cpu"):
            yield rows, self.tile(rows, range(self.shape[1]))

    def _row_ranges(self, device: Device) -> Iterator[range]:
        d_out, d_in = self.shape
        step = max(1, tile_bytes(device) // (4 * d_in))
        for start in range(0, d_out, step):
            yield range(start, min(start + step, d_out))

    def product_tiles(self, dtype: np.dtype | type) -> Iterator[tuple[range, Array]]:
        """Yield (rows, W[rows]) on the scaffold's device, in `dtype`."""
        for rows in self._row_ranges(self.device):
            yield rows, self._product_rows(rows, np.dtype(dtype))

    def _product_rows(self, rows: range, dtype: np.dtype) -> Array:
        """Return W[rows] on the scaffold's device, drawn there if the family allows it."""
        if self.device != "cpu" and self.spec.addressable:
            table, key = self._device_table, self.spec.stream.key
            return draw_rows(table, key, rows.start, rows.stop, self.shape[1], dtype=dtype)
        rows_on_device = to_device(self.tile(rows, range(self.shape[1])), self.device)
        return rows_on_device.astype(dtype, copy=False)

    @cached_property
    def _device_table(self) -> Array:
        return to_device(compact_table(self.spec.values), self.device)

    def dense(self) -> np.ndarray:
        """Return W on the host: float32, (d_out, d_in)."""
        out = np.empty(self.shape, np.float32)
        for rows, tile in self.row_tiles():
            out[rows.start : rows.stop] = tile
        return out

    def digest(self) -> str:
        """Return the SHA-256 of the weights' bytes: float32, little-endian, row by row."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256()
        for _, tile in self.row_tiles():
            sha.update(np.ascontiguousarray(tile, dtype="<f4").data)
        return sha.hexdigest()

    @cached_property
    def row_norms_squared(self) -> Array:
        """Squared norm of each row, (d_out,), in `dtype`, which DoRA needs."""
        xp = device_module(self.device)
        norms = xp.empty(self.shape[0])
        for rows, tile in self.product_tiles(np.float32):
            norms[rows.start : rows.stop] = squared_norms(tile)
        return norms.astype(self.dtype)


class DenseScaffold(Scaffold):
    """All weights in memory: 4 bytes per weight, or 8 in float64.

    A product in another dtype converts one tile at a time.
    """

    storage = "dense"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        weights = super()._product_rows(range(spec.shape[0]), self.dtype)
        if device == "cpu":
            weights.flags.writeable = False
        self.weights = weights  # (d_out, d_in)

    @property
    def nbytes(self) -> int:
        return int(self.weights.nbytes)

    def _matmul(self, x: Array) -> Array:
        if x.dtype == self.dtype:
            return product(x, self.weights.T)
        return super()._matmul(x)

    def _rmatmul(self, g: Array) -> Array:
        if g.dtype == self.dtype:
            return product(g, self.weights)
        return super()._rmatmul(g)

    def _rows_at(self, index: Array) -> Array:
        return self.weights[index]

    def _product_rows(self, rows: range, dtype: np.dtype) -> Array:
        return self.weights[rows.start : rows.stop].astype(dtype, copy=False)

    def dense(self) -> np.ndarray:
        return self.spec.rows(0, self.shape[0])


class StreamedScaffold(Scaffold):
    """One tile in memory at a time: the weights are redrawn inside every product."""

    storage = "streamed"

    @property
    def nbytes(self) -> int:
        return 0


class PackedScaffold(Scaffold):
    """1, 2, 4, 8 or 16 bits per weight, unpacked one tile at a time.

    The code of a weight is the top bits of its lane. Codes are packed in little-endian order: the
    first weight of a byte is in its lowest bits, and a row starts at a byte boundary.
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
        for rows in self._row_ranges(device):
            part = self.codes[rows.start : rows.stop]
            draw_codes_(part, spec.stream.key, rows.start, d_in, self.bits)
        self._unpacked = to_device(unpack_table(spec.values, self.bits), device)

    @property
    def nbytes(self) -> int:
        return int(self.codes.nbytes)

    def _product_rows(self, rows: range, dtype: np.dtype) -> Array:
        return unpack(self.codes[rows.start : rows.stop], self._unpacked, self.shape[1], dtype)

    def _rows_at(self, index: Array) -> Array:
        return unpack(self.codes[index], self._unpacked, self.shape[1])

    def tile(self, rows: range, cols: range) -> np.ndarray:
        if self.device != "cpu":
            return self.spec.tile(rows, cols)
        first = cols.start // self._per_byte
        units = self.codes[rows.start : rows.stop, first : -(-cols.stop // self._per_byte)]
        skip = cols.start - first * self._per_byte
        return unpack(units, self._unpacked, skip + len(cols))[:, skip:]
