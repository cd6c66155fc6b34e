"""Scaffolds that are never written out: Hadamard and Kronecker products.

With n = d_in, a product costs O(n^1.5) where a dense one costs O(n^2), and memory is O(n).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy.linalg

from ..backend import Array, Device, array_module, to_device
from ..kernels import fits_shared_memory, hadamard_rows
from .families import lane_table
from .spec import ScaffoldSpec
from .storage import Scaffold
from .streams import Stream

# Numbers of a product that blocks of a stacked scaffold are transformed in at a time.
_GROUP_NUMBERS = 1 << 16


def _split(n: int) -> tuple[int, int]:
    """Return the factors of `n` that are nearest to each other, the smaller one first."""
    small = next(a for a in range(math.isqrt(n), 0, -1) if n % a == 0)
    return small, n // small


def _like(x: Array, factor: Array) -> Array:
    """Return a small factor in the dtype of x, which decides that of the product."""
    return factor.astype(x.dtype, copy=False)


class HadamardScaffold(Scaffold):
    """W = D2 H D1 times one scale: every weight is plus or minus the scale.

    H is the Sylvester-Hadamard matrix of the smallest order n that is a power of two and at
    least d_in, of which the first d_in columns are used. One such block gives up to n
    outputs; more outputs stack blocks, each with input signs D1 of its own. H = Ha (x) Hb,
    so a product is two small matrix products; on a device it is one fast transform as long as
    a row fits shared memory.
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
        self.signs_out = to_device(  # (d_out,), the scale folded in
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
        """Return those of the two small products; on a device, the additions of the transform."""
        if self.device == "cuda" and fits_shared_memory(self.order, self.dtype):
            return self.blocks * self.order * (self.order.bit_length() - 1)
        return self.blocks * self.order * (len(self._left) + len(self._right))

    def _transform(self, x: Array) -> Array:
        """Return x H, which is x H^T too: (n, order) -> (n, order)."""
        n, a, b = len(x), len(self._left), len(self._right)
        right = (x.reshape(n * a, b) @ _like(x, self._right)).reshape(n, a, b)
        return (_like(x, self._left) @ right).reshape(n, self.order)

    def _signed(self, x: Array, signs: Array, width: int) -> Array:
        """Return x * signs in rows of `order` numbers, each vector of x filled up to `width`."""
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
        """Yield the blocks that n rows are transformed with at a time.

        A tall matrix has many small blocks: one by one, they would cost a round of Python each.
        """
        size = max(1, _GROUP_NUMBERS // max(1, n * self.order))
        for first in range(0, self.blocks, size):
            yield slice(first, min(first + size, self.blocks))

    def _fits_kernel(self, x: Array) -> bool:
        return array_module(x) is not np and fits_shared_memory(self.order, x.dtype)

    def matmul(self, x: Array) -> Array:
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

    def rmatmul(self, g: Array) -> Array:
        if self._fits_kernel(g):
            return hadamard_rows(g, self.signs_in, self.signs_out, self.order, backward=True)
        (d_out, d_in), order, n = self.shape, self.order, len(g)
        out = None
        for blocks in self._block_groups(n):
            part = slice(blocks.start * order, min(blocks.stop * order, d_out))
            signs_in = _like(g, self.signs_in[blocks])
            signed = self._signed(g[:, part], self.signs_out[part], len(signs_in) * order)
            mixed = self._transform(signed).reshape(n, len(signs_in), order)[:, :, :d_in]
            one = len(signs_in) == 1  # spares a sum of one term
            term = mixed[:, 0] * signs_in if one else (mixed * signs_in).sum(axis=1)
            out = term if out is None else out + term
        return out

    def tile(self, rows: range, cols: range) -> np.ndarray:
        signs_in, signs_out = self._host
        i = np.array(rows, dtype=np.intp)
        # Entry (i, j) of the Sylvester matrix is -1 to the number of bits i and j share.
        shared = np.bitwise_count((i % self.order)[:, None] & np.array(cols, dtype=np.intp))
        hadamard = np.where(shared & 1, np.float32(-1), np.float32(1))
        signs = signs_out[i][:, None] * signs_in[i // self.order][:, cols.start : cols.stop]
        return hadamard * signs * self.spec.factor


class KroneckerScaffold(Scaffold):
    """W = P (x) Q times one scale, with P and Q normal at unit variance.

    d_in and d_out are split into their nearest factors, so nothing is padded; a prime
    dimension leaves one factor of its own size and saves less.
    """

    storage = "structured"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        (p_out, q_out), (p_in, q_in) = _split(spec.shape[0]), _split(spec.shape[1])
        seed, path, draw = spec.seed, spec.path, spec.stream.draw
        table = lane_table(spec.family)
        p = table[Stream(seed, path, f"{draw}/P").rows(0, p_out, p_in)]
        q = table[Stream(seed, path, f"{draw}/Q").rows(0, q_out, q_in)]
        self._host = p, q
        # The scale rides on P in products; a weight is (p q) scale, each product rounded.
        self._p = to_device(p.astype(self.dtype) * spec.factor, device)  # (p_out, p_in)
        self._q = to_device(q.astype(self.dtype), device)  # (q_out, q_in)

    @property
    def nbytes(self) -> int:
        return int(self._p.nbytes + self._q.nbytes)

    def multiply_adds(self, backward: bool = False) -> int:
        (p_out, p_in), (q_out, q_in) = self._p.shape, self._q.shape
        if backward:
            return int(p_out * q_in * (q_out + p_in))
        return int(p_in * q_out * (q_in + p_out))

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return P and Q on the host, unscaled, in float32."""
        return self._host

    def matmul(self, x: Array) -> Array:
        p, q, n = _like(x, self._p), _like(x, self._q), len(x)
        (p_out, p_in), (q_out, q_in) = p.shape, q.shape
        right = (x.reshape(n * p_in, q_in) @ q.T).reshape(n, p_in, q_out)
        return (p @ right).reshape(n, p_out * q_out)

    def rmatmul(self, g: Array) -> Array:
        p, q, n = _like(g, self._p), _like(g, self._q), len(g)
        (p_out, p_in), (q_out, q_in) = p.shape, q.shape
        right = (g.reshape(n * p_out, q_out) @ q).reshape(n, p_out, q_in)
        return (p.T @ right).reshape(n, p_in * q_in)

    def tile(self, rows: range, cols: range) -> np.ndarray:
        p, q = self._host
        i, j = np.array(rows, dtype=np.intp)[:, None], np.array(cols, dtype=np.intp)
        (q_out, q_in) = q.shape
        return p[i // q_out, j // q_in] * q[i % q_out, j % q_in] * self.spec.factor
