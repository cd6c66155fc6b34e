"""What a scaffold is, before any of it is drawn: family, shape, seed, path and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..checks import is_finite_number
from ..kernels import draw_rows
from .families import Family, codebook, get_family, lane_table
from .linalg import orthogonal, spectral_factor
from .streams import Stream, check_seed


@dataclass(frozen=True)
class ScaffoldSpec:
    """Everything that decides the bits of one frozen weight matrix.

    Parameters
    ----------
    family : str
        A name in :data:`deepreservoir.scaffold.FAMILIES`.
    shape : (int, int)
        (d_out, d_in), as in ``y = x W^T``.
    seed : int
        Seed of the scaffold.
    path : str
        Path of the layer it belongs to; layers never share bits.
    scale : float or "family"
        A gain g: unit variance times ``g / sqrt(d_in)``. ``"family"`` keeps the scale of
        the paper's table 13. For `orthogonal` and `spectral_radius`, whose scale is their
        definition, the gain multiplies it.
    known_factor : float, optional
        `factor` of a `spectral_radius` scaffold drawn before: spares the search for its
        eigenvalues, and what their last digit depends on.

    Raises
    ------
    ValueError
        For an unknown family, a shape that is not positive, a negative seed, a gain that
        is not positive and finite.

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
        get_family(self.family)
        check_seed(self.seed, "scaffold_seed")
        check_scale(self.scale)
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(
                f"the shape of scaffold {self.path!r} must be (d_out, d_in), both at least 1; "
                f"got {self.shape}"
            )
        factor = self.known_factor
        if factor is not None and not (
            self.definition.kind == "spectral" and 0 < np.float32(factor) < np.inf
        ):
            raise ValueError(
                "known_factor must be positive and finite, and is for spectral_radius alone; got "
                f"{factor!r} for {self.family}"
            )

    @cached_property
    def definition(self) -> Family:
        return get_family(self.family)

    @cached_property
    def stream(self) -> Stream:
        return Stream(self.seed, self.path, f"scaffold/{self.family}")

    @cached_property
    def factor(self) -> np.float32:
        """The one float32 number that scales the family's unit-variance weights."""
        d_out, d_in = self.shape
        family = self.definition
        gain = 1.0 if isinstance(self.scale, str) else float(self.scale)
        if family.kind == "orthogonal":
            return np.float32(gain)
        if self.known_factor is not None:
            return np.float32(self.known_factor)
        if family.kind == "spectral":
            return np.float32(gain * spectral_factor(self._unit_rows(0, d_out), 0.95))
        if isinstance(self.scale, str):
            return np.float32(family.own_scale(d_out, d_in))
        return np.float32(gain / math.sqrt(d_in))

    @cached_property
    def values(self) -> np.ndarray:
        """The family's distinct weights, scaled: float32, shape (2**bits,)."""
        return codebook(self.family) * self.factor

    @cached_property
    def table(self) -> np.ndarray:
        """The weight of each lane: float32, shape (65536,)."""
        return lane_table(self.family) * self.factor

    @cached_property
    def _orthogonal(self) -> np.ndarray:
        matrix = orthogonal(self._unit_rows(0, self.shape[0])) * self.factor
        matrix.flags.writeable = False
        return matrix

    def _unit_rows(self, start: int, stop: int) -> np.ndarray:
        lanes = self.stream.rows(start, stop, self.shape[1])
        return lane_table(self.family)[lanes]

    @property
    def drawn_bytes(self) -> int:
        """Bytes of what is drawn, if not at once, to know all weights."""
        # Linear algebra works on copies in float64.
        width = 24 if self.definition.kind in ("orthogonal", "spectral") else 4
        return width * math.prod(self.shape)

    @property
    def addressable(self) -> bool:
        """Whether a tile can be drawn without drawing the whole."""
        return self.definition.kind in ("iid", "spectral")

    def rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Draw rows [start, stop) of an i.i.d., spectral or orthogonal scaffold.

        Returns
        -------
        ndarray of float32, shape (stop - start, d_in)
        """
        if self.definition.kind == "orthogonal":
            return self._orthogonal[start:stop]
        return draw_rows(self.table, self.stream.key, start, stop, self.shape[1], out)

    def tile(self, rows: range, cols: range) -> np.ndarray:
        """Draw one tile, and nothing else where the family is i.i.d."""
        if len(cols) == self.shape[1]:
            return self.rows(rows.start, rows.stop)
        if self.definition.kind == "orthogonal":
            return self._orthogonal[rows.start : rows.stop, cols.start : cols.stop]
        return self.table[self.stream.tile(rows, cols, self.shape[1])]


def check_scale(scale: object) -> None:
    """Raise a ValueError unless `scale` is a positive gain or "family"."""
    if scale == "family":
        return
    # Beyond these the weights would be infinite or zero in float32.
    if not is_finite_number(scale) or not 1e-30 <= float(scale) <= 1e30:  # type: ignore[arg-type]
        raise ValueError(
            f"scaffold_scale must be a positive gain or 'family'; got {scale!r} (gains run from "
            "1e-30 to 1e30; for no scaffold at all use scaffold='zero')"
        )
