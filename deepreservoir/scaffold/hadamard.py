"""Hadamard scaffolds: a Hadamard matrix with random signs on both sides, never expanded.

With n = d_in, a product costs O(n^1.5) instead of O(n^2) for a dense matrix, and memory is O(n).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.linalg

from ..backend import Array, Device, array_module, to_device
from ..kernels import fits_shared_memory, hadamard_rows, product
from .families import fan_in
from .spec import Construction, Family, ScaffoldSpec, Storages
from .storage import Scaffold
from .streams import Stream
from .tables import lane_table

# Number of entries of a product that are transformed at a time if blocks are stacked.
_GROUP_NUMBERS = 1 << 16


def _like(x: Array, factor: Array) -> Array:
    """Return a small factor in the dtype of x, which determines the dtype of the product."""
    return factor.astype(x.dtype, copy=False)


class HadamardScaffold(Scaffold):
    """W = D2 H D1 times one scale: every weight is plus or minus the scale.

    H is the Sylvester-Hadamard matrix whose order n is the smallest power of two of at least
    d_in, of which the first d_in columns are used. One such block has up to n outputs; for more
    outputs, blocks are stacked, each with its own input signs D1. H = Ha (x) Hb, so a product is
    two small matrix products; on a device it is one fast transform if a row fits into shared
    memory.
    """

    storage = "structured"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        d_out, d_in = spec.shape
        self.order = 1 << (d_in - 1).bit_length()
        self.blocks = -(-d_out // self.order)
        log_order = self.order.bit_length() - 1
        a, b = 1 << (log_order // 2), 1 << (log_order - log_order // 2)
        seed, path, draw = spec.seed, spec.path, spec.stream.draw
        signs_in = self._signs(Stream(seed, path, f"{draw}/D1"), self.blocks, d_in)
        signs_out = self._signs(Stream(seed, path, f"{draw}/D2"), 1, d_out)[0]
        self._host = signs_in, signs_out
        self.signs_in = to_device(signs_in.astype(self.dtype), device)  # (blocks, d_in)
        self.signs_out = to_device(  # (d_out,), including the scale
            (signs_out * spec.factor).astype(self.dtype), device
        )
        self._left = to_device(scipy.linalg.hadamard(a).astype(self.dtype), device)  # (a, a)
        self._right = to_device(scipy.linalg.hadamard(b).astype(self.dtype), device)  # (b, b)

    @staticmethod
    def _signs(stream: Stream, rows: int, width: int) -> np.ndarray:
        return lane_table("binary")[stream.rows(0, rows, width)]

    @property
    def nbytes(self) -> int:
        parts = (self.signs_in, self.signs_out, self._left, self._right)
        return sum(int(part.nbytes) for part in parts)

    def multiply_adds(self, backward: bool = False) -> int:
        """Return the multiply-adds of the two small products, or the additions on a device."""
        if self.device != "cpu" and fits_shared_memory(self.order, self.dtype):
            return self.blocks * self.order * (self.order.bit_length() - 1)
        return self.blocks * self.order * (len(self._left) + len(self._right))

    def _transform(self, x: Array) -> Array:
        """Return x H, which equals x H^T: (n, order) -> (n, order)."""
        n, a, b = len(x), len(self._left), len(self._right)
        right = product(x.reshape(n * a, b), _like(x, self._right)).reshape(n, a, b)
        return product(_like(x, self._left), right).reshape(n, self.order)

    def _signed(self, x: Array, signs: Array, width: int) -> Array:
        """Return x * signs in rows of `order` entries, each vector of x zero-padded to `width`."""
        signs = _like(x, signs)
        if x.shape[-1] == width:
            return (x * signs).reshape(-1, self.order)
        xp = array_module(x)
        shape = np.broadcast_shapes(x.shape, signs.shape)
        out = xp.empty((*shape[:-1], width), x.dtype)
        xp.multiply(x, signs, out=out[..., : shape[-1]])
        out[..., shape[-1] :] = 0
        return out.reshape(-1, self.order)

    def _block_groups(self, n: int) -> Iterator[slice]:
        """Yield groups of blocks, which are applied to n rows together.

        A tall matrix has many small blocks, and each group takes one iteration in Python.
        """
        size = max(1, _GROUP_NUMBERS // max(1, n * self.order))
        for first in range(0, self.blocks, size):
            yield slice(first, min(first + size, self.blocks))

    def _fits_kernel(self, x: Array) -> bool:
        return array_module(x) is not np and fits_shared_memory(self.order, x.dtype)

    def _matmul(self, x: Array) -> Array:
        if self._fits_kernel(x):
            return hadamard_rows(x, self.signs_in, self.signs_out, self.order)
        d_out, order, n = self.shape[0], self.order, len(x)
        xp = array_module(x)
        out = xp.empty((n, d_out), x.dtype)
        for blocks in self._block_groups(n):
            part = slice(blocks.start * order, min(blocks.stop * order, d_out))
            signs_in, width = self.signs_in[blocks], part.stop - part.start
            signed = self._signed(x[:, None], signs_in, order)
            mixed = self._transform(signed).reshape(n, len(signs_in) * order)[:, :width]
            xp.multiply(mixed, _like(x, self.signs_out[part]), out=out[:, part])
        return out

    def _rmatmul(self, g: Array) -> Array:
        if self._fits_kernel(g):
            return hadamard_rows(g, self.signs_in, self.signs_out, self.order, backward=True)
        (d_out, d_in), order, n = self.shape, self.order, len(g)
        out = None
        for blocks in self._block_groups(n):
            part = slice(blocks.start * order, min(blocks.stop * order, d_out))
            signs_in = _like(g, self.signs_in[blocks])
            signed = self._signed(g[:, part], self.signs_out[part], len(signs_in) * order)
            mixed = self._transform(signed).reshape(n, len(signs_in), order)[:, :, :d_in]
            single = len(signs_in) == 1  # avoids a sum of one term
            term = mixed[:, 0] * signs_in if single else (mixed * signs_in).sum(axis=1)
            out = term if out is None else out + term
        return out

    def tile(self, rows: range, cols: range) -> np.ndarray:
        signs_in, signs_out = self._host
        i = np.array(rows, dtype=np.intp)
        # Entry (i, j) of the Sylvester matrix is (-1)^k for the number k of bits set in both.
        shared = np.bitwise_count((i % self.order)[:, None] & np.array(cols, dtype=np.intp))
        hadamard = np.where(shared & 1, np.float32(-1), np.float32(1))
        signs = signs_out[i][:, None] * signs_in[i // self.order][:, cols.start : cols.stop]
        return hadamard * signs * self.spec.factor

    def _rows_at(self, index: Array) -> Array:
        order, half = self.order, len(self._right)
        within = index % order
        # A row of a Kronecker product is the product of its factors' rows; all entries are +-1.
        left, right = self._left[within // half], self._right[within % half]
        rows = (left[:, :, None] * right[:, None, :]).reshape(len(index), order)
        rows = rows[:, : self.shape[1]] * self.signs_in[index // order]
        rows *= self.signs_out[index][:, None]
        return rows


@dataclass(frozen=True)
class Hadamard(Construction):
    """A Hadamard matrix with random signs on both sides."""

    storages: ClassVar[Storages] = {"structured": HadamardScaffold}

    def tile(self, spec: ScaffoldSpec, rows: range, cols: range) -> np.ndarray:
        return HadamardScaffold(spec).tile(rows, cols)


FAMILY = Family(
    "hadamard",
    "D2 H D1: random signs on both sides of a Hadamard matrix",
    fan_in(1.0),
    Hadamard(),
    "binary",
    1,
)
