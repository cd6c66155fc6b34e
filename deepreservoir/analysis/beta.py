"""Scales of the scaffolds, per layer and over the course of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .subject import estimator_of, network_of


@dataclass(frozen=True)
class Betas:
    """The trained scale (beta) of each scaffold, which weights the frozen path of a layer.

    Attributes
    ----------
    paths : tuple of str
        The layers with a learned beta, in order, including the head if it has one.
    values : ndarray of float64, shape (n_layers,)
        Current betas of the model.
    history : ndarray of float64, shape (n_epochs, n_layers)
        Betas at the end of each epoch. There are no rows for a Network or a model loaded from a
        file, which have no history.

    Examples
    --------
    >>> betas = Betas(("layers.0", "layers.1"), np.array([0.9, -0.3]), np.ones((5, 2)))
    >>> round(betas.median, 3), betas.positive, betas.median_history.shape
    (0.6, 0.5, (5,))
    """

    paths: tuple[str, ...]
    values: np.ndarray
    history: np.ndarray

    @property
    def median(self) -> float:
        """The median magnitude over the layers."""
        return float(np.median(np.abs(self.values)))

    @property
    def positive(self) -> float:
        """The share of layers with a positive beta, from 0 to 1."""
        return float((self.values > 0).mean())

    @property
    def median_history(self) -> np.ndarray:
        """The median magnitude at the end of each epoch: float64, (n_epochs,)."""
        return np.median(np.abs(self.history), axis=1)

    @property
    def positive_history(self) -> np.ndarray:
        """The share of positive betas at the end of each epoch: float64, (n_epochs,)."""
        return (self.history > 0).mean(axis=1)


def betas_of(model: Any) -> Betas:
    """Return the betas of a trained model, per layer and over the course of training.

    The paper (arXiv 2604.08749) reports their median magnitude and sign: with a fixed scaffold
    they remain positive, and with a resampled one they decrease towards zero. A positive beta does
    not prove that the scaffold is useful; the arms of :func:`deepreservoir.compare` test that.

    Parameters
    ----------
    model : Network, fitted deep estimator, or pipeline that ends in one
        The history is taken from ``history_["beta"]`` of an estimator. Its last row differs from
        `values` if the final weights are not those of the last epoch, because of early stopping
        or weight averaging.

    Returns
    -------
    Betas

    Raises
    ------
    TypeError
        If the model has no network.
    ValueError
        If no layer learns a beta.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DeepReservoirClassifier(max_iter=3, random_state=0).fit(X / 16, y)
    >>> betas = betas_of(model)
    >>> betas.paths, betas.history.shape, betas.positive
    (('layers.0', 'layers.1'), (3, 2), 1.0)
    """
    network = network_of(model)
    learned = {path for path, layer in network.adapted.items() if layer.learns_beta}
    values = {path: beta for path, beta in network.betas().items() if path in learned}
    if not values:
        config = network.config
        names = ("head", "adapt")
        own = "".join(f", {k}={getattr(config, k)!r}" for k in names if hasattr(config, k))
        raise ValueError(
            "no layer of this network learns a beta: it has "
            f"adapter={config.adapter!r}, beta={config.beta!r}{own}. Fit with "
            "adapter='lora' or 'dora' in some matrices, and beta='learned' or an initial value"
        )
    epochs = getattr(estimator_of(model), "history_", {}).get("beta", [])
    history = np.array([[epoch[path] for path in values] for epoch in epochs], np.float64)
    return Betas(
        paths=tuple(values),
        values=np.array(list(values.values()), np.float64),
        history=history.reshape(len(epochs), len(values)),
    )
