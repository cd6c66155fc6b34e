"""Configurations from plain data, as a file contains them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import Any

from ..container import ArtifactError
from ..layers.layer_limit import TooManyLayers, at_most_layers
from .base import ARCHITECTURES, NetworkConfig

#: The architecture of files that do not name one: they are older than any other.
FIRST_ARCHITECTURE = "mlp"

# Bytes of a layer in addition to its parameters, as counted towards a limit.
_LAYER_BYTES = 10_000


@contextmanager
def layers_within(max_bytes: int, times: int = 1) -> Iterator[None]:
    """Raise an ArtifactError as soon as the layers that are made in the block take too many bytes.

    Everything that may make the layers of a configuration from a file belongs in such a block:
    checks of its ranks too make all layers, and their number is whatever the file says.

    Parameters
    ----------
    max_bytes : int
    times : int, default=1
        Total number of networks of that many layers that will be made.
    """
    most = max_bytes // (times * _LAYER_BYTES)
    try:
        with at_most_layers(most):
            yield
    except TooManyLayers:
        raise ArtifactError(
            "the model needs more bytes for its layers than max_bytes allows: "
            f"{max_bytes:,}, which are {most:,} layers of {_LAYER_BYTES:,} bytes"
            f"{'' if times == 1 else f' for each of {times} tasks'}. Raise max_bytes for a file "
            "that you trust"
        ) from None


def from_plain(data: Mapping[str, Any]) -> NetworkConfig:
    """Return the configuration that :meth:`NetworkConfig.to_plain` converted to plain data.

    A missing field gets the value that reproduces the versions before the field existed, whatever
    its default is now.

    Parameters
    ----------
    data : mapping

    Returns
    -------
    NetworkConfig
        An instance of the class that is registered under ``data["architecture"]``.

    Raises
    ------
    ValueError
        If the architecture is not registered, a field is unknown or missing, or a value is out of
        range.

    Examples
    --------
    >>> from deepreservoir import MLPConfig
    >>> config = MLPConfig(4, 3, (16,), rank=2)
    >>> from_plain(config.to_plain()) == config
    True
    """
    values: dict[str, Any] = dict(data)
    name = values.pop("architecture", FIRST_ARCHITECTURE)
    cls = ARCHITECTURES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise ValueError(
            f"the architecture {name!r:.60} is not registered; the registered ones are "
            f"{', '.join(sorted(ARCHITECTURES))}. Import the package that defines it, with "
            f"@architecture({name!r:.60}) on its configuration, before loading the file"
        )
    known = {each.name: each for each in fields(cls) if each.init}
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise ValueError(
            f"the architecture {name!r} has no field {unknown[0]!r:.60}; the file was written by "
            "a later version, or not by deepreservoir"
        )
    for missing in known.keys() - values.keys():
        if missing not in cls.absent:
            raise ValueError(f"the field {missing!r} of the architecture {name!r} is missing")
        values[missing] = cls.absent[missing]
    for each in known.values():
        is_tuple = each.default is not MISSING and isinstance(each.default, tuple)
        if is_tuple and not isinstance(values[each.name], list | tuple):
            raise ValueError(f"{each.name} must be a list; got {values[each.name]!r:.60}")
    arguments: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return cls(**arguments)
