"""Recurrent weights of classic reservoirs: their specification, and the interface of a topology.

Weights come from the same streams and families as those of the deep networks, so a reservoir
is a seed. Each topology is scaled to its spectral radius exactly; the factor is kept. The
topologies themselves are in :mod:`~deepreservoir.esn.topologies`; a :class:`Topology` answers
every question about one, and no other code branches on its name.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from ..backend import Device
from ..checks import check_real, is_finite_number
from ..choices import ProductName
from ..scaffold import Stream, get_family
from .recurrent import PRODUCTS, Recurrent
from .spectrum import spectral_radius_of


class Topology(ABC):
    """Which units of a reservoir are linked, and how strongly.

    A subclass defines :meth:`draw` and overrides what differs.
    """

    #: Which products its weights have, see `Recurrent`; by default they may be sparse.
    products: ClassVar[tuple[ProductName, ...]] = PRODUCTS

    def check_units(self, units: int) -> None:  # noqa: B027 - most topologies have any size
        """Raise a ValueError if there is no such reservoir of `units` units."""

    def most_units(self, units: int) -> int:
        """Return the largest size of such a reservoir that is at most `units`."""
        return units

    def links(self, spec: RecurrentSpec) -> int:
        """Return the links of each unit that are drawn, at most."""
        return spec.units

    def drawn_bytes(self, spec: RecurrentSpec) -> int:
        """Return the bytes that drawing the weights takes at most, approximately."""
        # Words, values in float64, places and a copy of each.
        return 64 * spec.units * self.links(spec)

    @abstractmethod
    def draw(self, spec: RecurrentSpec, dtype: np.dtype | type, device: Device) -> Any:
        """Return unscaled weights: an array or sparse matrix in float64 on the host, or a scaffold.

        Arrays are (units, units); only a scaffold is drawn in `dtype` on `device`.
        """

    def radius(self, spec: RecurrentSpec, weights: Any) -> float:
        """Return the spectral radius of unscaled weights."""
        radius = spectral_radius_of(weights)
        if radius == 0:
            raise ValueError(
                f"the {spec.topology} reservoir of {spec.units} units has spectral radius 0 and "
                "cannot be scaled; raise density or units"
            )
        return radius

    def scaled(self, weights: Any, factor: float) -> tuple[Any, float]:
        """Return weights and the factor that is still to be applied to them."""
        return weights, factor

    def keep(self, leak_rate: float) -> float:
        """Return the factor of the previous state in an update."""
        return 1 - leak_rate

    def digest(self, spec: RecurrentSpec) -> str:
        """Return the SHA-256 of the unscaled weights, whatever format they run in."""
        weights = self.draw(spec, np.float32, "cpu")
        sha = hashlib.sha256()
        if scipy.sparse.issparse(weights):
            weights = weights.tocsr()
            weights.sum_duplicates()
            for places in (weights.indptr, weights.indices):
                sha.update(places.astype("<i8").tobytes())
            weights = weights.data
        sha.update(np.ascontiguousarray(weights, "<f8").tobytes())
        return sha.hexdigest()


#: Topologies by name; :mod:`deepreservoir.esn.topologies` fills it.
TOPOLOGIES: dict[str, Topology] = {}


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
        Share of links that exist, or as an integer the number of inputs of each unit, for
        ``random``, ``small_world`` and ``blocks``.
    seed : int
    path : str
    family : str
        Distribution of the weights: an i.i.d. family.

    Raises
    ------
    ValueError
        For a value out of range.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, draw_recurrent
    >>> weights = draw_recurrent(RecurrentSpec(units=50, spectral_radius=0.8, density=0.2))
    >>> weights.dense().shape
    (50, 50)
    """

    units: int
    topology: str = "random"
    spectral_radius: float = 0.9
    density: float | int = 0.1
    seed: int = 0
    path: str = "reservoir"
    family: str = "normal"

    def __post_init__(self) -> None:
        if not isinstance(self.topology, str) or self.topology not in TOPOLOGIES:
            known = ", ".join(TOPOLOGIES)
            raise ValueError(f"topology must be one of {known}; got {self.topology!r}")
        if not get_family(self.family).construction.iid:
            raise ValueError(f"family must be i.i.d. for a reservoir; got {self.family!r}")
        units = self.units
        if not isinstance(units, Integral) or not is_finite_number(units) or units < 1:
            raise ValueError(f"units must be an integer of at least 1; got {units!r}")
        if self.topology == "hadamard" and units & (units - 1):
            raise ValueError(
                f"a hadamard reservoir needs a power of two of units; got {units}. The nearest are "
                f"{1 << (units.bit_length() - 1)} and {1 << units.bit_length()}"
            )
        check_real("spectral_radius", self.spectral_radius, 0, inf)
        degree = self.in_degree
        if not 1 <= degree <= self.units:
            raise ValueError(
                "density must be a share in (0, 1] or an in-degree from 1 to units = "
                f"{self.units}; got {self.density!r}"
            )

    @property
    def definition(self) -> Topology:
        return TOPOLOGIES[self.topology]

    @property
    def drawn_bytes(self) -> int:
        """Bytes that drawing the weights takes at most, approximately."""
        return self.definition.drawn_bytes(self)

    @property
    def in_degree(self) -> int:
        """Number of units that each unit is linked to."""
        density = self.density
        if isinstance(density, bool) or not isinstance(density, Real):
            return 0
        if isinstance(density, Integral):
            return int(density)
        return max(1, round(float(density) * self.units)) if 0 < density <= 1 else 0

    def stream(self, draw: str) -> Stream:
        return Stream(self.seed, self.path, f"reservoir/{self.topology}/{draw}")


