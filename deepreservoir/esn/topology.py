"""Recurrent weights of classic reservoirs: which unit hears which, and how strongly.

Weights come from the same streams and families as those of the deep networks, so a reservoir
is a seed. Each topology is scaled to its spectral radius exactly; the factor is kept.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse

from ..backend import Device
from ..checks import is_finite_number
from ..scaffold import Scaffold, ScaffoldSpec, Stream, make_scaffold
from ..scaffold.families import get_family, lane_table
from ..scaffold.linalg import orthogonal
from ..scaffold.structured import KroneckerScaffold
from .recurrent import Recurrent
from .spectrum import spectral_radius_of

TOPOLOGIES = (
    "random",
    "dense",
    "orthogonal",
    "ring",
    "delay_line",
    "cycle_jumps",
    "small_world",
    "blocks",
    "antisymmetric",
    "hadamard",
    "kronecker",
)

# What a unit of an antisymmetric reservoir hears of itself, less than nothing: Gallicchio's
# diffusion, which damps the rounding of Euler's method.
_DIFFUSION = 0.01
# Share of a small world's links that are rewired (Watts and Strogatz, 1998).
_REWIRED = 0.1


@dataclass(frozen=True)
class RecurrentSpec:
    """Everything that decides the recurrent weights of one reservoir.

    Parameters
    ----------
    units : int
        Size of the state.
    topology : str
        One of ``TOPOLOGIES``.
    spectral_radius : float
        Largest magnitude of the eigenvalues. Two exceptions: a ``delay_line`` has only zeros,
        and takes it as the weight of its links; ``antisymmetric`` has imaginary ones, scaled
        before 0.01 is taken from its diagonal. Set to the rounding of `dtype`, and for
        ``orthogonal``, which is rounded to float32, to 1e-8.
    density : float or int
        Share of links that are there, or as an integer the number that each unit hears, for
        ``random``, ``small_world`` and ``blocks``.
    seed : int
    path : str
    family : str
        Distribution of the weights: an i.i.d. family.

    Raises
    ------
    ValueError
        For a value out of range.
    """

    units: int
    topology: str = "random"
    spectral_radius: float = 0.9
    density: float | int = 0.1
    seed: int = 0
    path: str = "reservoir"
    family: str = "normal"

    def __post_init__(self) -> None:
        if self.topology not in TOPOLOGIES:
            known = ", ".join(TOPOLOGIES)
            raise ValueError(f"topology must be one of {known}; got {self.topology!r}")
        if get_family(self.family).kind != "iid":
            raise ValueError(f"family must be i.i.d. for a reservoir; got {self.family!r}")
        units = self.units
        if not isinstance(units, Integral) or not is_finite_number(units) or units < 1:
            raise ValueError(f"units must be an integer of at least 1; got {units!r}")
        if self.topology == "hadamard" and units & (units - 1):
            raise ValueError(
                f"a hadamard reservoir needs a power of two of units; got {units}. The nearest are "
                f"{1 << (units.bit_length() - 1)} and {1 << units.bit_length()}"
            )
        degree = self.in_degree
        if not 1 <= degree <= self.units:
            raise ValueError(
                "density must be a share in (0, 1] or an in-degree from 1 to units = "
                f"{self.units}; got {self.density!r}"
            )

    @property
    def drawn_bytes(self) -> int:
        """Bytes that drawing the weights takes at most, about."""
        links = {"ring": 1, "delay_line": 1, "cycle_jumps": 3}.get(self.topology, self.units)
        if self.topology in ("small_world", "blocks"):
            links = self.in_degree
        # Words, values in float64, places and a copy of each; structures are hashed in float32.
        return (4 if self.topology in ("hadamard", "kronecker") else 64) * self.units * links

    @property
    def in_degree(self) -> int:
        """Number of units that each unit hears."""
        density = self.density
        if isinstance(density, bool) or not isinstance(density, Real):
            return 0
        if isinstance(density, Integral):
            return int(density)
        return max(1, round(float(density) * self.units)) if 0 < density <= 1 else 0

    def stream(self, draw: str) -> Stream:
        return Stream(self.seed, self.path, f"reservoir/{self.topology}/{draw}")


def draw_recurrent(
    spec: RecurrentSpec,
    dtype: np.dtype | type = np.float32,
    factor: float | None = None,
    gain: np.ndarray | None = None,
    device: Device = "cpu",
) -> Recurrent:
    """Draw the recurrent weights of a specification and scale them.

    All that is random, and the search for the spectral radius, is done on the host: the weights
    are moved once.

    Parameters
    ----------
    spec : RecurrentSpec
    dtype : numpy dtype, default=float32
    factor : float, optional
        Of a drawing before this one: spares the search for the spectral radius.
    gain : ndarray, shape (units,), optional
        A factor for all that each unit hears.
    device : {"cpu", "cuda"}

    Returns
    -------
    Recurrent

    Raises
    ------
    ValueError
        If the spectral radius of what was drawn is zero, or a Hadamard reservoir has not a power
        of two of units.

    Examples
    --------
    >>> ring = draw_recurrent(RecurrentSpec(units=4, topology="ring", spectral_radius=0.5))
    >>> abs(np.linalg.eigvals(ring.dense())).round(6).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    structured = spec.topology in ("hadamard", "kronecker")
    weights: Any = _structure(spec, dtype, device) if structured else _DRAW[spec.topology](spec)
    if factor is None:
        factor = spec.spectral_radius / _radius(spec, weights)
    scale = factor
    if spec.topology == "antisymmetric":
        weights, scale = factor * weights - _DIFFUSION * np.eye(spec.units), 1.0
    drawn = Recurrent(weights, scale, dtype, gain, device)
    drawn.factor = factor
    return drawn


