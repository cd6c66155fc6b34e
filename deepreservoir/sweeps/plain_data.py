"""Plain data, as it is sent to workers, stored in files and read from declarations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..checks import is_finite_number


def plain(value: Any) -> Any:
    """Return a value as JSON would load it: tuples become lists."""
    return json.loads(json.dumps(value))


def frozen(value: Any) -> Any:
    """Return a value with lists replaced by tuples, which are hashable.

    Examples
    --------
    >>> frozen(["step", [1, 2]])
    ('step', (1, 2))
    """
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def grid_value(name: str, value: Any) -> Any:
    """Return a parameter's value, converted from TOML, or raise a ValueError if it is invalid.

    Examples
    --------
    >>> grid_value("resample", ["step", 2]), grid_value("resample", "none")
    (('step', 2), None)
    """
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, bool | int | float | str) for part in parts):
        raise ValueError(
            f"{name} must be a number, a string, true or false, or a list of these; got {value!r}"
        )
    # TOML cannot represent None.
    return None if (name, value) == ("resample", "none") else frozen(value)


def protocol_value(name: str, value: Any) -> Any:
    """Return a parameter's value of a protocol, as :func:`grid_value`, or weights of classes.

    Examples
    --------
    >>> protocol_value("class_weight", {"0": 1.0, "1": 11.69})
    {'0': 1.0, '1': 11.69}
    """
    if name != "class_weight" or not isinstance(value, dict):
        return grid_value(name, value)
    for label, weight in value.items():
        if not is_finite_number(weight) or weight < 0:
            raise ValueError(
                f"class_weight of label {label!r} must be a number that is finite and not "
                f"negative; got {weight!r}"
            )
    return value


def canonical(value: Any) -> str:
    """Return canonical JSON text: equal data have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def check_known(where: str, table: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise a ValueError for an unknown key in a table of a declaration."""
    names = sorted(allowed)
    for key in table:
        if key not in names:
            place = f" in [{where}]" if where else ""
            raise ValueError(f"unknown key {key!r}{place}; expected {', '.join(names)}")
