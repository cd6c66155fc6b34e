"""Kronecker scaffolds: a product of two small factors, never expanded.

With n = d_in, a product costs O(n^1.5) instead of O(n^2) for a dense matrix, and memory is O(n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..backend import Array, Device, to_device
from ..kernels import product
from .families import fan_in
from .spec import Construction, Family, ScaffoldSpec, Storages
from .storage import Scaffold
from .streams import Stream
from .tables import lane_table


def _split(n: int) -> tuple[int, int]:
    """Return the two factors of `n` that are closest to each other, the smaller one first."""
    small = next(a for a in range(math.isqrt(n), 0, -1) if n % a == 0)
    return small, n // small


class KroneckerScaffold(Scaffold):
    """W = P (x) Q times one scale, with normal P and Q of unit variance.

    d_in and d_out are each split into their two closest factors, so nothing is padded; a prime
    dimension has no such factors and saves less.
    """

    storage = "structured"

    def __init__(
        self, spec: ScaffoldSpec, dtype: np.dtype | type = np.float32, device: Device = "cpu"
    ) -> None:
        super().__init__(spec, dtype, device)
        (p_out, q_out), (p_in, q_in) = _split(spec.shape[0]), _split(spec.shape[1])
        seed, path, draw = spec.seed, spec.path, spec.stream.draw
        table = lane_table(spec.definition.table)
        p = table[Stream(seed, path, f"{draw}/P").rows(0, p_out, p_in)]
        q = table[Stream(seed, path, f"{draw}/Q").rows(0, q_out, q_in)]
        self._host = p, q
        # P includes the scale in matrix products; a weight is (p q) scale, rounded twice.
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

    def _factors_in(self, dtype: np.dtype) -> tuple[Array, Array]:
        return self._p.astype(dtype, copy=False), self._q.astype(dtype, copy=False)

    def _matmul(self, x: Array) -> Array:
        p, q, n = *self._factors_in(x.dtype), len(x)
        (p_out, p_in), (q_out, q_in) = p.shape, q.shape
        right = product(x.reshape(n * p_in, q_in), q.T).reshape(n, p_in, q_out)
        return product(p, right).reshape(n, p_out * q_out)

    def _rmatmul(self, g: Array) -> Array:
        p, q, n = *self._factors_in(g.dtype), len(g)
        (p_out, p_in), (q_out, q_in) = p.shape, q.shape
        right = product(g.reshape(n * p_out, q_out), q).reshape(n, p_out, q_in)
        return product(p.T, right).reshape(n, p_in * q_in)

    def tile(self, rows: range, cols: range) -> np.ndarray:
        p, q = self._host
        i, j = np.array(rows, dtype=np.intp)[:, None], np.array(cols, dtype=np.intp)
        (q_out, q_in) = q.shape
        return p[i // q_out, j // q_in] * q[i % q_out, j % q_in] * self.spec.factor

    @cached_property
    def _unscaled(self) -> tuple[Array, Array]:
        """P and Q on the device of products, unscaled, in float32, as weights are defined."""
        p, q = self._host
        return to_device(p, self.device), to_device(q, self.device)

    def _rows_at(self, index: Array) -> Array:
        p, q = self._unscaled
        p_rows, q_rows = p[index // len(q)], q[index % len(q)]
        rows = (p_rows[:, :, None] * q_rows[:, None, :]).reshape(len(index), self.shape[1])
        rows *= self.spec.factor
        return rows


@dataclass(frozen=True)
class Kronecker(Construction):
    """A Kronecker product of two normal factors."""

    storages: ClassVar[Storages] = {"structured": KroneckerScaffold}

    def tile(self, spec: ScaffoldSpec, rows: range, cols: range) -> np.ndarray:
        return KroneckerScaffold(spec).tile(rows, cols)


FAMILY = Family("kronecker", "P (x) Q of two normal factors", fan_in(1.0), Kronecker())
