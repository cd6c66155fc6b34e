"""Versions of the packages on which results depend."""

from __future__ import annotations

import platform
from importlib.metadata import version
from importlib.util import find_spec

_PACKAGES = ("deepreservoir", "numpy", "scipy", "scikit-learn")
_OPTIONAL = ("numba",)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which results depend.

    Numba is among them where it is installed: its compiled loops round differently.
    """
    packages = (*_PACKAGES, *(name for name in _OPTIONAL if find_spec(name)))
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
