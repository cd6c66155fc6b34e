"""Checks of single values, with errors that say what was expected and what was given."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, isinf
from numbers import Integral, Real
from typing import Any

import numpy as np

_LARGEST = 2**63 - 1


def is_integer(value: object) -> bool:
    """Return whether `value` is an integer; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def is_finite_number(value: Any) -> bool:
    """Return whether `value` is a real number that a finite float can hold, and not a bool.

    Examples
    --------
    >>> is_finite_number(1), is_finite_number(True), is_finite_number(10**400)
    (True, False, False)
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


def check_integer(name: str, value: object, at_least: int) -> None:
    """Raise a ValueError unless `value` is an integer of at least `at_least`.

    Examples
    --------
    >>> check_integer("max_iter", 0, 1)
    Traceback (most recent call last):
        ...
    ValueError: max_iter must be an integer of at least 1; got 0
    """
    if not is_integer(value) or value < at_least:  # type: ignore[operator]
        raise ValueError(f"{name} must be an integer of at least {at_least}; got {value!r}")
    if value > _LARGEST:  # type: ignore[operator]
        raise ValueError(f"{name} must be an integer of at most 2**63 - 1; got a larger one")


def check_real(name: str, value: Any, low: float, high: float, open_low: bool = False) -> None:
    """Raise a ValueError unless `value` is a finite number in [low, high], or (low, high].

    Examples
    --------
    >>> check_real("leak_rate", 0.0, 0, 1, open_low=True)
    Traceback (most recent call last):
        ...
    ValueError: leak_rate must be a number in (0, 1]; got 0.0
    """
    valid = is_finite_number(value)
    if not valid or not low <= value <= high or (open_low and value == low):
        bounds = f"{'(' if open_low else '['}{low}, {high}{')' if isinf(high) else ']'}"
        raise ValueError(f"{name} must be a number in {bounds}; got {value!r}")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    allowed = tuple(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def check_flag(name: str, value: object) -> None:
    """Raise a ValueError unless `value` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}")


def check_dropped_share(name: str, value: object) -> None:
    """Raise a ValueError unless `value` is a fraction that dropout can drop, in [0, 1)."""
    # Masks have a resolution of 1/65,536: a fraction that rounds to 1 would drop everything.
    if not is_finite_number(value) or not 0 <= value < 1 - 2**-17:  # type: ignore[operator]
        raise ValueError(f"{name} must be in [0, 1); got {value!r}")


def python_value(value: Any) -> Any:
    """Return a NumPy scalar, as searches over arrays pass, as a Python scalar."""
    return value.item() if isinstance(value, np.generic) else value


def is_same_class(one: type, other: type) -> bool:
    """Return whether two classes are one definition, run twice.

    A script that is imported too has its classes under two modules, of which one is ``__main__``.
    """
    if one.__qualname__ != other.__qualname__:
        return False
    return one.__module__ == other.__module__ or "__main__" in (one.__module__, other.__module__)
