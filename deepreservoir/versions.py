"""Versions of the packages on which results depend."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
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


def differing(
    first: Mapping[str, str], second: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the packages whose versions differ, with both versions.

    Python is left out, because results do not depend on its version. The version of a package that
    is missing is None.

    Examples
    --------
    >>> list(differing({"numpy": "2.4.6", "python": "3.12"}, {"numpy": "2.4.6", "numba": "0.66"}))
    [('numba', None, '0.66')]
    """
    for name in sorted((first.keys() | second.keys()) - {"python"}):
        versions_of = first.get(name), second.get(name)
        if versions_of[0] != versions_of[1]:
            yield (name, *versions_of)
