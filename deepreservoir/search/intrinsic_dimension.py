"""The intrinsic dimension of a task: in how small a random subspace can it be learned?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, cast

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.validation import _num_samples

from ..estimators import DeepEstimator
from ..network import Network
from ..training import Outcome, Subspace
from ..user_warnings import warn_user
from .doubling_search import first_passing
from .paired_cv import check_not_interrupted, seeded
from .rank_parameter import RankParameter
from .validation_loss import check_open

_NOT_FOUND = "no subspace dimension was found"


@dataclass(frozen=True)
class SubspaceDimension:
    """What :func:`subspace_dimension` found.

    Attributes
    ----------
    dimension : int or None
        The smallest subspace that was good enough; None if none was.
    n_parameters : int
        Numbers of the fully trained network, the largest subspace there is.
    baseline : float
        Score of the fully trained network on the held-out rows.
    scores : dict of int to float
        Score by dimension, for those that were tried, in order.
    """

    dimension: int | None
    n_parameters: int
    baseline: float
    scores: dict[int, float]


def subspace_dimension(
    estimator: Any,
    X: Any,
    y: Any,
    share: float = 0.9,
    *,
    validation_fraction: float = 0.2,
    random_state: Any = None,
) -> SubspaceDimension:
    """Find the smallest random subspace in which a network learns a task nearly as well.

    All weights of the network move, but along d random directions only:
    ``theta = theta_0 + P z`` with z (d,) trained and P frozen. The intrinsic dimension, d_int90
    for a share of 0.9, is the smallest d whose score on held-out rows is at least that share of
    the fully trained network's (Li et al., sections 2 and 3). Dimensions are doubled until one is
    good enough, then the gap below it is halved. Start, order of rows and protocol are those of
    the fully trained network throughout; weights do not decay in a subspace.

    Parameters
    ----------
    estimator : estimator
        A DeepReservoirClassifier, a DeepReservoirRegressor, or what holds one, such as a
        Pipeline. Its `rank` plays no part; its `adapter` is taken for ``"full"``.
    X : array-like or sparse matrix, shape (n_samples, n_features)
    y : array-like, shape (n_samples,) or, for numbers, (n_samples, n_outputs)
    share : float, default=0.9
        In (0, 1): of the fully trained network's score, accuracy or R^2.
    validation_fraction : float, default=0.2
        Share of the rows that is held out, by class for a classifier.
    random_state : int, RandomState instance or None, default=None
        Source of the rows held out, of the subspaces and of the seed that takes the place of
        every `random_state` in the estimator.

    Returns
    -------
    SubspaceDimension

    Raises
    ------
    ValueError
        For a parameter out of range, or data that the estimator refuses.

    Warns
    -----
    UserWarning
        If no subspace is good enough, or the fully trained network is no better than nothing,
        so that a share of its score says nothing.

    Notes
    -----
    A step of Adam is as long in each coordinate of z, however many there are, so a step in theta
    would shrink with d. The learning rate of Adam and AdamW is multiplied by sqrt(D / d), which
    makes it as long as a step of the whole network.

    References
    ----------
    Li, Farkhoor, Liu and Yosinski, Measuring the Intrinsic Dimension of Objective Landscapes,
    ICLR 2018 (arXiv 1804.08838).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, subspace_dimension
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> model = DeepReservoirClassifier((16,), max_iter=10, learning_rate_init=0.02)
    >>> found = subspace_dimension(model, X / 16, y, random_state=0)
    >>> found.n_parameters, found.dimension < 100
    (1091, True)
    """
    where = RankParameter.of(estimator)
    check_deep(where.unfitted(estimator))
    check_open("share", share, 1.0)
    check_open("validation_fraction", validation_fraction, 1.0)
    X, y = indexable(X, y)
    random = check_random_state(random_state)
    splitting, seed, projection_seed = (int(s) for s in random.randint(2**31 - 1, size=3))
    train, test = train_test_split(
        np.arange(_num_samples(X)),
        test_size=validation_fraction,
        random_state=splitting,
        stratify=y if is_classifier(estimator) else None,
    )
    rows = [(_safe_indexing(X, side), _safe_indexing(y, side)) for side in (train, test)]
    twin = seeded(where.twin(estimator), seed)

    def score_of(model: Any) -> float:
        model.fit(*rows[0])
        check_not_interrupted(where.fitted(model))
        return float(model.score(*rows[1]))

    baseline = score_of(twin)
    size = int(where.fitted(twin).n_trained_params_)
    if baseline <= 0:
        warn_user(
            f"{_NOT_FOUND}: the fully trained network scores {baseline:.4g}, and a share of that "
            "says nothing"
        )
        return SubspaceDimension(None, size, baseline, {})
    scores: dict[int, float] = {}

    def passes(index: int) -> bool:
        dimension = index + 1
        scores[dimension] = score_of(_inside(twin, where, dimension, size, projection_seed))
        return scores[dimension] >= share * baseline

    found = first_passing(size, passes)
    if found is None:
        warn_user(
            f"{_NOT_FOUND}: no subspace of up to {size} dimensions reaches {share} of the fully "
            f"trained network's score of {baseline:.4g}; train for longer, or take a smaller share"
        )
    dimension = None if found is None else found + 1
    return SubspaceDimension(dimension, size, baseline, dict(sorted(scores.items())))


def check_deep(holder: Any) -> None:
    """Raise a ValueError unless an estimator can be trained in a subspace."""
    if not isinstance(holder, DeepEstimator):
        raise ValueError(
            "a subspace dimension is that of a DeepReservoirClassifier or DeepReservoirRegressor, "
            f"or of what holds one; got {type(holder).__name__}"
        )


class _Inside(DeepEstimator):
    """What makes a deep estimator train in a subspace."""

    _dimension: int
    _projection_seed: int

    def _new_network(self, *given: Any, **named: Any) -> Network:
        network = super()._new_network(*given, **named)
        # A Subspace has what training asks of a network.
        return cast(Network, Subspace(network, self._dimension, self._projection_seed))

    def _keep(self, outcome: Outcome) -> None:
        super()._keep(replace(outcome, network=cast(Subspace, outcome.network).moved()))


def _inside(model: Any, where: RankParameter, dimension: int, size: int, seed: int) -> Any:
    """Return a clone of a model whose deep estimator trains in a subspace."""
    deep = where.unfitted(model)
    params = deep.get_params(deep=False) | {"warm_start": False}
    if params["optimizer"] in ("adam", "adamw"):
        params["learning_rate_init"] *= sqrt(size / dimension)
    # A class, and not a parameter: what clones the estimator keeps it.
    own = {"_dimension": dimension, "_projection_seed": seed}
    kind = type(f"{type(deep).__name__}Inside", (_Inside, type(deep)), own)
    inside = kind(**params)
    return clone(model).set_params(**{where.holder: inside}) if where.holder else inside
