"""Figures that others have published, to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ..experiments import ARMS
from .plain_data import check_known, frozen, grid_value

_KEYS = ("source", "tolerance", "rows")
_ROW = ("arm", "at", "score", "trained", "at_least")


@dataclass(frozen=True)
class Figure:
    """One published figure, or a target of our own.

    Attributes
    ----------
    arm : str
        Of a record, such as ``"adapter"`` or ``"full"``.
    at : tuple of (str, object)
        Values of the grid that it is for; over the others we take the mean.
    score : float or None
        Accuracy in percent, or R^2.
    trained : int or None
        Trained numbers.
    at_least : float or None
        Score that we aim for.
    """

    arm: str
    at: tuple[tuple[str, Any], ...]
    score: float | None
    trained: int | None = None
    at_least: float | None = None


@dataclass(frozen=True)
class Published:
    """A table of figures with its source.

    Attributes
    ----------
    source : str
    tolerance : float or None
        How far ours may be below a figure that has no target of its own.
    rows : tuple of Figure
    """

    source: str
    tolerance: float | None
    rows: tuple[Figure, ...]

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Published:
        """Return the table from plain data."""
        rows = tuple(
            Figure(
                row["arm"],
                tuple((name, frozen(value)) for name, value in row["at"]),
                row["score"],
                row["trained"],
                row["at_least"],
            )
            for row in data["rows"]
        )
        return Published(data["source"], data["tolerance"], rows)


def read_published(given: Any) -> Published:
    """Return the table of a TOML document, or raise a ValueError that names what is wrong."""
    if not isinstance(given, dict) or not isinstance(given.get("source"), str):
        raise ValueError("[published] must be a table with a source")
    check_known("published", given, _KEYS)
    tolerance = given.get("tolerance")
    if tolerance is not None and not (_is_number(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance in [published] must be a number from 0 on; got {tolerance!r}")
    rows = given.get("rows", [])
    if not isinstance(rows, list) or not rows:
        raise ValueError("[published] must have at least one [[published.rows]]")
    return Published(given["source"], tolerance, tuple(map(_figure, rows)))


def _figure(row: Any) -> Figure:
    if not isinstance(row, dict):
        raise ValueError(f"[[published.rows]] must be tables; got {row!r}")
    check_known("[published.rows]", row, _ROW)
    arm = row.get("arm", "adapter")
    if arm not in ARMS:
        raise ValueError(f"arm in [[published.rows]] must be one of {', '.join(ARMS)}; got {arm!r}")
    at = row.get("at", {})
    if not isinstance(at, dict):
        raise ValueError(f"at must be a table of the grid's values; got {at!r}")
    for name in ("score", "at_least", "trained"):
        if row.get(name) is not None and not _is_number(row[name]):
            raise ValueError(f"{name} in [[published.rows]] must be a number; got {row[name]!r}")
    return Figure(
        arm,
        tuple((name, grid_value(name, value)) for name, value in at.items()),
        row.get("score"),
        row.get("trained"),
        row.get("at_least"),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
