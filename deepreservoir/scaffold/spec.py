"""The specification of a scaffold before it is drawn: family, shape, seed, path and scale.

A :class:`Family` is one distribution of frozen weights, and its :class:`Construction` defines how
such weights are made and stored. No other code branches on the name of a family: a new family is a
file that defines it and a line in :mod:`~deepreservoir.scaffold.registry`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..checks import is_finite_number, is_integer
from .streams import Stream, check_seed
from .tables import codebook, lane_table

OwnScale = Callable[[int, int], float]  # (d_out, d_in) -> standard deviation
# Name of a storage -> its scaffold class, which a module above this one defines: hence Any.
Storages = Mapping[str, Callable[..., Any]]


class Construction(ABC):
    """How the weights of a family are made from random lanes, and in which storages.

    A subclass defines `storages` and :meth:`tile`, and overrides whatever else differs.

    Attributes
    ----------
    storages : mapping of str to callable
        Possible storages of such weights: name to the scaffold class, which is called with
        (spec, dtype, device). The first one is used under ``storage="auto"``.
    iid : bool
        Whether the weights are independent and identically distributed.
    addressable : bool
        Whether each weight is a look-up of its own lane in ``spec.table``, so that any row can be
        drawn on its own.
    needs_linear_algebra : bool
        Whether drawing decomposes the whole matrix. The last bits then depend on the LAPACK.
    has_saved_factor : bool
        Whether `factor` is computed by linear algebra, so that files store it.
    """

    storages: ClassVar[Storages]
    iid: ClassVar[bool] = False
    addressable: ClassVar[bool] = False
    needs_linear_algebra: ClassVar[bool] = False
    has_saved_factor: ClassVar[bool] = False

    @property
    def default_storage(self) -> str:
        """The storage used under ``"auto"``."""
        return next(iter(self.storages))

    def drawn_bytes(self, shape: tuple[int, int]) -> int:
        """Return the total bytes, not necessarily at once, that drawing all weights takes."""
        # Linear algebra works on copies in float64.
        return (24 if self.needs_linear_algebra else 4) * math.prod(shape)

    def factor(self, spec: ScaffoldSpec) -> float:
        """Return the number that scales the unit-variance weights."""
        d_out, d_in = spec.shape
        if isinstance(spec.scale, str):
            return spec.definition.own_scale(d_out, d_in)
        return spec.gain / math.sqrt(d_in)

    def whole(self, spec: ScaffoldSpec) -> np.ndarray:
        """Return all weights, for a construction that cannot draw a part of them.

        This is called once per specification, which keeps the result as ``spec.whole``.
        """
        raise NotImplementedError(f"{type(self).__name__} does not draw whole matrices")

    @abstractmethod
    def tile(self, spec: ScaffoldSpec, rows: range, cols: range) -> np.ndarray:
        """Return W[rows, cols] in float32."""

    def rows(
        self, spec: ScaffoldSpec, start: int, stop: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return rows [start, stop) in float32, written to `out` if given."""
        rows = self.tile(spec, range(start, stop), range(spec.shape[1]))
        if out is None:
            return rows
        out[...] = rows
        return out


@dataclass(frozen=True)
class Family:
    """One distribution of the frozen weights.

    Attributes
    ----------
    name : str
    summary : str
        Definition in one line, on the family's own scale.
    own_scale : callable
        (d_out, d_in) -> standard deviation, under ``scaffold_scale="family"``.
    construction : Construction
        How its weights are made.
    table : str
        Name of its table of quantiles.
    bits : int
        Number of bits that distinguish its weights: 1, 2, 4, 8 or 16. The code of a weight is the
        top `bits` bits of its lane.
    random : bool
        Whether its weights depend on the seed; False for the control without a scaffold.

    Examples
    --------
    >>> family = get_family("binary")
    >>> family.bits, family.own_scale(64, 256)  # one over the root of d_in
    (1, 0.0625)
    """

    name: str
    summary: str
    own_scale: OwnScale
    construction: Construction
    table: str = "normal"
    bits: int = 16
    random: bool = True


#: Families by name, filled by :mod:`deepreservoir.scaffold.registry` in the order of the lists
#: that users see.
FAMILIES: dict[str, Family] = {}


def get_family(name: str) -> Family:
    """Return the family called `name`.

    Parameters
    ----------
    name : str
        A name in :data:`deepreservoir.scaffold.FAMILIES`.

    Returns
    -------
    Family

    Raises
    ------
    ValueError
        If there is no such family; the message lists the existing ones.

    Examples
    --------
    >>> get_family("binary").bits
    1
    """
    try:
        return FAMILIES[name]
    except (KeyError, TypeError):
        known = ", ".join(FAMILIES)
        raise ValueError(f"scaffold must be one of {known}; got {name!r}") from None


