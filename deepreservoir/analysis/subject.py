"""Find the network inside a model."""

from __future__ import annotations

from typing import Any

from ..network import Network


def estimator_of(model: Any) -> Any:
    """Return the last step of a pipeline, or any other model unchanged."""
    steps = getattr(model, "steps", None)
    return steps[-1][1] if isinstance(steps, list) and steps else model


def network_of(model: Any) -> Network:
    """Return the network of a model.

    Parameters
    ----------
    model : Network, fitted deep estimator, or pipeline that ends in one

    Returns
    -------
    Network
        The network itself, not a copy.

    Raises
    ------
    TypeError
        If the model has no network, because it is not fitted or not a deep estimator.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> network = Network(MLPConfig(n_features=4, n_outputs=3), seed=0)
    >>> network_of(network) is network
    True
    """
    if isinstance(model, Network):
        return model
    estimator = estimator_of(model)
    network = getattr(estimator, "network_", None)
    if isinstance(network, Network):
        return network
    where = "" if estimator is model else f" at the end of a {type(model).__name__}"
    raise TypeError(
        "expected a Network, a fitted deep estimator, or a pipeline that ends in one; got "
        f"{type(estimator).__name__}{where}, which has no network_. Deep estimators have one after "
        "fit; for a search, pass best_estimator_"
    )
