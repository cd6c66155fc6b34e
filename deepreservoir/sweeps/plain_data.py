"""Plain data: what travels to workers, lies in files, and is read from declarations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples as lists."""
    return json.loads(json.dumps(value))


def frozen(value: Any) -> Any:
    """Return a value with lists as tuples, which are hashable and what estimators take.

    Examples
    --------
    >>> frozen(["step", [1, 2]])
    ('step', (1, 2))
    """
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def grid_value(name: str, value: Any) -> Any:
    """Return a parameter's value as TOML gives it, or raise a ValueError if it cannot be one.

    Examples
    --------
    >>> grid_value("resample", ["step", 2]), grid_value("resample", "none")
    (('step', 2), None)
    """
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, bool | int | float | str) for part in parts):
        raise ValueError(
            f"{name} must be a number, a word, true or false, or a list of such; got {value!r}"
        )
    # TOML has no word for None.
    return None if (name, value) == ("resample", "none") else frozen(value)


def canonical(value: Any) -> str:
    """Return JSON text that is the same for the same data."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def check_known(where: str, given: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise a ValueError for a key that has no meaning in a table of a declaration."""
    names = sorted(allowed)
    for key in given:
        if key not in names:
            place = f" in [{where}]" if where else ""
            raise ValueError(f"unknown key {key!r}{place}; expected {', '.join(names)}")
