"""Strict JSON, for files that may come from anywhere: unique names, finite numbers, few levels."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from .stored_values import ArtifactError

#: Largest depth of nested lists and objects.
MAX_DEPTH = 32


def object_of(text: bytes | str, label: str) -> dict[str, Any]:
    """Return the JSON object in a text that may come from anywhere.

    Parameters
    ----------
    text : bytes or str
    label : str
        What the text is, for messages.

    Raises
    ------
    ArtifactError
        If it is not a JSON object, has an entry twice or a number that is not finite, or is nested
        more than :data:`MAX_DEPTH` levels deep.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ArtifactError(f"{label} has a duplicate entry")
        return entries

    def no_constant(name: str) -> NoReturn:
        raise ArtifactError(f"{label} contains {name}; all numbers in a file must be finite")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else no_constant(digits)

    try:
        value = json.loads(
            text, object_pairs_hook=unique, parse_constant=no_constant, parse_float=finite
        )
    except ArtifactError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{label} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ArtifactError(f"{label} must be a JSON object; got {type(value).__name__}")
    check_depth(value, label)
    return value


def check_depth(value: dict[str, Any], label: str) -> None:
    """Raise an ArtifactError for data nested so deeply that walking through it could fail."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        parts = [item.values() if isinstance(item, dict) else item for item in level]
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return
    raise ArtifactError(f"{label} is nested more than {MAX_DEPTH} levels deep")
