"""The definitions of the tables that ship with the package, and the command that creates them.

A table has 65,536 quantiles of a distribution, at (k + 1/2) / 65,536. Quantiles that need
logarithms, tangents or special functions could differ in their last bits between machines, so
they are computed once, rounded to float32, and shipped; `tables.py` pins their hashes. This
module is imported only to create or test the tables, never to draw a scaffold:

    python -m deepreservoir.scaffold.quantiles OUT.safetensors
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import special

TABLE_SIZE = 65_536


def _positions() -> np.ndarray:
    return (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE


def _truncated_normal(u: np.ndarray) -> np.ndarray:
    low, high = special.ndtr(-2.0), special.ndtr(2.0)
    return special.ndtri(low + u * (high - low))


def _cauchy(u: np.ndarray) -> np.ndarray:
    return np.clip(0.1 * np.tan(np.pi * (u - 0.5)), -1.0, 1.0)


def _laplace(u: np.ndarray) -> np.ndarray:
    return -0.1 * np.sign(u - 0.5) * np.log1p(-2 * np.abs(u - 0.5))


def _gaussian_mixture(u: np.ndarray) -> np.ndarray:
    low, high = np.zeros_like(u), np.full_like(u, 5.0)  # u >= 1/2, so the quantile is positive
    for _ in range(60):  # bisection to the last bit: the inverse has no closed form
        middle = (low + high) / 2
        below = 0.9 * special.ndtr(middle / 0.05) + 0.1 * special.ndtr(middle / 0.5) < u
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _sparse_normal(u: np.ndarray) -> np.ndarray:
    tail = np.clip(np.where(u > 0.5, (u - 0.2) / 0.8, u / 0.8), 0, 1)
    return np.where(np.abs(u - 0.5) <= 0.1, 0.0, special.ndtri(tail))


#: Quantile functions on each family's own scale (paper, table 13), in units of sigma for
#: families with fan-in scaling.
QUANTILES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "normal": special.ndtri,
    "truncated_normal": _truncated_normal,
    "cauchy": _cauchy,
    "laplace": _laplace,
    "student_t": lambda u: special.stdtrit(3, u),
    "gaussian_mixture": _gaussian_mixture,
    "sparse_normal": _sparse_normal,
    "beta": lambda u: 0.2 * special.betaincinv(2, 2, u) - 0.1,
    "exponential": lambda u: -np.log1p(-u) / 10 - 0.1,
}


def raw_quantiles(name: str) -> np.ndarray:
    """Return the 65,536 quantiles of family `name` on its own scale, in float64."""
    u = _positions()
    if name == "exponential":
        return QUANTILES[name](u)
    # The others are symmetric: the upper half is computed and mirrored.
    upper = QUANTILES[name](u[TABLE_SIZE // 2 :])
    return np.concatenate([-upper[::-1], upper])


def own_rms(name: str) -> float:
    """Return the root mean square of the table on the family's own scale."""
    return float(np.sqrt(np.mean(raw_quantiles(name) ** 2)))


def standardised(name: str) -> np.ndarray:
    """Return the table at unit variance, float64, with mean zero by symmetry or by centring."""
    q = raw_quantiles(name)
    if name == "exponential":
        q = q - q.mean()
    return q / np.sqrt(np.mean(q**2))


def normal_codebook(bits: int) -> np.ndarray:
    """Return the 2**bits levels of a quantised N(0, 1), at unit variance.

    A level is the mean of its equally probable slice of the normal table, so the code of a
    weight is the top `bits` bits of its lane (quantile quantisation, as in NF4).
    """
    levels = standardised("normal").reshape(2**bits, -1).mean(axis=1)
    return levels / np.sqrt(np.mean(levels**2))


def shipped_tables() -> dict[str, np.ndarray]:
    """Return the contents of the shipped file: upper halves of symmetric tables, and codebooks."""
    tables = {name: standardised(name) for name in QUANTILES}
    for bits in (2, 4, 8):
        tables[f"normal_{bits}bit"] = normal_codebook(bits)
    return {
        name: (t if name == "exponential" else t[len(t) // 2 :]).astype("<f4")
        for name, t in tables.items()
    }


if __name__ == "__main__":
    from safetensors.numpy import save_file

    save_file(shipped_tables(), sys.argv[1])
    for family in QUANTILES:
        print(f"{family}: own rms {own_rms(family)!r}")