def recurrent_digest(spec: RecurrentSpec) -> str:
    """Return the SHA-256 of the unscaled weights, whatever format they run in."""
    if spec.topology in ("hadamard", "kronecker"):
        return _structure(spec, np.float32, "cpu").digest()
    weights = _DRAW[spec.topology](spec)
    sha = hashlib.sha256()
    if scipy.sparse.issparse(weights):
        weights = weights.tocsr()
        weights.sum_duplicates()
        for places in (weights.indptr, weights.indices):
            sha.update(places.astype("<i8").tobytes())
        weights = weights.data
    sha.update(np.ascontiguousarray(weights, "<f8").tobytes())
    return sha.hexdigest()


def _radius(spec: RecurrentSpec, weights: Any) -> float:
    """Return the spectral radius of unscaled weights."""
    # All eigenvalues of orthogonal weights and of a ring have magnitude one; those of a delay
    # line are zero, and its spectral_radius is the weight of its links. D2 H D1 / sqrt(units)
    # is orthogonal.
    if spec.topology in ("orthogonal", "ring", "delay_line", "hadamard"):
        return 1.0
    if isinstance(weights, KroneckerScaffold):
        # The eigenvalues of a Kronecker product are the products of its factors' eigenvalues.
        p, q = weights.factors()
        return spectral_radius_of(p) * spectral_radius_of(q) * float(weights.spec.factor)
    radius = spectral_radius_of(weights)
    if radius == 0:
        raise ValueError(
            f"the {spec.topology} reservoir of {spec.units} units has spectral radius 0 and "
            "cannot be scaled; raise density or units"
        )
    return radius


def _structure(spec: RecurrentSpec, dtype: np.dtype | type, device: Device) -> Scaffold:
    path = f"{spec.path}.recurrent"
    drawn = ScaffoldSpec(spec.topology, (spec.units, spec.units), spec.seed, path)
    return make_scaffold(drawn, dtype=dtype, device=device)


# Each returns unscaled weights, (units, units), dense or sparse, in float64.


