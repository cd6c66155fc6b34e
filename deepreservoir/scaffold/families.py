"""The distribution families of the scaffold, as tables of quantiles.

An i.i.d. family is a table of 65,536 float32 quantiles at unit variance; a weight is
``table[lane] * scale``, one look-up and one float32 product, so the bits are the same on
every machine. The 22 families are those of the LottaLoRA paper (arXiv 2604.08749, table
13); `hadamard` and `kronecker` are structured ones of our own, and `zero` is the control
without a scaffold.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import load_file

TABLE_SIZE = 65_536

#: SHA-256 of the tables in tables.safetensors. A changed table is a new format version.
_TABLE_HASHES = {
    "beta": "15108dd9a7110eb899172c2fdc6bf9ea6791c84cc328ef778ed10edc12523efe",
    "cauchy": "8ad8f99a9f52ea0a02588031b4bacb842a921f35b74d503722cbf1b40ccfef7f",
    "exponential": "ef670969b6a3a3af5c2509d47f6b999256c909c6bb47c8735f63595670a8fa62",
    "gaussian_mixture": "72c0df8a208a25271d47146cee837eba1e08c5ec7e7b15a70223ebb807a552bd",
    "laplace": "28279be941d000052270d02e93740c162ef765ad59d8a7fec855d7c355ecd212",
    "normal": "e230179c3827e615b4f063e99741aa697a3a8925635cf89f6dddf2f8182450ef",
    "normal_2bit": "b795bf3151f72c58fac702c9840d4321436688f39720360d750649de92e3ac9e",
    "normal_4bit": "15ecb7cc300d694be249ecb3425bdff91cbdc09d657195928bdf9d13da465f45",
    "normal_8bit": "71f86d326e8d4a6566c22b22cda6ed6d56d1180880a65f11480f5fd6d59cf67d",
    "sparse_normal": "3b94320db1aac761b986de9827de8c71e253d02862c4be04f6d2dcf3cf74d685",
    "student_t": "bf66e1b9f573abf3227154d1c88c8706a1552650e77ed4eabf6eaf5ab9a39ddf",
    "truncated_normal": "0a1a4b69264a261f7cae3d3b37e88998e9fd45364f29199485b6979c30d248a3",
}

Kind = Literal["iid", "orthogonal", "spectral", "hadamard", "kronecker"]
OwnScale = Callable[[int, int], float]  # (d_out, d_in) -> standard deviation


def _fan_in_scale(factor: float, d_out: int, d_in: int) -> float:
    return factor / math.sqrt(d_in)


def _absolute_scale(sigma: float, d_out: int, d_in: int) -> float:
    return sigma


def _fan_in(factor: float) -> OwnScale:
    return partial(_fan_in_scale, factor)


def _absolute(sigma: float) -> OwnScale:
    return partial(_absolute_scale, sigma)


def _xavier(d_out: int, d_in: int) -> float:
    return math.sqrt(2 / (d_in + d_out))


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
    table : str
        Which table of quantiles it reads.
    bits : int
        Bits that tell its weights apart: 1, 2, 4, 8 or 16. The code of a weight is the top
        `bits` bits of its lane.
    kind : str
        ``"iid"``, or the construction that makes it.
    """

    name: str
    summary: str
    own_scale: OwnScale
    table: str = "normal"
    bits: int = 16
    kind: Kind = "iid"


