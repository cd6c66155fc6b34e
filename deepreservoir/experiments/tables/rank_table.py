"""The minimum sufficient rank of a data set, as plain results."""

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
from ...moments import moments, scale_of
from ...search import RankSearch
from ...versions import versions
from ..comparisons.protocol import Protocol, protocol_for
from ..comparisons.results import finite, machine, now
from ..comparisons.runner import checked_estimator
from ..threads import suitable_threads

_SEED_BYTES = 8


@dataclass(frozen=True)
class RankRow:
    """The losses of one rank, or of the fully trained network, on held-out rows.

    Attributes
    ----------
    rank : int or None
        None for the fully trained network.
    loss, spread : float
        Mean and standard deviation over folds and seeds.
    difference, low, high : float or None
        Mean difference from the fully trained network's loss, and its confidence interval.
    trained : int
        Number of trained parameters, including the output layer.
    stored_bytes : int
        4 bytes per trained parameter, plus 8 bytes for the seed if there are frozen weights.
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
        The smallest sufficient rank; if there is none, the rank with the smallest loss.
    reached : bool
        Whether `rank` is sufficient.
    rows : tuple of RankRow
        The tested ranks, in ascending order.
    baseline : RankRow
        The fully trained network.
    score : float
        Accuracy, or R^2, at `rank` on the rows that the search did not use.
    held_out : int
        Number of these rows.
    pca_components : int
        Number of principal components that explain 95 % of the variance of the training rows.
    subspace_dimension : int or None
        None if no dimension was sufficient, or if it was not determined.
    with_subspace : bool
        Whether the subspace dimension was determined.
    confidence : float
    seeds, folds : int
    protocol : Protocol
    date : str
        Start of the search, ISO 8601, UTC.
    losses : dict of str to list of list of float
        All losses by rank, or "full": one list per fold, with one loss per seed.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=2)
    >>> digits = load_dataset("digits")
    >>> result = rank_table(digits, eps=1.0, ranks=(4,), seeds=1, folds=2, protocol=quick)
    >>> [row.rank for row in result.rows], result.reached, result.chosen.stored_bytes
    ([4], True, 1972)
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
        """Return the table with the machine and the versions, as a JSON document."""
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
    estimator: str | type | None = None,
    device: str = "cpu",
    verbose: bool = False,
) -> RankTable:
    """Find the minimum sufficient rank of a data set.

    :class:`deepreservoir.RankSearch` searches on the training rows. The loss is the log loss; for
    a regression, it is the mean squared error divided by the variance of the training targets.

    Parameters
    ----------
    data : Dataset
    eps : float, default=0.01
    ranks : sequence of int, optional
        Candidate ranks. By default all valid ranks.
    seeds, folds : int, default=3
    subspace : bool, default=False
        Also determine the random-subspace dimension.
    protocol : Protocol, optional
        Architecture and training parameters. By default the protocol of the data set.
    estimator : str or type, optional
        Class of the networks' estimator: a registered name, ``"package.module:Class"``, or the
        class itself. A perceptron by default.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
    verbose : bool, default=False

    Returns
    -------
    RankTable

    Raises
    ------
    ValueError
        If a parameter is out of range. It is raised before any training.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=2)
    >>> result = rank_table(
    ...     load_dataset("digits"), eps=1.0, ranks=(4,), seeds=1, folds=2, protocol=quick
    ... )
    >>> result.rank, result.reached, result.baseline.trained, result.chosen.trained
    (4, True, 1210, 491)
    """
    perceptron = DeepReservoirRegressor if data.task == "regression" else DeepReservoirClassifier
    named = checked_estimator(estimator, data)
    kind = named or perceptron
    protocol = protocol or protocol_for(data.name, named)
    search = RankSearch(
        kind(**protocol.parameters(kind().get_params()), device=resolve_device(device)),
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
    with warnings.catch_warnings(), suitable_threads(data):
        # The table reports these itself.
        reported = "none of the ranks|no subspace dimension"
        warnings.filterwarnings("ignore", reported, UserWarning)
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
        int(search.pca_components_ or 0),  # None only for sparse rows, which data sets never have
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
    """Return the targets; numeric ones are standardised by the training targets."""
    if data.task == "classification":
        return data.y_train, data.y_test
    mean, deviation = moments(data.y_train)
    scale = scale_of(deviation, mean, len(data.y_train))
    return (data.y_train - mean) / scale, (data.y_test - mean) / scale


def _row(curve: dict[str, np.ndarray], i: int) -> RankRow:
    values: dict[str, Any] = {name: column[i].item() for name, column in curve.items()}
    trained = values.pop("n_trained")
    return RankRow(trained=trained, stored_bytes=4 * trained + _SEED_BYTES, **values)
