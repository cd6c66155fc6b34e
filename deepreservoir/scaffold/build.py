"""From a specification to a scaffold, in the storage that was asked for."""

from __future__ import annotations

import numpy as np

from ..backend import Device
from .families import Family
from .spec import ScaffoldSpec
from .storage import DenseScaffold, PackedScaffold, Scaffold, StreamedScaffold
from .structured import HadamardScaffold, KroneckerScaffold

STORAGES = ("auto", "dense", "packed", "streamed", "structured")

_STRUCTURED: dict[str, type[Scaffold]] = {
    "hadamard": HadamardScaffold,
    "kronecker": KroneckerScaffold,
}
_STORED: dict[str, type[Scaffold]] = {
    "dense": DenseScaffold,
    "packed": PackedScaffold,
    "streamed": StreamedScaffold,
}


def resolve_storage(family: Family, storage: str) -> str:
    """Return the storage to use for `family`, or say why `storage` cannot hold it.

    ``"auto"`` is structured for `hadamard` and `kronecker` and dense for the others.

    Raises
    ------
    ValueError
        For an unknown storage, or one that cannot hold the family.
    """
    if storage not in STORAGES:
        raise ValueError(f"storage must be one of {', '.join(STORAGES)}; got {storage!r}")
    structured = family.name in _STRUCTURED
    if storage == "auto":
        return "structured" if structured else "dense"
    fits = {
        "dense": not structured,
        "packed": family.kind == "iid" or family.kind == "spectral",
        "streamed": family.kind == "iid" or family.kind == "spectral",
        "structured": structured,
    }
    if fits[storage]:
        return storage
    able = ", ".join(repr(name) for name, fit in fits.items() if fit)
    raise ValueError(
        f"storage={storage!r} cannot hold scaffold={family.name!r}; use storage='auto' or {able}"
    )


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
        How the weights are kept; their values do not depend on it.
    dtype : numpy dtype, default=float32
        Type of the products, float32 or float64.
    device : {"cpu", "cuda"}

    Returns
    -------
    Scaffold

    Raises
    ------
    ValueError
        If the storage is unknown or cannot hold the family.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.scaffold import ScaffoldSpec, make_scaffold
    >>> spec = ScaffoldSpec("binary", (64, 128), seed=0, path="layers.0")
    >>> dense, packed = make_scaffold(spec), make_scaffold(spec, "packed")
    >>> dense.nbytes // packed.nbytes, dense.digest() == packed.digest()
    (32, True)
    """
    chosen = resolve_storage(spec.definition, storage)
    makers = _STRUCTURED if chosen == "structured" else _STORED
    return makers[spec.family if chosen == "structured" else chosen](spec, dtype, device)
