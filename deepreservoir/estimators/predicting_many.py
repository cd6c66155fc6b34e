"""Predicting with many models on one scaffold, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import Array, present_device, to_device, to_host
from ..device_scope import computing_on
from ..inputs import CHUNK_ROWS, Inputs
from ..network import Network
from ..passes import outputs_side_by_side
from ..printable import shortened
from .base.fitting import DeepEstimator
from .base.multilabel_targets import Indicators
from .base.targets import Numbers, Targets

# Size of the samples that are predicted together on the host, in the type of the network, and their
# least number. Larger arrays would be returned to the operating system after each layer and
# fetched again for the next, which takes a third of the time.
_CHUNK_BYTES, _LEAST_CHUNK_ROWS = 640 << 10, 64


def predict_many(models: Mapping[Any, Any], X: Any, names: Any) -> np.ndarray:
    """Predict each row with the model named for it, where all models share one scaffold.

    The products with the frozen weights, which are most of the work, are computed once for all
    rows; each model adds its adapter for its own rows.

    Parameters
    ----------
    models : mapping of name to estimator
        Fitted deep estimators, all classifiers or all regressors, on the same frozen weights, such
        as those from :func:`deepreservoir.attach`.
    X : array-like or CSR matrix, shape (n_samples, n_features)
    names : array-like, shape (n_samples,)
        The model of each row: a key of `models`.

    Returns
    -------
    ndarray, shape (n_samples,) or (n_samples, n_outputs)
        The prediction for each row, as from the ``predict`` of its model.

    Raises
    ------
    ValueError
        If a name is unknown, or the models do not share one scaffold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, predict_many
    >>> X, y = load_digits(return_X_y=True)
    >>> def fitted(labels):
    ...     model = DeepReservoirClassifier(max_iter=3, scaffold_seed=7, random_state=0)
    ...     return model.fit(X, labels)
    >>> models = {"digit": fitted(y), "half": fitted(y // 5)}
    >>> predict_many(models, X[:4], ["digit", "half", "half", "digit"]).shape
    (4,)
    """
    if not models:
        raise ValueError("models must hold at least one fitted estimator; got none")
    device = getattr(next(iter(models.values())), "device", "cpu")
    with computing_on(device, "predict_many"):
        return _predictions(models, X, names)


def _predictions(models: Mapping[Any, Any], X: Any, names: Any) -> np.ndarray:
    networks = _networks(models)
    first_key, model = _with_names(models)
    form, arrays = model._reader.state()
    for key, other in models.items():
        other_form, other_arrays = other._reader.state()
        if other_form != form:
            differing = "; ".join(
                f"{name} is {shortened(form[name])} and {shortened(value)}"
                for name, value in other_form.items()
                if value != form[name]
            )
            raise ValueError(
                f"models must read the same X; for {first_key!r} and {key!r}, {differing}. Predict "
                "with each model by itself"
            )
        if not _same_arrays(other_arrays, arrays):
            raise ValueError(
                f"models must read X alike; {first_key!r} and {key!r} have learned different "
                "statistics of X, such as a scaling. Predict with each model by itself"
            )
        shapes = _shape_for_row(model._targets), _shape_for_row(other._targets)
        if shapes[0] != shapes[1]:
            raise ValueError(
                "models must predict values of the same shape for each row; the shapes are "
                f"{shapes[0]} for {first_key!r} and {shapes[1]} for {key!r}"
            )
    inputs, given = model._inputs_and_dtype(X)
    keys = list(names)
    if len(keys) != len(inputs):
        raise ValueError(f"names must name a model for each of {len(inputs)} rows; got {len(keys)}")
    rows_of: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        if not _is_key(key, models):
            known = ", ".join(map(repr, list(models)[:10]))
            raise ValueError(f"names[{i}] is {key!r}; the models are {known}")
        rows_of.setdefault(key, []).append(i)
    order: list[np.ndarray] = []
    predictions: list[np.ndarray] = []
    views = {key: other._views(inputs) for key, other in models.items()}
    for chunk in _chunks(rows_of, _rows_at_once(model.network_)):
        outputs = _averaged_outputs(networks, views, chunk)
        for (key, rows), out in zip(chunk, outputs, strict=True):
            predictions.append(models[key]._predictions_for(given, out))
            order.append(rows)
    if len({values.dtype.kind for values in predictions}) > 1:  # both strings and numbers as labels
        predictions = [values.astype(object) for values in predictions]
    return np.concatenate(predictions)[np.argsort(np.concatenate(order))]


def _is_key(name: Any, models: Mapping[Any, Any]) -> bool:
    try:
        return name in models
    except TypeError:  # such as a list
        return False


def _with_names(models: Mapping[Any, Any]) -> tuple[Any, Any]:
    """Return a model that knows the names of the features, if one does, and its key.

    Raises
    ------
    ValueError
        If two models know different names, or the same in another order.
    """
    named = {k: m for k, m in models.items() if getattr(m, "feature_names_in_", None) is not None}
    key, model = next(iter((named or models).items()))
    for other_key, other in named.items():
        if not np.array_equal(other.feature_names_in_, model.feature_names_in_):
            raise ValueError(
                "models must read the same features, in the same order; those of "
                f"{key!r} and {other_key!r} are {_shortened(model)} and {_shortened(other)}"
            )
    return key, model


def _shortened(model: Any) -> str:
    names = list(map(str, model.feature_names_in_))
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _shape_for_row(targets: Targets) -> tuple[int, ...]:
    """Return the shape of the prediction for one row: () for one label or number."""
    several = isinstance(targets, Indicators) or (isinstance(targets, Numbers) and targets.ndim > 1)
    return (targets.n_outputs,) if several else ()


def _same_arrays(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def _averaged_outputs(
    networks: Mapping[Any, Network],
    views: Mapping[Any, Sequence[Inputs]],
    chunk: list[tuple[Any, np.ndarray]],
) -> list[np.ndarray]:
    """Return the outputs of each model in a chunk for its rows, averaged over its views of them."""
    first = views[chunk[0][0]][0]  # alike for all models, as their readers are
    sums = [_in_float64(outputs) for outputs in _outputs(networks, first, chunk)]
    for number in range(1, max(len(views[key]) for key, _ in chunk)):
        which = [i for i, (key, _) in enumerate(chunk) if len(views[key]) > number]
        inputs = views[chunk[which[0]][0]][number]
        found = _outputs(networks, inputs, [chunk[i] for i in which])
        for i, outputs in zip(which, found, strict=True):
            sums[i] = sums[i] + _in_float64(outputs)
    n_views = [len(views[key]) for key, _ in chunk]
    return [total if n == 1 else total / n for total, n in zip(sums, n_views, strict=True)]


def _in_float64(outputs: Array) -> np.ndarray:
    return to_host(outputs).astype(np.float64, copy=False)


def _outputs(
    networks: Mapping[Any, Network], inputs: Inputs, chunk: list[tuple[Any, np.ndarray]]
) -> list[Array]:
    """Return the outputs of each model in a chunk for its rows."""
    if inputs.side_names:  # a batch with side arrays cannot be split between models
        return [networks[key].outputs(inputs.subset(rows)) for key, rows in chunk]
    index = np.concatenate([rows for _, rows in chunk])
    bounds = np.cumsum([0, *(len(rows) for _, rows in chunk)])
    parts = [slice(*pair) for pair in pairwise(bounds)]
    if inputs.takes_device_index:
        index = to_device(index, inputs.device)
    return outputs_side_by_side([networks[key] for key, _ in chunk], inputs.take(index).x, parts)


def _rows_at_once(network: Network) -> int:
    """Return the largest number of rows in a chunk."""
    if network.device != "cpu":
        return CHUNK_ROWS
    fitting = max(_LEAST_CHUNK_ROWS, _CHUNK_BYTES // network.config.sample_bytes)
    return min(CHUNK_ROWS, fitting)


def _chunks(rows_of: dict[Any, list[int]], most: int) -> list[list[tuple[Any, np.ndarray]]]:
    """Return (model, its rows) in chunks of at most so many rows."""
    chunks: list[list[tuple[Any, np.ndarray]]] = [[]]
    room = most
    for key, rows in rows_of.items():
        for start in range(0, len(rows), most):
            part = np.array(rows[start : start + most])
            if room < len(part):
                chunks.append([])
                room = most
            chunks[-1].append((key, part))
            room -= len(part)
    return [chunk for chunk in chunks if chunk]


def _networks(models: Mapping[Any, Any]) -> dict[Any, Network]:
    """Return the models' networks, after checking that they share one scaffold."""
    networks: dict[Any, Network] = {}
    kinds = set()
    for key, model in models.items():
        predicts = isinstance(model, DeepEstimator) and hasattr(model, "_predictions_for")
        if not predicts or not model._one_scaffold:
            raise ValueError(
                "models must be deep estimators on one scaffold, such as DeepReservoirClassifier "
                f"or DeepReservoirRegressor; {key!r} is a {type(model).__name__}. For a pipeline, "
                "pass its last step, and transform the rows beforehand"
            )
        if not hasattr(model, "network_"):  # scikit-learn's check takes longer than a row
            check_is_fitted(model, "network_")
        model._move(present_device(model.device))  # all models must be where the inputs are
        networks[key] = model.network_
        kinds.add(type(model).__name__)
    if len(kinds) > 1:
        raise ValueError(f"models must all be of one class; got {' and '.join(sorted(kinds))}")
    dtypes = {np.dtype(model._prediction_dtype()) for model in models.values()}
    if len(dtypes) > 1:
        names = " and ".join(sorted(dtype.name for dtype in dtypes))
        raise ValueError(
            f"models must compute predictions in one type; got {names}. Set predict_dtype to the "
            "same value in all of them"
        )
    first_key, first = next(iter(networks.items()))
    for key, network in networks.items():
        if not _same_scaffold(network, first):
            raise ValueError(
                f"models must share the frozen weights of their hidden layers; those of {key!r} "
                f"differ from those of {first_key!r}. Load them with attach, or fit them with the "
                "same scaffold_seed, scaffold and hidden_layer_sizes"
            )
    return networks


def _same_scaffold(a: Network, b: Network) -> bool:
    if (a.device, a.dtype) != (b.device, b.dtype):
        return False
    of_a, of_b = a.hidden_scaffolds, b.hidden_scaffolds
    if of_a.keys() != of_b.keys():
        return False
    return all(
        one is other or one.spec == other.spec
        for one, other in zip(of_a.values(), of_b.values(), strict=True)
    )
