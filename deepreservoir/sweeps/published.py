"""Published figures, to be compared with the results of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..checks import is_finite_number
from ..experiments import ALL_ARMS
from ..experiments.comparisons.results import METRICS
from ..user_warnings import warn_user
from .plain_data import check_known, frozen, grid_value

_KEYS = ("source", "tolerance", "rows")
_ROW = ("arm", "at", "score", "trained", "at_least")


@dataclass(frozen=True)
class Figure:
    """One published figure, or a target of the sweep's author.

    Attributes
    ----------
    arm : str
        Arm of the records, such as ``"adapter"`` or ``"full"``.
    at : tuple of (str, object)
        Grid values to which the figure applies; it is compared with the mean over all others.
    score : float or None
        Accuracy in percent, or R^2.
    trained : int or None
        Number of trained parameters.
    at_least : float or None
        Target for the score.

    Examples
    --------
    >>> from deepreservoir.sweeps import Figure, Published
    >>> figure = Figure("adapter", (("rank", 8),), score=97.5, trained=25_000)
    >>> Published("A paper, table 2", tolerance=0.5, rows=(figure,)).rows[0].at
    (('rank', 8),)
    """

    arm: str
    at: tuple[tuple[str, Any], ...]
    score: float | None
    trained: int | None = None
    at_least: float | None = None


@dataclass(frozen=True)
class Published:
    """A table of published figures with its source.

    Attributes
    ----------
    source : str
    tolerance : float or None
        How far a result may be below a figure that has no explicit target.
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


def read_published(table: Any) -> Published:
    """Return the table [published] of a TOML document, or raise a ValueError if it is invalid."""
    if not isinstance(table, dict) or not isinstance(table.get("source"), str):
        raise ValueError("[published] must be a table with a source")
    check_known("published", table, _KEYS)
    tolerance = table.get("tolerance")
    if tolerance is not None and not (is_finite_number(tolerance) and tolerance >= 0):
        raise ValueError(
            f"tolerance in [published] must be a non-negative number; got {tolerance!r}"
        )
    rows = table.get("rows", [])
    if not isinstance(rows, list) or not rows:
        raise ValueError("[published] must have at least one [[published.rows]]")
    return Published(table["source"], tolerance, tuple(map(_figure, rows)))


def _figure(row: Any) -> Figure:
    if not isinstance(row, dict):
        raise ValueError(f"[[published.rows]] must be tables; got {row!r}")
    check_known("[published.rows]", row, _ROW)
    arm = row.get("arm", "adapter")
    if arm not in ALL_ARMS:
        raise ValueError(
            f"arm in [[published.rows]] must be one of {', '.join(ALL_ARMS)}; got {arm!r}"
        )
    at = row.get("at", {})
    if not isinstance(at, dict):
        raise ValueError(f"at must be a table of grid values; got {at!r}")
    for name in ("score", "at_least"):
        if row.get(name) is not None and not is_finite_number(row[name]):
            raise ValueError(f"{name} in [[published.rows]] must be a number; got {row[name]!r}")
    trained = row.get("trained", 0)
    if type(trained) is not int or trained < 0:
        raise ValueError(
            "trained in [[published.rows]] must be a number of parameters, a whole number that is "
            f"not negative; got {trained!r}"
        )
    if not {"score", "at_least", "trained"} & row.keys():
        raise ValueError(f"[[published.rows]] must have a score, at_least or trained; got {row!r}")
    return Figure(
        arm,
        tuple((name, grid_value(name, value)) for name, value in at.items()),
        row.get("score"),
        row.get("trained"),
        row.get("at_least"),
    )


def check_unit(name: str, published: Published, metric: str) -> None:
    """Raise a ValueError for a figure that no score of a metric can have, and warn of fractions.

    Parameters
    ----------
    name : str
        Name of the sweep, for messages.
    published : Published
    metric : {"accuracy", "roc_auc", "r2", "nats", "mse"}
        What the scores of the sweep are. The first two are compared in percent.
    """
    percent = metric in ("accuracy", "roc_auc")
    lowest, highest = (0, 100) if percent else (None, 1 if metric == "r2" else 0)
    for figure in published.rows:
        for key in ("score", "at_least"):
            value = getattr(figure, key)
            if value is None:
                continue
            if value > highest or (lowest is not None and value < lowest):
                bounds = f"at most {highest}" if lowest is None else f"from {lowest} to {highest}"
                raise ValueError(
                    f"{name}: {key} in [[published.rows]], {METRICS[metric]}, must be {bounds}; "
                    f"got {value!r}"
                )
            if percent and 0 < value <= 1:
                warn_user(
                    f"{name}: {key} = {value!r} in [[published.rows]] is read in "
                    f"percent; if it is a fraction, write {100 * value:g}"
                )
