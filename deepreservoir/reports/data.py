"""The data of a report: a folder's records, read once, and their summary."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..sweeps.runs import Run, runs_of
from ..sweeps.store import Folder
from .scores import Scores, value
from .summary import Beside, Row, beside, summary


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
class Gathered(Scores):
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
    def task(self) -> str:
        """The task of the data set."""
        return self.folder.task

    @property
    def n_seeds(self) -> int:
        """The number of seeds of each grid point."""
        return len(self.folder.sweep.seeds)

    @property
    def metric(self) -> str:
        """What the scores are."""
        return self.folder.metric

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
