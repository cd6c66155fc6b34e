"""The topologies of classic reservoirs, each an object, and their names.

A new one is a class and a line in the list at the end.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from ..backend import Device
from ..choices import ProductName
from ..scaffold import Scaffold, ScaffoldSpec, get_family, make_scaffold
from ..scaffold.linalg import orthogonal
from ..scaffold.tables import lane_table
from .spectrum import spectral_radius_of
from .topology import TOPOLOGIES, RecurrentSpec, Topology

__all__ = ["TOPOLOGIES"]

# Subtracted from the diagonal of an antisymmetric reservoir: Gallicchio's diffusion, which damps
# the rounding of Euler's method.
_DIFFUSION = 0.01
# Share of a small world's links that are rewired (Watts and Strogatz, 1998).
_REWIRED = 0.1
# Products of weights that are all nonzero.
_ALL_NONZERO: tuple[ProductName, ...] = ("auto", "dense")


def _values(spec: RecurrentSpec, rows: int, width: int) -> np.ndarray:
    lanes = spec.stream("weights").rows(0, rows, width)
    return lane_table(get_family(spec.family).table)[lanes].astype(np.float64)


def _csr(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, units: int) -> Any:
    matrix = scipy.sparse.coo_matrix(
        (values.ravel(), (rows.ravel(), cols.ravel())), shape=(units, units)
    )
    return matrix.tocsr()


def _chosen(spec: RecurrentSpec, draw: str, width: int, k: int) -> np.ndarray:
    """Return k distinct ones of `width` for each unit, (units, k), in ascending order."""
    words = spec.stream(draw).words(spec.units * width).reshape(spec.units, width)
    if k == width:
        return np.broadcast_to(np.arange(width), (spec.units, width))
    return np.sort(np.argpartition(words, k, axis=1)[:, :k], axis=1)


def _shifted(units: int, by: int) -> Any:
    """Return links of weight one from unit i - by to unit i, around the ring."""
    rows = np.arange(units)
    return _csr(rows, (rows - by) % units, np.ones(units), units)


class _Matrix(Topology):
    """A topology whose weights are an array or a sparse matrix on the host."""

    @abstractmethod
    def matrix(self, spec: RecurrentSpec) -> Any:
        """Return unscaled weights in float64, dense or sparse, (units, units)."""

    def draw(self, spec: RecurrentSpec, dtype: np.dtype | type, device: Device) -> Any:
        return self.matrix(spec)


class Random(_Matrix):
    """Independent links: a share of them, or a fixed number for each unit."""

    def matrix(self, spec: RecurrentSpec) -> Any:
        units, k = spec.units, spec.in_degree
        if isinstance(spec.density, Integral):
            cols = _chosen(spec, "links", units, k)
            rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
            return _csr(rows, cols, _values(spec, units, k), units)
        lanes = spec.stream("links").rows(0, units, units)
        rows, cols = np.nonzero(lanes < round(float(spec.density) * 65_536))
        return _csr(rows, cols, _values(spec, units, units)[rows, cols], units)


class Dense(_Matrix):
    """All links."""

    products = _ALL_NONZERO

    def matrix(self, spec: RecurrentSpec) -> Any:
        return _values(spec, spec.units, spec.units)


class Orthogonal(_Matrix):
    """An orthogonal matrix: all its eigenvalues have magnitude one."""

    products = _ALL_NONZERO

    def matrix(self, spec: RecurrentSpec) -> Any:
        normal = _values(spec, spec.units, spec.units).astype(np.float32)
        return orthogonal(normal).astype(np.float64)

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        return 1.0


class Ring(_Matrix):
    """A cycle of links of equal weight; its eigenvalues are roots of one."""

    def links(self, spec: RecurrentSpec) -> int:
        return 1

    def matrix(self, spec: RecurrentSpec) -> Any:
        return _shifted(spec.units, 1)

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        return 1.0


class DelayLine(_Matrix):
    """A ring without its last link. All eigenvalues are zero: the radius scales the links."""

    def links(self, spec: RecurrentSpec) -> int:
        return 1

    def matrix(self, spec: RecurrentSpec) -> Any:
        rows = np.arange(1, spec.units)
        return _csr(rows, rows - 1, np.ones(len(rows)), spec.units)

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        return 1.0


class CycleJumps(_Matrix):
    """A ring with jumps both ways between every root-of-units-th unit (Rodan and Tino, 2012)."""

    def links(self, spec: RecurrentSpec) -> int:
        return 3

    def matrix(self, spec: RecurrentSpec) -> Any:
        units = spec.units
        jump = max(2, round(math.sqrt(units)))
        starts = np.arange(0, units - units % jump, jump)
        ends = (starts + jump) % (len(starts) * jump)
        weight = np.full(len(starts), 0.5)
        jumps = _csr(starts, ends, weight, units) + _csr(ends, starts, weight, units)
        return _shifted(units, 1) + jumps


class SmallWorld(_Matrix):
    """Links to the nearest on the ring, a tenth of them rewired (Watts and Strogatz, 1998)."""

    def links(self, spec: RecurrentSpec) -> int:
        return spec.in_degree

    def matrix(self, spec: RecurrentSpec) -> Any:
        units = spec.units
        k = min(spec.in_degree, units - 1)
        offsets = np.array([(j // 2 + 1) * (1 if j % 2 == 0 else -1) for j in range(k)])
        cols = (np.arange(units)[:, None] + offsets) % units
        lanes = spec.stream("rewired").rows(0, units, k)
        anywhere = spec.stream("links").words(units * k).reshape(units, k) % np.uint64(units)
        cols = np.where(lanes < round(_REWIRED * 65_536), anywhere.astype(np.intp), cols)
        rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
        return _csr(rows, cols, _values(spec, units, k), units)


class Blocks(_Matrix):
    """Clusters that are linked only within themselves, each as wide as the in-degree."""

    def links(self, spec: RecurrentSpec) -> int:
        return spec.in_degree

    def matrix(self, spec: RecurrentSpec) -> Any:
        units, width = spec.units, spec.in_degree
        start = np.arange(units) // width * width
        cols = start[:, None] + np.arange(width)
        rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
        inside = cols < units
        return _csr(rows[inside], cols[inside], _values(spec, units, width)[inside], units)


class Antisymmetric(_Matrix):
    """W - W^T, less a small diffusion once it is scaled (Gallicchio, 2022, Euler state networks).

    Eigenvalues lie on the imaginary axis; `leak_rate` is the step of Euler's method, in which
    the state does not leak.
    """

    products = _ALL_NONZERO

    def matrix(self, spec: RecurrentSpec) -> Any:
        weights = _values(spec, spec.units, spec.units)
        return weights - weights.T

    def scaled(self, weights: Any, factor: float) -> tuple[Any, float]:
        return factor * weights - _DIFFUSION * np.eye(len(weights)), 1.0

    def keep(self, leak_rate: float) -> float:
        return 1.0


class _Structured(Topology):
    """A square scaffold of a structured family, which is never written out."""

    products = ("auto",)
    family: ClassVar[str]  # of the scaffold, whatever the family of the specification

    def drawn_bytes(self, spec: RecurrentSpec) -> int:
        return 4 * spec.units * spec.units  # it is hashed in float32

    def draw(self, spec: RecurrentSpec, dtype: np.dtype | type, device: Device) -> Scaffold:
        self.check_units(spec.units)
        shape, path = (spec.units, spec.units), f"{spec.path}.recurrent"
        return make_scaffold(
            ScaffoldSpec(self.family, shape, spec.seed, path), dtype=dtype, device=device
        )

    def digest(self, spec: RecurrentSpec) -> str:
        return self.draw(spec, np.float32, "cpu").digest()


class Hadamard(_Structured):
    """D2 H D1 / sqrt(units), which is orthogonal."""

    family = "hadamard"

    def check_units(self, units: int) -> None:
        if units & (units - 1):
            raise ValueError(
                f"a hadamard reservoir needs a power of two of units; got {units}. The nearest are "
                f"{1 << (units.bit_length() - 1)} and {1 << units.bit_length()}"
            )

    def most_units(self, units: int) -> int:
        return 1 << (units.bit_length() - 1)

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        return 1.0


class Kronecker(_Structured):
    """P (x) Q: its eigenvalues are the products of those of its factors."""

    family = "kronecker"

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        p, q = weights.factors()
        return spectral_radius_of(p) * spectral_radius_of(q) * float(weights.spec.factor)


TOPOLOGIES.update(
    random=Random(),
    dense=Dense(),
    orthogonal=Orthogonal(),
    ring=Ring(),
    delay_line=DelayLine(),
    cycle_jumps=CycleJumps(),
    small_world=SmallWorld(),
    blocks=Blocks(),
    antisymmetric=Antisymmetric(),
    hadamard=Hadamard(),
    kronecker=Kronecker(),
)
