"""The scores of the arms of a sweep or a comparison, and how they are written in sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..experiments.comparisons.report import label
from ..experiments.comparisons.results import METRICS, Comparison
from .summary import Row

# Short names of arms.
_SHORT = {
    "adapter": "adapter",
    "full": "fully trained",
    "equal_bytes": "dense, same bytes",
    "no_scaffold": "no scaffold",
    "scaffold_removed": "scaffold removed",
    "random_features": "random features",
    "echo_state": "echo state",
    "fingerprints": "fingerprints",
}


class Scores(ABC):
    """Scores by arm and grid point."""

    @property
    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """All arms at all grid points, with or without a score."""

    @property
    @abstractmethod
    def task(self) -> str:
        """The task of the data set: classification, regression, language or control."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """What the scores are: a key of METRICS."""

    @property
    @abstractmethod
    def n_seeds(self) -> int:
        """The number of seeds of each grid point."""

    @property
    def classes(self) -> bool:
        """Whether scores are in percent; otherwise as they are: R^2, minus nats or errors."""
        return self.task == "classification"

    @property
    def score_name(self) -> str:
        """The name of the score, at the start of a title."""
        name = METRICS[self.metric].removesuffix(" %")
        return name[0].upper() + name[1:]

    @property
    def score_unit(self) -> str:
        """The name and unit of the score, for an axis or a column."""
        return METRICS[self.metric].replace(" %", ",\N{NO-BREAK SPACE}%")

    @property
    def unit(self) -> str:
        """The unit of the score."""
        return "%" if self.classes else METRICS[self.metric]

    def scored(self, arm: str) -> list[Row]:
        """Return the rows of an arm that have a score."""
        return [row for row in self.rows if row.arm == arm and row.mean is not None]

    def name(self, arm: str) -> str:
        """Return the name of an arm."""
        return _SHORT.get(arm) or label(arm, self.task)

    def number(self, score: float, sign: str = "") -> str:
        """Return a score, or a difference of scores, as text."""
        return f"{score:{sign}.{2 if self.classes else 4}f}".replace("-", "\N{MINUS SIGN}")

    def score(self, score: float) -> str:
        """Return a score as part of a sentence."""
        return (
            f"{self.number(score)}\N{NO-BREAK SPACE}%"
            if self.classes
            else f"{self.unit}\N{NO-BREAK SPACE}{self.number(score)}"
        )

    def points(self, difference: float) -> str:
        """Return a difference of scores as part of a sentence."""
        return f"{self.number(difference)} points" if self.classes else self.number(difference)


class ComparisonScores(Scores):
    """The scores of a comparison; its grid has the rank alone.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        self._task, self._n_seeds = comparison.task, len(comparison.seeds)
        self._metric = comparison.metric
        unit = 100 if comparison.task == "classification" else 1
        self._rows = [
            Row(
                row.arm,
                () if row.rank is None else (("rank", row.rank),),
                row.runs,
                unit * row.mean,
                unit * row.spread,
                row.trained,
                row.stored_bytes,
                row.seconds,
                0,
                (),
            )
            for row in comparison.summary()
        ]

    @property
    def rows(self) -> Sequence[Row]:
        """All arms at all ranks."""
        return self._rows

    @property
    def task(self) -> str:
        """The task of the data set."""
        return self._task

    @property
    def metric(self) -> str:
        """What the scores are."""
        return self._metric

    @property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return self._n_seeds


def value(row: Row, name: str) -> Any:
    """Return a row's value of a grid parameter, or None if it has none."""
    return dict(row.at).get(name)