def _values(spec: RecurrentSpec, rows: int, width: int) -> np.ndarray:
    lanes = spec.stream("weights").rows(0, rows, width)
    return lane_table(spec.family)[lanes].astype(np.float64)


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


def _random(spec: RecurrentSpec) -> Any:
    units, k = spec.units, spec.in_degree
    if isinstance(spec.density, Integral):
        cols = _chosen(spec, "links", units, k)
        rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
        return _csr(rows, cols, _values(spec, units, k), units)
    lanes = spec.stream("links").rows(0, units, units)
    rows, cols = np.nonzero(lanes < round(float(spec.density) * 65_536))
    return _csr(rows, cols, _values(spec, units, units)[rows, cols], units)


def _dense(spec: RecurrentSpec) -> Any:
    return _values(spec, spec.units, spec.units)


def _orthogonal(spec: RecurrentSpec) -> Any:
    return orthogonal(_values(spec, spec.units, spec.units).astype(np.float32)).astype(np.float64)


def _shifted(units: int, by: int, weight: float = 1.0) -> Any:
    """Return weights by which unit i hears unit i - by, around the ring."""
    rows = np.arange(units)
    return _csr(rows, (rows - by) % units, np.full(units, weight), units)


def _ring(spec: RecurrentSpec) -> Any:
    return _shifted(spec.units, 1)


def _delay_line(spec: RecurrentSpec) -> Any:
    rows = np.arange(1, spec.units)
    return _csr(rows, rows - 1, np.ones(len(rows)), spec.units)


def _cycle_jumps(spec: RecurrentSpec) -> Any:
    """A ring with jumps both ways between every root-of-units-th unit (Rodan and Tino, 2012)."""
    units = spec.units
    jump = max(2, round(math.sqrt(units)))
    here = np.arange(0, units - units % jump, jump)
    there = (here + jump) % (len(here) * jump)
    weight = np.full(len(here), 0.5)
    jumps = _csr(here, there, weight, units) + _csr(there, here, weight, units)
    return _shifted(units, 1) + jumps


def _small_world(spec: RecurrentSpec) -> Any:
    """Links to the nearest on the ring, a tenth of them rewired (Watts and Strogatz, 1998)."""
    units = spec.units
    k = min(spec.in_degree, units - 1)
    offsets = np.array([(j // 2 + 1) * (1 if j % 2 == 0 else -1) for j in range(k)])
    cols = (np.arange(units)[:, None] + offsets) % units
    lanes = spec.stream("rewired").rows(0, units, k)
    anywhere = spec.stream("links").words(units * k).reshape(units, k) % np.uint64(units)
    cols = np.where(lanes < round(_REWIRED * 65_536), anywhere.astype(np.intp), cols)
    rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
    return _csr(rows, cols, _values(spec, units, k), units)


def _blocks(spec: RecurrentSpec) -> Any:
    """Clusters that hear themselves only, each as wide as the in-degree."""
    units, width = spec.units, spec.in_degree
    start = np.arange(units) // width * width
    cols = start[:, None] + np.arange(width)
    rows = np.broadcast_to(np.arange(units)[:, None], cols.shape)
    inside = cols < units
    return _csr(rows[inside], cols[inside], _values(spec, units, width)[inside], units)


def _antisymmetric(spec: RecurrentSpec) -> Any:
    """W - W^T: eigenvalues on the imaginary axis (Gallicchio, 2022, Euler state networks).

    Scaled, and less a small diffusion, they are what a unit hears: see `draw_recurrent`.
    """
    weights = _values(spec, spec.units, spec.units)
    return weights - weights.T


_DRAW = {
    "random": _random,
    "dense": _dense,
    "orthogonal": _orthogonal,
    "ring": _ring,
    "delay_line": _delay_line,
    "cycle_jumps": _cycle_jumps,
    "small_world": _small_world,
    "blocks": _blocks,
    "antisymmetric": _antisymmetric,
}
