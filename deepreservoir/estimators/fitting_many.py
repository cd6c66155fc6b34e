"""Fitting many models side by side on one scaffold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from ..checks import is_integer
from ..device_scope import computing_on
from ..inputs import Augmentation
from ..printable import shortened
from ..scaffold import Scaffold
from ..training import train_together
from .base.fitting import DeepEstimator
from .base.on_device import smaller
from .base.prepared_fit import Fit
from .base.self_supervised import SelfSupervised
from .base.unchanged import unchanged_on_failure

#: Parameters that determine the rows, their order and the scaffold, and so must be the same.
SHARED = (
    "scaffold",
    "scaffold_scale",
    "scaffold_seed",
    "storage",
    "dtype",
    "device",
    "precision",
    "batch_size",
    "max_iter",
    "shuffle",
    "early_stopping",
    "validation_fraction",
    "class_weight",
    "augmentation",
    "projection_cache",
    "random_state",
)


def fit_many(models: Iterable[Any], X: Any, y: Any, sample_weight: Any = None) -> list[Any]:
    """Fit several deep estimators on one training set and one scaffold, side by side.

    Each model gets the same bits as from its own ``fit``, in less time: the frozen product of the
    first layer, the rows of a batch and the dropout masks are computed once for all models.

    Parameters
    ----------
    models : iterable of estimator
        Deep estimators of one class. They may differ in what they train and how: rank, adapter,
        scaling, head, learning rate. The parameters that determine rows, order and frozen weights
        must be the same in all, and `random_state` must be an integer.
    X, y, sample_weight : as in fit
        Networks that are trained without y, such as CausalLanguageModel, take no sample_weight.

    Returns
    -------
    list of estimator
        The models, fitted.

    Raises
    ------
    ValueError
        If the models differ in parameters that must be the same, or as in ``fit``.
    TrainingDiverged
        If the loss of any model is not finite; in that case none is fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, fit_many
    >>> X, y = load_digits(return_X_y=True)
    >>> models = [DeepReservoirClassifier(rank=r, max_iter=3, random_state=0) for r in (1, 2)]
    >>> [model.n_trained_params_ for model in fit_many(models, X, y)]
    [1228, 1612]
    """
    chosen = list(models)
    _check(chosen, sample_weight)
    if isinstance(chosen[0], SelfSupervised) and isinstance(X, Iterator):
        X = list(X)  # which every model reads
    with ExitStack() as stack:
        stack.enter_context(computing_on(chosen[0].device, "fit_many", lambda: smaller(chosen[0])))
        for model in chosen:
            stack.enter_context(unchanged_on_failure(model))
        _fit_side_by_side(chosen, X, y, sample_weight)
    return chosen


def _fit_side_by_side(chosen: list[Any], X: Any, y: Any, sample_weight: Any) -> None:
    scaffolds: dict[str, Scaffold] = {}
    fits: list[Fit] = []
    for model in chosen:
        model.check_params()
        fit = model._fit_of(X, y, sample_weight, scaffolds=scaffolds)
        if not fits:
            scaffolds = fit.network.scaffolds
        else:  # the samples are the same: all models share one copy
            _check_reader(fit, fits[0])
            fit = fit._replace(data=fits[0].data, held_out=fits[0].held_out)
        fits.append(fit)
    _check_networks(fits)
    products = chosen[0]._held_out_products(fits[0])
    trainings = [model._training(fit, products) for model, fit in zip(chosen, fits, strict=True)]
    outcomes = train_together(trainings, chosen[0]._training_set(fits[0]))
    for model, fit, outcome in zip(chosen, fits, outcomes, strict=True):
        model._trained(fit, outcome)


def _check(models: list[Any], sample_weight: Any) -> None:
    """Raise if the models cannot be fitted side by side, before any of them is modified."""
    if not models:
        raise ValueError("models must hold at least one deep estimator; got none")
    for model in models:
        if not isinstance(model, DeepEstimator) or not model._one_scaffold:
            raise ValueError(
                "models must be deep estimators on one scaffold, such as DeepReservoirClassifier "
                f"or DeepReservoirRegressor; got a {type(model).__name__}"
            )
        if model.warm_start or model.resample is not None:
            raise ValueError(
                "models that are fitted side by side start afresh, on one scaffold: set "
                "warm_start=False and resample=None"
            )
    kinds = {type(model).__name__ for model in models}
    if len(kinds) > 1:
        raise ValueError(f"models must all be of one class; got {' and '.join(sorted(kinds))}")
    if any(model.optimizer == "lbfgs" for model in models):
        raise ValueError(
            "models that are fitted side by side take their steps together, which "
            "optimizer='lbfgs' cannot: use another optimizer, or fit each model by itself"
        )
    first = models[0]
    if isinstance(first, SelfSupervised) and sample_weight is not None:
        raise ValueError(
            f"sample_weight must be None for a {type(first).__name__}, which weights all of its "
            f"targets alike; got a {type(sample_weight).__name__}. Leave it out"
        )
    for name in SHARED:
        values = [getattr(model, name, None) for model in models]
        for value in values[1:]:
            if not _are_alike(name, value, values[0]):
                raise ValueError(
                    f"models that are fitted side by side must share {name}; "
                    f"got {values[0]!r} and {value!r}"
                )
    if not is_integer(first.random_state):
        raise ValueError(
            "models that are fitted side by side need one random_state, an integer; "
            f"got {first.random_state!r}"
        )


def _are_alike(name: str, value: Any, other: Any) -> bool:
    """Return whether two values of a parameter mean the same."""
    if name == "augmentation":  # names, or the same with their values
        return Augmentation.of(value) == Augmentation.of(other)
    return bool(value == other)


def _check_reader(fit: Fit, first: Fit) -> None:
    """Raise if a model does not read X as the first one does."""
    own, expected = fit.reader.state()[0], first.reader.state()[0]
    for name, value in expected.items():
        if own[name] != value:
            raise ValueError(
                f"models that are fitted side by side must read X alike; got {name} "
                f"{shortened(value)} and {shortened(own[name])}"
            )


def _check_networks(fits: list[Fit]) -> None:
    """Raise if the networks do not read their inputs with the same frozen weights."""
    widths = [fit.network.body.frozen_widths() for fit in fits]
    if any(width != widths[0] for width in widths[1:]):
        raise ValueError(
            "models that are fitted side by side must share their first layer's frozen weights: "
            'its width must be the same, and adapter="full" must be set in all or in none'
        )
