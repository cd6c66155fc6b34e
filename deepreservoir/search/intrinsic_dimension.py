"""The intrinsic dimension of a task: the smallest random subspace in which it can be learned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, cast

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.validation import _num_samples

from ..estimators import DeepEstimator
from ..network import Network
from ..training import Outcome, Subspace, interruptions_raised
from ..user_warnings import warn_user
from .doubling_search import first_passing
from .paired_cv import seeded
from .rank_parameter import RankParameter
from .validation_loss import check_open

_NOT_FOUND = "no subspace dimension was found"


@dataclass(frozen=True)
class SubspaceDimension:
    """The result of :func:`subspace_dimension`.

    Attributes
    ----------
    dimension : int or None
        The smallest subspace dimension that was good enough; None if none was.
    n_parameters : int
        Number of parameters of the fully trained network, the largest possible dimension.
    baseline : float
        Score of the fully trained network on the held-out rows.
    scores : dict of int to float
        Score by dimension, for the dimensions that were tried, in increasing order.

    Examples
    --------
    >>> from deepreservoir.search import SubspaceDimension
    >>> result = SubspaceDimension(64, 1091, 0.98, {32: 0.84, 64: 0.93})
    >>> result.dimension / result.n_parameters < 0.1
    True
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

    All weights of the network change, but only along d random directions:
    ``theta = theta_0 + P z`` with z (d,) trained and P frozen. The intrinsic dimension, d_int90
    for a share of 0.9, is the smallest d whose score on held-out rows is at least that share of
    the fully trained network's (Li et al., sections 2 and 3). Dimensions are doubled until one is
    good enough, then the gap below it is halved repeatedly. Initial values, order of rows and
    protocol are always those of the fully trained network; there is no weight decay in a subspace.

    Parameters
    ----------
    estimator : estimator
        A DeepReservoirClassifier, a DeepReservoirRegressor, or an estimator that contains one,
        such as a Pipeline. Its `rank` is not used; its `adapter` is replaced by ``"full"``.
    X : array-like or sparse matrix, shape (n_samples, n_features)
    y : array-like, shape (n_samples,) or, for numeric targets, (n_samples, n_outputs)
    share : float, default=0.9
        Required share, in (0, 1), of the fully trained network's score, which is accuracy or R^2.
    validation_fraction : float, default=0.2
        Fraction of the rows that is held out, stratified by class for a classifier.
    random_state : int, RandomState instance or None, default=None
        Source of the held-out rows, of the subspaces and of the seed that replaces every
        `random_state` in the estimator.

    Returns
    -------
    SubspaceDimension

    Raises
    ------
    ValueError
        If a parameter is out of range, or the estimator rejects the data.

    Warns
    -----
    UserWarning
        If no subspace is good enough, or the score of the fully trained network is not positive,
        so that a share of it is meaningless.

    Notes
    -----
    Adam's step size is the same in each coordinate of z, however many there are, so a step in theta
    would shrink with d. The learning rate of Adam and AdamW is multiplied by sqrt(D / d), which
    makes a step as long as one of the whole network.

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
    >>> result = subspace_dimension(model, X / 16, y, random_state=0)
    >>> result.n_parameters, result.dimension < 100
    (1091, True)
    """
    parameter = RankParameter.of(estimator)
    check_deep(parameter.unfitted(estimator))
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
    twin = seeded(parameter.twin(estimator), seed)

    def score_of(model: Any) -> float:
        with interruptions_raised():
            model.fit(*rows[0])
        return float(model.score(*rows[1]))

    baseline = score_of(twin)
    holder = parameter.fitted(twin)
    if holder is None:
        raise ValueError(
            f"the subspace dimension needs an estimator that fits one network; "
            f"{type(estimator).__name__} fits several"
        )
    size = int(holder.n_trained_params_)
    if baseline <= 0:
        warn_user(
            f"{_NOT_FOUND}: the fully trained network scores {baseline:.4g}, and a share of that "
            "is meaningless"
        )
        return SubspaceDimension(None, size, baseline, {})
    scores: dict[int, float] = {}

    def passes(index: int) -> bool:
        dimension = index + 1
        scores[dimension] = score_of(_inside(twin, parameter, dimension, size, projection_seed))
        return scores[dimension] >= share * baseline

    first = first_passing(size, passes)
    if first is None:
        warn_user(
            f"{_NOT_FOUND}: no subspace of up to {size} dimensions reaches {share} of the fully "
            f"trained network's score of {baseline:.4g}; train for longer, or take a smaller share"
        )
    dimension = None if first is None else first + 1
    return SubspaceDimension(dimension, size, baseline, dict(sorted(scores.items())))


def check_deep(holder: Any) -> None:
    """Raise a ValueError unless an estimator can be trained in a subspace."""
    if not isinstance(holder, DeepEstimator):
        raise ValueError(
            "the subspace dimension needs a DeepReservoirClassifier or DeepReservoirRegressor, or "
            f"an estimator that contains one; got {type(holder).__name__}"
        )


class _Inside(DeepEstimator):
    """Mixin that makes a deep estimator train in a subspace."""

    _dimension: int
    _projection_seed: int

    def _new_network(self, *args: Any, **kwargs: Any) -> Network:
        network = super()._new_network(*args, **kwargs)
        # A Subspace has the interface that training expects of a network.
        return cast(Network, Subspace(network, self._dimension, self._projection_seed))

    def _keep(self, outcome: Outcome, n_samples: int) -> None:
        network = cast(Subspace, outcome.network).moved()
        super()._keep(replace(outcome, network=network), n_samples)


def _inside(model: Any, parameter: RankParameter, dimension: int, size: int, seed: int) -> Any:
    """Return a clone of a model whose deep estimator trains in a subspace."""
    deep = parameter.unfitted(model)
    params = deep.get_params(deep=False) | {"warm_start": False}
    if params["optimizer"] in ("adam", "adamw"):
        params["learning_rate_init"] *= sqrt(size / dimension)
    # Class attributes, since these survive when the estimator is cloned.
    attributes = {"_dimension": dimension, "_projection_seed": seed}
    kind = type(f"{type(deep).__name__}Inside", (_Inside, type(deep)), attributes)
    return parameter.replaced(model, kind(**params))
