"""The data of a report: a folder's records, read once, and their summary."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..experiments.comparisons.report import label
from ..sweeps.runs import Run, runs_of
from ..sweeps.store import Folder
from .summary import Beside, Row, beside, summary

# Short names of arms.
_SHORT = {
    "adapter": "adapter",
    "full": "fully trained",
    "equal_bytes": "dense, same bytes",
    "no_scaffold": "no scaffold",
    "scaffold_removed": "scaffold removed",
    "random_features": "random features",
    "echo_state": "echo state",
}


class Snapshot(Folder):
    """A folder whose records are read once, so that all parts of a page show the same records.

    Parameters
    ----------
    path : str or path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._records = super().records()

    def records(self) -> list[dict[str, Any]]:
        """Return the records, as they were when the folder was opened."""
        return self._records


@dataclass(frozen=True)
class Gathered:
    """A sweep and its results, in the form that the parts of a report use.

    Attributes
    ----------
    folder : Folder
    """

    folder: Folder

    @cached_property
    def rows(self) -> list[Row]:
        """The summary of all runs: scored, failed or left out."""
        return summary(self.folder)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The records, one per run."""
        return self.folder.records()

    @cached_property
    def beside(self) -> list[Beside]:
        """The published figures, compared with our results."""
        return beside(self.folder)

    @cached_property
    def runs(self) -> list[Run]:
        """The runs that the sweep declares."""
        return runs_of(self.folder.sweep)

    @property
    def classes(self) -> bool:
        """Whether scores are accuracies in percent; otherwise they are R^2."""
        return self.folder.task == "classification"

    @property
    def score_name(self) -> str:
        """The name of the score, at the start of a title."""
        return "Accuracy" if self.classes else "R²"

    @property
    def score_unit(self) -> str:
        """The name and unit of the score, for an axis or a column."""
        return "accuracy,\N{NO-BREAK SPACE}%" if self.classes else "R²"

    @property
    def unit(self) -> str:
        """The unit of the score."""
        return "%" if self.classes else "R²"

    def scored(self, arm: str) -> list[Row]:
        """Return the rows of an arm that have a score."""
        return [row for row in self.rows if row.arm == arm and row.mean is not None]

    def trained_adapters(self) -> list[dict[str, Any]]:
        """Return the records of trained adapters."""
        return [r for r in self.records if r["arm"] == "adapter" and "score" in r]

    @property
    def others(self) -> list[str]:
        """The parameters of the grid, other than the rank, that have more than one value."""
        return [n for n, values in self.folder.sweep.grid if n != "rank" and len(values) > 1]

    def combinations(self, rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
        """Group rows by their values of :attr:`others`, in the order of the grid."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(value(row, name) for name in self.others), []).append(row)
        return groups

    def name(self, arm: str) -> str:
        """Return the name of an arm."""
        return _SHORT.get(arm) or label(arm, self.folder.task)

    def number(self, score: float, sign: str = "") -> str:
        """Return a score, or a difference of scores, as text."""
        return f"{score:{sign}.{2 if self.classes else 4}f}".replace("-", "\N{MINUS SIGN}")

    def score(self, score: float) -> str:
        """Return a score as part of a sentence."""
        return (
            f"{self.number(score)}\N{NO-BREAK SPACE}%"
            if self.classes
            else f"R²\N{NO-BREAK SPACE}{self.number(score)}"
        )

    def points(self, difference: float) -> str:
        """Return a difference of scores as part of a sentence."""
        return f"{self.number(difference)} points" if self.classes else self.number(difference)


def value(row: Row, name: str) -> Any:
    """Return a row's value of a grid parameter, or None if it has none."""
    return dict(row.at).get(name)