@dataclass(frozen=True)
class ScaffoldSpec:
    """Everything that determines the bits of one frozen weight matrix.

    Parameters
    ----------
    family : str
        A name in :data:`deepreservoir.scaffold.FAMILIES`.
    shape : (int, int)
        (d_out, d_in), as in ``y = x W^T``.
    seed : int
        Seed of the scaffold.
    path : str
        Path of the layer that it belongs to; layers never share bits.
    scale : float or "family"
        A gain g: unit variance times ``g / sqrt(d_in)``. ``"family"`` uses the scale of
        the paper's table 13. For `orthogonal` and `spectral_radius`, whose definition fixes the
        scale, the gain multiplies that scale.
    known_factor : float, optional
        The `factor` of an equal scaffold that was drawn before, for a family whose files store it
        (`spectral_radius`). Its eigenvalues then need not be computed, and their last digits do
        not matter.

    Raises
    ------
    ValueError
        For an unknown family, a shape that is not two positive integers, a negative seed, or a
        gain that is not positive and finite.

    Examples
    --------
    >>> spec = ScaffoldSpec("normal", (2, 3), seed=0, path="layers.0")
    >>> spec.rows(0, 2).shape
    (2, 3)
    """

    family: str
    shape: tuple[int, int]
    seed: int
    path: str
    scale: float | str = 1.0
    known_factor: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        construction = get_family(self.family).construction
        check_seed(self.seed, "scaffold_seed")
        check_scale(self.scale)
        if len(self.shape) != 2 or not all(is_integer(n) and n >= 1 for n in self.shape):
            raise ValueError(
                f"the shape of scaffold {self.path!r} must be (d_out, d_in), both integers of at "
                f"least 1; got {self.shape}"
            )
        d_out, d_in = self.shape
        object.__setattr__(self, "shape", (int(d_out), int(d_in)))  # of NumPy's integers
        factor = self.known_factor
        if factor is not None and not (
            construction.has_saved_factor and 0 < np.float32(factor) < np.inf
        ):
            names = ", ".join(n for n, f in FAMILIES.items() if f.construction.has_saved_factor)
            raise ValueError(
                f"known_factor must be positive and finite, and is only for {names}; got "
                f"{factor!r} for {self.family}"
            )

    @cached_property
    def definition(self) -> Family:
        return get_family(self.family)

    @property
    def construction(self) -> Construction:
        return self.definition.construction

    @cached_property
    def stream(self) -> Stream:
        return Stream(self.seed, self.path, f"scaffold/{self.family}")

    @property
    def gain(self) -> float:
        """The factor on unit variance, 1 under ``scale="family"``."""
        return 1.0 if isinstance(self.scale, str) else float(self.scale)

    @cached_property
    def factor(self) -> np.float32:
        """The float32 number that scales the family's unit-variance weights."""
        if self.known_factor is not None:
            return np.float32(self.known_factor)
        return np.float32(self.construction.factor(self))

    @cached_property
    def values(self) -> np.ndarray:
        """The family's distinct weights, scaled: float32, shape (2**bits,)."""
        return codebook(self.definition.table) * self.factor

    @cached_property
    def table(self) -> np.ndarray:
        """The weight of each lane: float32, shape (65536,)."""
        return lane_table(self.definition.table) * self.factor

    @cached_property
    def whole(self) -> np.ndarray:
        """All weights as read-only float32, for a construction that draws them together."""
        matrix = self.construction.whole(self)
        matrix.flags.writeable = False
        return matrix

    def unit_rows(self, start: int, stop: int) -> np.ndarray:
        """Return the table values, at unit variance, of rows [start, stop) of the lanes."""
        lanes = self.stream.rows(start, stop, self.shape[1])
        return lane_table(self.definition.table)[lanes]

    @property
    def drawn_bytes(self) -> int:
        """Total bytes, not necessarily at once, that drawing all weights takes."""
        return self.construction.drawn_bytes(self.shape)

    @property
    def addressable(self) -> bool:
        """Whether a row can be drawn without drawing the whole matrix."""
        return self.construction.addressable

    def rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Draw rows [start, stop), into `out` if given.

        Returns
        -------
        ndarray of float32, shape (stop - start, d_in)
        """
        return self.construction.rows(self, start, stop, out)

    def tile(self, rows: range, cols: range) -> np.ndarray:
        """Draw one tile, and nothing else if the family is addressable."""
        return self.construction.tile(self, rows, cols)


def check_scale(scale: object) -> None:
    """Raise a ValueError unless `scale` is a positive gain or "family"."""
    if scale == "family":
        return
    # Beyond these the weights would be infinite or zero in float32.
    if not is_finite_number(scale) or not 1e-30 <= float(scale) <= 1e30:  # type: ignore[arg-type]
        raise ValueError(
            f"scaffold_scale must be a positive gain or 'family'; got {scale!r} (gains range "
            "from 1e-30 to 1e30; use scaffold='zero' for no scaffold)"
        )
