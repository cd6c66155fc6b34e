"""Construction of a scaffold from its specification, in a given storage."""

from __future__ import annotations

import math

import numpy as np

from ..backend import Device
from ..kernels import codes_shape
from .spec import Family, ScaffoldSpec
from .storage import Scaffold

STORAGES = ("auto", "dense", "packed", "streamed", "structured")


def resolve_storage(family: Family, storage: str) -> str:
    """Return the storage to use for `family`, or raise an error if `storage` cannot hold it.

    ``"auto"`` is structured for `hadamard` and `kronecker` and dense for the others.

    Parameters
    ----------
    family : Family
    storage : {"auto", "dense", "packed", "streamed", "structured"}

    Returns
    -------
    str
        `storage`, or the default of the family for ``"auto"``.

    Raises
    ------
    ValueError
        For an unknown storage, or one that cannot hold the family.

    Examples
    --------
    >>> from deepreservoir.scaffold import get_family, resolve_storage
    >>> family = get_family("hadamard")
    >>> resolve_storage(get_family("normal"), "auto"), resolve_storage(family, "auto")
    ('dense', 'structured')
    >>> resolve_storage(family, "packed")
    Traceback (most recent call last):
        ...
    ValueError: storage='packed' cannot hold scaffold='hadamard'; use ...
    """
    if storage not in STORAGES:
        raise ValueError(f"storage must be one of {', '.join(STORAGES)}; got {storage!r}")
    construction = family.construction
    if storage == "auto":
        return construction.default_storage
    if storage in construction.storages:
        return storage
    possible = ", ".join(map(repr, construction.storages))
    raise ValueError(
        f"storage={storage!r} cannot hold scaffold={family.name!r}; use storage='auto' or "
        f"{possible}"
    )


def held_bytes(spec: ScaffoldSpec, storage: str, dtype: np.dtype) -> int:
    """Return the bytes that a scaffold will keep in memory, but for a few vectors.

    Parameters
    ----------
    spec : ScaffoldSpec
    storage : {"auto", "dense", "packed", "streamed", "structured"}
    dtype : numpy dtype

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.scaffold import ScaffoldSpec, make_scaffold
    >>> spec = ScaffoldSpec("binary", (64, 128), seed=0, path="layers.0")
    >>> held_bytes(spec, "packed", np.dtype("float32")), make_scaffold(spec, "packed").nbytes
    (1024, 1024)
    """
    storage = resolve_storage(spec.definition, storage)
    if storage == "dense":
        return math.prod(spec.shape) * dtype.itemsize
    if storage == "packed":
        shape, codes = codes_shape(*spec.shape, spec.definition.bits)
        return math.prod(shape) * np.dtype(codes).itemsize
    return 0


def make_scaffold(
    spec: ScaffoldSpec,
    storage: str = "auto",
    dtype: np.dtype | type = np.float32,
    device: Device = "cpu",
) -> Scaffold:
    """Draw a frozen weight matrix from its specification.

    Parameters
    ----------
    spec : ScaffoldSpec
    storage : {"auto", "dense", "packed", "streamed", "structured"}
        How the weights are stored; their values do not depend on it.
    dtype : numpy dtype, default=float32
        Type of the products, float32 or float64.
    device : {"cpu", "cuda", "cuda:N"}

    Returns
    -------
    Scaffold

    Raises
    ------
    ValueError
        If the storage is unknown or cannot hold the family, or the type is another.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.scaffold import ScaffoldSpec, make_scaffold
    >>> spec = ScaffoldSpec("binary", (64, 128), seed=0, path="layers.0")
    >>> dense, packed = make_scaffold(spec), make_scaffold(spec, "packed")
    >>> dense.nbytes // packed.nbytes, dense.digest() == packed.digest()
    (32, True)
    """
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64; got {np.dtype(dtype)}")
    storage = resolve_storage(spec.definition, storage)
    scaffold: Scaffold = spec.construction.storages[storage](spec, dtype, device)
    return scaffold