def _families() -> list[Family]:
    # The constants are root mean squares of the tables on their own scale (quantiles.py).
    return [
        Family("normal", "N(0, 1/d_in)", _fan_in(1.0)),
        Family(
            "truncated_normal",
            "N(0, 1/d_in), truncated at 2 sigma",
            _fan_in(0.8796256602543275),
            "truncated_normal",
        ),
        Family("uniform", "U(-0.1, 0.1)", _absolute(0.1 / math.sqrt(3)), "uniform"),
        Family(
            "orthogonal", "orthonormal rows or columns, gain 1", _fan_in(1.0), kind="orthogonal"
        ),
        Family("kaiming_normal", "N(0, 2/d_in)", _fan_in(math.sqrt(2))),
        Family(
            "kaiming_uniform",
            "U(-b, b), b = 1/sqrt(d_in) (a = sqrt 5)",
            _fan_in(math.sqrt(1 / 3)),
            "uniform",
        ),
        Family("xavier_normal", "N(0, 2/(d_in + d_out))", _xavier),
        Family("xavier_uniform", "U(-b, b), b = sqrt(6/(d_in + d_out))", _xavier, "uniform"),
        Family(
            "spectral_radius",
            "N(0, 1) rescaled to spectral radius 0.95 (largest singular value if not square)",
            _fan_in(1.0),
            kind="spectral",
        ),
        Family(
            "cauchy", "Cauchy(s = 0.1), clipped at 10 s", _absolute(0.34314358745277335), "cauchy"
        ),
        Family("laplace", "Laplace(b = 0.1)", _absolute(0.14141194638364263), "laplace"),
        Family(
            "student_t", "Student t(nu = 3) / sqrt(d_in)", _fan_in(1.7099354928060746), "student_t"
        ),
        Family(
            "gaussian_mixture",
            "0.9 N(0, 0.05^2) + 0.1 N(0, 0.5^2)",
            _absolute(0.16506053010966248),
            "gaussian_mixture",
        ),
        Family(
            "sparse_normal",
            "N(0, 1/d_in), zero with p = 0.2",
            _fan_in(0.8944158621488303),
            "sparse_normal",
        ),
        Family(
            "erdos_renyi",
            "N(0, 1/d_in) on a random graph whose edges are absent with p = 0.2",
            _fan_in(0.8944158621488303),
            "sparse_normal",
        ),
        Family("beta", "Beta(2, 2) scaled to [-0.1, 0.1]", _absolute(0.04472135767779592), "beta"),
        Family(
            "exponential",
            "Exponential(rate 10), centred",
            _absolute(0.09999350851112945),
            "exponential",
        ),
        Family("normal_16bit", "N(0, 1/d_in) quantised to 2^16 levels", _fan_in(1.0)),
        Family(
            "normal_8bit",
            "N(0, 1/d_in) quantised to 2^8 levels",
            _fan_in(1.0),
            "normal_8bit",
            8,
        ),
        Family(
            "normal_4bit",
            "N(0, 1/d_in) quantised to 2^4 levels",
            _fan_in(1.0),
            "normal_4bit",
            4,
        ),
        Family(
            "normal_2bit",
            "N(0, 1/d_in) quantised to 2^2 levels",
            _fan_in(1.0),
            "normal_2bit",
            2,
        ),
        Family("binary", "+-1/sqrt(d_in), by sign", _fan_in(1.0), "binary", 1),
        Family("hadamard", "D2 H D1: random signs about a Hadamard matrix", _fan_in(1.0),
               "binary", 1, "hadamard"),
        Family("kronecker", "P (x) Q of two normal factors", _fan_in(1.0), kind="kronecker"),
        Family("zero", "all zeros: the control without a scaffold", _absolute(0.0), "zero", 1),
    ]  # fmt: skip


FAMILIES: dict[str, Family] = {family.name: family for family in _families()}

#: The 22 families of the paper's table 13, in its order.
PAPER_FAMILIES: tuple[str, ...] = tuple(
    name for name in FAMILIES if name not in ("hadamard", "kronecker", "zero")
)


def get_family(name: str) -> Family:
    """Return the family called `name`.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.

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


@cache
def _shipped() -> dict[str, np.ndarray]:
    path = Path(__file__).with_name("tables.safetensors")
    tables = load_file(path)
    for name, expected in _TABLE_HASHES.items():
        table = tables.get(name, np.empty(0, np.float32))
        found = hashlib.sha256(table.tobytes()).hexdigest()
        if found != expected:
            raise OSError(
                f"table {name!r} in {path} is damaged: expected SHA-256 {expected}, found "
                f"{found}. Reinstall deepreservoir"
            )
    return tables


def _mirror(upper: np.ndarray) -> np.ndarray:
    return np.concatenate([-upper[::-1], upper])


@cache
def codebook(family_name: str) -> np.ndarray:
    """Return the ``2**bits`` values of an i.i.d. family at unit variance, read-only float32.

    Examples
    --------
    >>> codebook("binary")
    array([-1.,  1.], dtype=float32)
    """
    family = get_family(family_name)
    values: np.ndarray
    if family.table == "uniform":
        step = 2 * math.sqrt(3) / math.sqrt(1 - 1 / TABLE_SIZE**2)
        values = ((np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE - 0.5) * step
    elif family.table == "binary":
        values = np.array([-1.0, 1.0])
    elif family.table == "zero":
        values = np.zeros(2)
    elif family.table == "exponential":
        values = _shipped()["exponential"]
    else:
        values = _mirror(_shipped()[family.table])
    values = values.astype(np.float32)
    values.flags.writeable = False
    return values


@cache
def lane_table(family_name: str) -> np.ndarray:
    """Return the value of each of the 65,536 lanes at unit variance, read-only float32.

    Examples
    --------
    >>> lane_table("normal").shape
    (65536,)
    """
    values = codebook(family_name)
    table = np.repeat(values, TABLE_SIZE // len(values))
    table.flags.writeable = False
    return table