def check_product(product: str, topology: str) -> None:
    """Raise a ValueError if the weights of a topology have no such product."""
    if product not in PRODUCTS:
        raise ValueError(f"product must be one of {PRODUCTS}; got {product!r}")
    possible = TOPOLOGIES[topology].products
    if product not in possible:
        raise ValueError(
            f"product must be {' or '.join(map(repr, possible))} for topology={topology!r}, whose "
            f"weights are {'all nonzero' if len(possible) > 1 else 'never written out'}; "
            f"got {product!r}"
        )


def draw_recurrent(
    spec: RecurrentSpec,
    dtype: np.dtype | type = np.float32,
    factor: float | None = None,
    gain: np.ndarray | None = None,
    device: Device = "cpu",
    product: ProductName = "auto",
) -> Recurrent:
    """Draw the recurrent weights of a specification and scale them.

    Drawing and the search for the spectral radius run on the host; the weights are moved once.

    Parameters
    ----------
    spec : RecurrentSpec
    dtype : numpy dtype, default=float32
    factor : float, optional
        That of an earlier drawing of the same weights: spares the search for the spectral
        radius.
    gain : ndarray, shape (units,), optional
        A factor for all recurrent inputs of each unit.
    device : {"cpu", "cuda", "cuda:N"}
    product : {"auto", "sparse", "dense"}
        See `Recurrent`.

    Returns
    -------
    Recurrent

    Raises
    ------
    ValueError
        If the spectral radius of the drawn weights is zero, the number of units of a Hadamard
        reservoir is not a power of two, or the topology has no such product.

    Examples
    --------
    >>> ring = draw_recurrent(RecurrentSpec(units=4, topology="ring", spectral_radius=0.5))
    >>> abs(np.linalg.eigvals(ring.dense())).round(6).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    topology = spec.definition
    check_product(product, spec.topology)
    weights = topology.draw(spec, dtype, device)
    if factor is None:
        factor = spec.spectral_radius / topology.radius(spec, weights)
    drawn = Recurrent(*topology.scaled(weights, factor), dtype, gain, device, product)
    drawn.factor = factor
    return drawn


def recurrent_digest(spec: RecurrentSpec) -> str:
    """Return the SHA-256 of the unscaled weights, whatever format they run in."""
    return spec.definition.digest(spec)
