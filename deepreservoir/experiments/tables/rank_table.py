"""How many trained numbers a data set needs: the minimum sufficient rank, as plain results."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...backend import resolve_device
from ...datasets import Dataset
from ...estimators import DeepReservoirClassifier, DeepReservoirRegressor
from ...search import RankSearch
from ..comparisons.protocol import Protocol, protocol_for
from ..comparisons.results import finite, machine, now, versions

_SEED_BYTES = 8


@dataclass(frozen=True)
class RankRow:
    """One rank, or the fully trained network: losses are on held-out rows.

    Attributes
    ----------
    rank : int or None
        None for the fully trained network.
    loss, spread : float
        Mean and standard deviation over folds and seeds.
    difference, low, high : float or None
        Mean difference to the fully trained network's loss, and its confidence interval.
    trained : int
        Trained numbers, the output layer among them.
    stored_bytes : int
        4 bytes a trained number, and 8 of seed where weights follow from one.
    """

    rank: int | None
    loss: float
    spread: float
    difference: float | None
    low: float | None
    high: float | None
    trained: int
    stored_bytes: int


@dataclass(frozen=True)
class RankTable:
    """The minimum sufficient rank of a data set.

    Attributes
    ----------
    dataset : str
    task : {"classification", "regression"}
    eps : float
    rank : int
        The smallest that is good enough; if none is, the one of the smallest loss.
    reached : bool
        Whether it is good enough.
    rows : tuple of RankRow
        The ranks that were tried, in order.
    baseline : RankRow
        The fully trained network.
    score : float
        Accuracy, or R^2, at `rank` on the rows of the data set that no search saw.
    held_out : int
        Number of these rows.
    pca_components : int
        Principal components that hold 95 % of the variance of the rows searched on.
    subspace_dimension : int or None
    with_subspace : bool
        Whether it was asked for.
    confidence : float
    seeds, folds : int
    protocol : Protocol
    date : str
        When the search began, ISO 8601, UTC.
    losses : dict of str to list of list of float
        Every single loss by rank, or "full": a list a fold, a loss a seed.
    """

    dataset: str
    task: str
    eps: float
    rank: int
    reached: bool
    rows: tuple[RankRow, ...]
    baseline: RankRow
    score: float
    held_out: int
    pca_components: int
    subspace_dimension: int | None
    with_subspace: bool
    confidence: float
    seeds: int
    folds: int
    protocol: Protocol
    date: str
    losses: dict[str, list[list[float]]]

    @property
    def chosen(self) -> RankRow:
        """The row of `rank`."""
        return next(row for row in self.rows if row.rank == self.rank)

    def to_json(self) -> str:
        """Return all of it with machine and versions, as a JSON document."""
        document = asdict(self) | {"machine": machine(), "versions": versions()}
        return json.dumps(finite(document), indent=1, allow_nan=False) + "\n"


def rank_table(
    data: Dataset,
    eps: float = 0.01,
    ranks: Sequence[int] | None = None,
    *,
    seeds: int = 3,
    folds: int = 3,
    subspace: bool = False,
    protocol: Protocol | None = None,
    device: str = "cpu",
    verbose: bool = False,
) -> RankTable:
    """Find the minimum sufficient rank of a data set.

    The search is :class:`deepreservoir.RankSearch` on the training rows; the loss is log loss, or
    for a regression the mean squared error in units of the target's variance over these rows.

    Parameters
    ----------
    data : Dataset
    eps : float, default=0.01
    ranks : sequence of int, optional
        All that fit unless given.
    seeds, folds : int, default=3
    subspace : bool, default=False
        Find the random-subspace dimension too.
    protocol : Protocol, optional
        How networks are shaped and trained; that of the data set unless given.
    device : {"cpu", "cuda", "auto"}, default="cpu"
    verbose : bool, default=False

    Returns
    -------
    RankTable

    Raises
    ------
    ValueError
        For a parameter out of range, before any training.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=2)
    >>> found = rank_table(
    ...     load_dataset("digits"), eps=1.0, ranks=(4,), seeds=1, folds=2, protocol=quick
    ... )
    >>> found.rank, found.reached, found.baseline.trained, found.chosen.trained
    (4, True, 1210, 491)
    """
    protocol = protocol or protocol_for(data.name)
    kinds: dict[str, Any] = {
        "classification": DeepReservoirClassifier,
        "regression": DeepReservoirRegressor,
    }
    search = RankSearch(
        kinds[data.task](**protocol.parameters(), device=resolve_device(device)),
        eps,
        ranks=ranks,
        cv=folds,
        n_seeds=seeds,
        random_state=0,
        subspace=subspace,
        verbose=verbose,
    )
    date = now()
    y_train, y_test = _targets(data)
    with warnings.catch_warnings():
        # What the first two say, the table says; after the third there is none.
        told = "none of the ranks|no subspace dimension|training was interrupted"
        warnings.filterwarnings("ignore", told, UserWarning)
        search.fit(data.X_train, y_train)
    full, trained = search.baseline_, search.baseline_["n_trained"]
    baseline = RankRow(
        None, full["loss"], full["spread"], None, None, None, trained, 4 * trained
    )  # fmt: skip
    return RankTable(
        data.name,
        data.task,
        float(eps),
        search.rank_,
        search.reached_,
        tuple(_row(search.curve_, i) for i in range(len(search.curve_["rank"]))),
        baseline,
        search.score(data.X_test, y_test),
        len(y_test),
        int(search.pca_components_ or 0),  # the rows of a data set are dense: it is a number
        search.subspace_dimension_ if subspace else None,
        subspace,
        search.confidence,
        seeds,
        folds,
        protocol,
        date,
        {str(rank): losses.tolist() for rank, losses in search.losses_.items()},
    )


def _targets(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return targets, numbers in standard deviations of those trained on."""
    if data.task == "classification":
        return data.y_train, data.y_test
    mean, spread = data.y_train.mean(), data.y_train.std() or 1.0
    return (data.y_train - mean) / spread, (data.y_test - mean) / spread


def _row(curve: dict[str, np.ndarray], i: int) -> RankRow:
    values: dict[str, Any] = {name: column[i].item() for name, column in curve.items()}
    trained = values.pop("n_trained")
    return RankRow(trained=trained, stored_bytes=4 * trained + _SEED_BYTES, **values)
