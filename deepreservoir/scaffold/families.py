"""The families of the paper, and their constructions.

A weight of an i.i.d. family is ``table[lane] * scale``: one look-up and one float32 product, so
the bits are the same on every machine. The 22 families are those of the LottaLoRA paper (arXiv
2604.08749, table 13); `zero` is the control without a scaffold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ..kernels import draw_rows
from .linalg import orthogonal, spectral_factor
from .spec import Construction, Family, OwnScale, ScaffoldSpec, Storages
from .storage import DenseScaffold, PackedScaffold, StreamedScaffold


@dataclass(frozen=True)
class LookUp(Construction):
    """Each weight is the table value of its own lane, times one scale."""

    storages: ClassVar[Storages] = {
        "dense": DenseScaffold,
        "packed": PackedScaffold,
        "streamed": StreamedScaffold,
    }
    addressable = True

    def rows(
        self, spec: ScaffoldSpec, start: int, stop: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        rows: np.ndarray = draw_rows(spec.table, spec.stream.key, start, stop, spec.shape[1], out)
        return rows

    def tile(self, spec: ScaffoldSpec, rows: range, cols: range) -> np.ndarray:
        if len(cols) == spec.shape[1]:
            return self.rows(spec, rows.start, rows.stop)
        return spec.table[spec.stream.tile(rows, cols, spec.shape[1])]


@dataclass(frozen=True)
class Independent(LookUp):
    """Independent weights from one distribution; the scale depends only on the shape."""

    iid = True


@dataclass(frozen=True)
class SpectralRadius(LookUp):
    """Look-ups with a scale that gives the matrix a certain spectral radius.

    Parameters
    ----------
    radius : float
        Spectral radius at a gain of one. For a matrix that is not square, the largest singular
        value is used instead.
    """

    radius: float
    needs_linear_algebra = True
    has_saved_factor = True

    def factor(self, spec: ScaffoldSpec) -> float:
        return spec.gain * spectral_factor(spec.unit_rows(0, spec.shape[0]), self.radius)


@dataclass(frozen=True)
class Orthogonal(Construction):
    """Orthonormal rows, or columns if these are fewer, times the gain."""

    storages: ClassVar[Storages] = {"dense": DenseScaffold}
    needs_linear_algebra = True

    def factor(self, spec: ScaffoldSpec) -> float:
        return spec.gain

    def whole(self, spec: ScaffoldSpec) -> np.ndarray:
        return orthogonal(spec.unit_rows(0, spec.shape[0])) * spec.factor

    def tile(self, spec: ScaffoldSpec, rows: range, cols: range) -> np.ndarray:
        return spec.whole[rows.start : rows.stop, cols.start : cols.stop]


def _fan_in_scale(factor: float, d_out: int, d_in: int) -> float:
    return factor / math.sqrt(d_in)


def _absolute_scale(sigma: float, d_out: int, d_in: int) -> float:
    return sigma


def fan_in(factor: float) -> OwnScale:
    """Return the scale ``factor / sqrt(d_in)``."""
    return partial(_fan_in_scale, factor)


def _absolute(sigma: float) -> OwnScale:
    return partial(_absolute_scale, sigma)


def _xavier(d_out: int, d_in: int) -> float:
    return math.sqrt(2 / (d_in + d_out))


def _iid(
    name: str, summary: str, own_scale: OwnScale, table: str = "normal", bits: int = 16
) -> Family:
    return Family(name, summary, own_scale, Independent(), table, bits)


#: The 22 families of the paper's table 13, in its order. Constants are root mean squares of the
#: tables on their own scale (quantiles.py).
PAPER = (
    _iid("normal", "N(0, 1/d_in)", fan_in(1.0)),
    _iid(
        "truncated_normal",
        "N(0, 1/d_in), truncated at 2 sigma",
        fan_in(0.8796256602543275),
        "truncated_normal",
    ),
    _iid("uniform", "U(-0.1, 0.1)", _absolute(0.1 / math.sqrt(3)), "uniform"),
    Family("orthogonal", "orthonormal rows or columns, gain 1", fan_in(1.0), Orthogonal()),
    _iid("kaiming_normal", "N(0, 2/d_in)", fan_in(math.sqrt(2))),
    _iid(
        "kaiming_uniform",
        "U(-b, b), b = 1/sqrt(d_in) (a = sqrt 5)",
        fan_in(math.sqrt(1 / 3)),
        "uniform",
    ),
    _iid("xavier_normal", "N(0, 2/(d_in + d_out))", _xavier),
    _iid("xavier_uniform", "U(-b, b), b = sqrt(6/(d_in + d_out))", _xavier, "uniform"),
    Family(
        "spectral_radius",
        "N(0, 1) rescaled to spectral radius 0.95 (largest singular value if not square)",
        fan_in(1.0),
        SpectralRadius(0.95),
    ),
    _iid("cauchy", "Cauchy(s = 0.1), clipped at 10 s", _absolute(0.34314358745277335), "cauchy"),
    _iid("laplace", "Laplace(b = 0.1)", _absolute(0.14141194638364263), "laplace"),
    _iid("student_t", "Student t(nu = 3) / sqrt(d_in)", fan_in(1.7099354928060746), "student_t"),
    _iid(
        "gaussian_mixture",
        "0.9 N(0, 0.05^2) + 0.1 N(0, 0.5^2)",
        _absolute(0.16506053010966248),
        "gaussian_mixture",
    ),
    _iid(
        "sparse_normal",
        "N(0, 1/d_in), zero with p = 0.2",
        fan_in(0.8944158621488303),
        "sparse_normal",
    ),
    _iid(
        "erdos_renyi",
        "N(0, 1/d_in) on a random graph whose edges are absent with p = 0.2",
        fan_in(0.8944158621488303),
        "sparse_normal",
    ),
    _iid("beta", "Beta(2, 2) scaled to [-0.1, 0.1]", _absolute(0.04472135767779592), "beta"),
    _iid(
        "exponential",
        "Exponential(rate 10), centred",
        _absolute(0.09999350851112945),
        "exponential",
    ),
    _iid("normal_16bit", "N(0, 1/d_in) quantised to 2^16 levels", fan_in(1.0)),
    _iid("normal_8bit", "N(0, 1/d_in) quantised to 2^8 levels", fan_in(1.0), "normal_8bit", 8),
    _iid("normal_4bit", "N(0, 1/d_in) quantised to 2^4 levels", fan_in(1.0), "normal_4bit", 4),
    _iid("normal_2bit", "N(0, 1/d_in) quantised to 2^2 levels", fan_in(1.0), "normal_2bit", 2),
    _iid("binary", "+-1/sqrt(d_in), by sign", fan_in(1.0), "binary", 1),
)

ZERO = Family(
    "zero",
    "all zeros: the control without a scaffold",
    _absolute(0.0),
    Independent(),
    "zero",
    1,
    random=False,
)
