"""Many models on one scaffold, serving rows side by side."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from ..backend import to_host
from ..inputs.table import CHUNK_ROWS, Rows
from ..network import Network, outputs_side_by_side
from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor


def predict_many(models: Mapping[Any, Any], X: Any, names: Any) -> np.ndarray:
    """Predict rows that each name their model, all models standing on one scaffold.

    The products with the frozen weights, which are most of the work, are made once for all rows;
    each model adds its adapter to its own.

    Parameters
    ----------
    models : mapping of name to estimator
        Fitted deep estimators, all classifiers or all regressors, on the same frozen weights:
        those of :func:`deepreservoir.attach`, say.
    X : array-like or CSR matrix, shape (n_samples, n_features)
    names : array-like, shape (n_samples,)
        Whose row each is: keys of `models`.

    Returns
    -------
    ndarray, shape (n_samples,) or (n_samples, n_outputs)
        What the ``predict`` of each row's model returns for it.

    Raises
    ------
    ValueError
        If a name is unknown, or the models do not stand on one scaffold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, predict_many
    >>> X, y = load_digits(return_X_y=True)
    >>> def fitted(wanted, scaffold_seed=7):
    ...     model = DeepReservoirClassifier(max_iter=3, scaffold_seed=7, random_state=0)
    ...     return model.fit(X, wanted)
    >>> models = {"digit": fitted(y), "half": fitted(y // 5)}
    >>> predict_many(models, X[:4], ["digit", "half", "half", "digit"]).shape
    (4,)
    """
    if not models:
        raise ValueError("models must hold at least one fitted estimator; got none")
    networks = _networks(models)
    network = next(iter(networks.values()))
    n_features = network.config.n_features
    X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C")
    if X.shape[1] != n_features:
        raise ValueError(f"X must have {n_features} features, as the models; got {X.shape[1]}")
    keys = list(names)
    if len(keys) != X.shape[0]:
        raise ValueError(f"names must name a model for each of {X.shape[0]} rows; got {len(keys)}")
    rows_of: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        if key not in models:
            known = ", ".join(map(repr, list(models)[:10]))
            raise ValueError(f"names[{i}] is {key!r}; the models are {known}")
        rows_of.setdefault(key, []).append(i)
    # As predict of one model: float64 on the host.
    dtype = np.dtype(np.float64) if network.device == "cpu" else network.dtype
    rows = Rows(X, dtype, network.device)
    order: list[np.ndarray] = []
    found: list[np.ndarray] = []
    for chunk in _chunks(rows_of):
        index = np.concatenate([which for _, which in chunk])
        bounds = np.cumsum([0, *(len(which) for _, which in chunk)])
        parts = [slice(*pair) for pair in pairwise(bounds)]
        outputs = outputs_side_by_side([networks[key] for key, _ in chunk], rows.take(index), parts)
        for (key, which), out in zip(chunk, outputs, strict=True):
            found.append(models[key]._predictions(to_host(out).astype(np.float64, copy=False)))
            order.append(which)
    if len({values.dtype.kind for values in found}) > 1:  # labels of words beside numbers
        found = [values.astype(object) for values in found]
    return np.concatenate(found)[np.argsort(np.concatenate(order))]


def _chunks(rows_of: dict[Any, list[int]]) -> list[list[tuple[Any, np.ndarray]]]:
    """Return (model, its rows) in chunks of about as many rows as a prediction takes at a time."""
    chunks: list[list[tuple[Any, np.ndarray]]] = [[]]
    room = CHUNK_ROWS
    for key, rows in rows_of.items():
        for start in range(0, len(rows), CHUNK_ROWS):
            which = np.array(rows[start : start + CHUNK_ROWS])
            if room < len(which):
                chunks.append([])
                room = CHUNK_ROWS
            chunks[-1].append((key, which))
            room -= len(which)
    return [chunk for chunk in chunks if chunk]


def _networks(models: Mapping[Any, Any]) -> dict[Any, Network]:
    """Return the models' networks, checked to stand on one scaffold."""
    networks: dict[Any, Network] = {}
    kinds = set()
    for key, model in models.items():
        if not isinstance(model, DeepReservoirClassifier | DeepReservoirRegressor):
            raise ValueError(
                "models must be DeepReservoirClassifier or DeepReservoirRegressor, which stand on "
                f"one scaffold; {key!r} is a {type(model).__name__}. Of a pipeline, take the "
                "last step, and scale the rows before"
            )
        check_is_fitted(model, "network_")
        networks[key] = model.network_
        kinds.add(type(model).__name__)
    if len(kinds) > 1:
        raise ValueError(f"models must be all of one kind; got {' and '.join(sorted(kinds))}")
    first_key, first = next(iter(networks.items()))
    for key, network in networks.items():
        if network.kinds != first.kinds or not _same_scaffold(network, first):
            raise ValueError(
                f"models must share their hidden layers' frozen weights; those of {key!r} are "
                f"not those of {first_key!r}. Load them with attach, or fit them with one "
                "scaffold_seed, scaffold and hidden_layer_sizes"
            )
    return networks


def _same_scaffold(a: Network, b: Network) -> bool:
    if (a.device, a.dtype, a.config.activation) != (b.device, b.dtype, b.config.activation):
        return False
    if a.hidden_scaffolds.keys() != b.hidden_scaffolds.keys():
        return False
    return all(
        one is other or one.spec == other.spec
        for one, other in zip(a.hidden_scaffolds.values(), b.hidden_scaffolds.values(), strict=True)
    )
