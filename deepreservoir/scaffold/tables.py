"""Tables of quantiles: the weight of each lane at unit variance.

A table has 65,536 float32 quantiles of one distribution. Tables that need special functions ship
with the package and are checked against a pinned hash; the others are computed here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

TABLE_SIZE = 65_536

#: SHA-256 of the tables in tables.safetensors. A change to a table requires a new format version.
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


@cache
def _shipped() -> dict[str, np.ndarray]:
    path = Path(__file__).with_name("tables.safetensors")
    tables = load_file(path)
    for name, expected in _TABLE_HASHES.items():
        table = tables.get(name, np.empty(0, np.float32))
        actual = hashlib.sha256(table.tobytes()).hexdigest()
        if actual != expected:
            raise OSError(
                f"table {name!r} in {path} is damaged: expected SHA-256 {expected}, got "
                f"{actual}. Reinstall deepreservoir"
            )
    return tables


def _uniform() -> np.ndarray:
    step = 2 * math.sqrt(3) / math.sqrt(1 - 1 / TABLE_SIZE**2)
    values: np.ndarray = ((np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE - 0.5) * step
    return values


def _binary() -> np.ndarray:
    return np.array([-1.0, 1.0])


def _zero() -> np.ndarray:
    return np.zeros(2)


def _exponential() -> np.ndarray:
    return _shipped()["exponential"]


# All others are shipped as their upper half, which is mirrored.
_WHOLE: dict[str, Callable[[], np.ndarray]] = {
    "uniform": _uniform,
    "binary": _binary,
    "zero": _zero,
    "exponential": _exponential,
}


def _mirrored(upper: np.ndarray) -> np.ndarray:
    return np.concatenate([-upper[::-1], upper])


@cache
def codebook(table: str) -> np.ndarray:
    """Return the ``2**bits`` values of a table at unit variance, read-only float32.

    Examples
    --------
    >>> codebook("binary")
    array([-1.,  1.], dtype=float32)
    """
    values = _WHOLE[table]() if table in _WHOLE else _mirrored(_shipped()[table])
    values = values.astype(np.float32)
    values.flags.writeable = False
    return values


@cache
def lane_table(table: str) -> np.ndarray:
    """Return the value of each of the 65,536 lanes at unit variance, read-only float32.

    Examples
    --------
    >>> lane_table("normal").shape
    (65536,)
    """
    values = codebook(table)
    lanes = np.repeat(values, TABLE_SIZE // len(values))
    lanes.flags.writeable = False
    return lanes
