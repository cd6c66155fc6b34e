"""Features of series from an untrained closed-form continuous-time network."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..backend import Array, present_device, resolve_device, to_host
from ..choices import DeviceName, RandomState
from ..inputs import CHUNK_BYTES, IrregularSeriesReader, irregular_series
from ..layers import Pass
from ..models import CfCConfig
from ..network import Network
from .base.on_device import OnDevice
from .base.series_input import check_channels, timed


@dataclass(eq=False, repr=False)
class CfCFeatures(OnDevice, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """States of a closed-form continuous-time network whose weights are drawn and never trained.

    The network is a reservoir that knows elapsed times: a linear readout of its last states
    classifies series, or predicts numbers. Only the scaling of the channels and of time is fitted.

    Parameters
    ----------
    units : int, default=256
        Width of the state, and number of features.
    backbone_units, backbone_layers : int, default=64 and 2
        Width and number of the dense layers that read input and state.
    scaffold : str, default="normal"
        Family of the weights: a name in ``deepreservoir.scaffold.FAMILIES``.
    scaffold_scale : float or "family", default=1.0
        A gain g: the weights have standard deviation g / sqrt(d_in).
    scaffold_seed : int, default=None
        Seed of the weights. None draws one from `random_state`.
    standardize : bool, default=True
        Whether each channel is centred and divided by its standard deviation, both over the
        observed values of the series of `fit`.
    clip : float, default=None
        Limit on the absolute value of standardised values.
    forward_fill : bool, default=True
        Whether a value is carried forward until its channel is observed again. Otherwise, and
        before the first observation, it is 0: the mean, after standardization.
    masks : bool, default=True
        Whether the network also reads, for each channel, whether it was observed.
    time_scale : float or "auto", default="auto"
        What elapsed times are divided by. ``"auto"`` is their mean over the series of `fit`.
    random_state : int, RandomState instance or None, default=None
        Source of the seed of the weights.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Where to compute.

    Attributes
    ----------
    network_ : Network
    scaffold_seed_ : int
    n_features_in_ : int
        Number of channels seen in fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifierCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from deepreservoir import CfCFeatures
    >>> X = np.random.default_rng(0).normal(size=(300, 12, 1))
    >>> y = (X[:, -3:, 0].sum(axis=1) > 0).astype(int)
    >>> readout = RidgeClassifierCV(np.logspace(-3, 3, 7))
    >>> model = make_pipeline(CfCFeatures(100, random_state=0), readout)
    >>> model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.8
    True
    """

    units: int = 256
    backbone_units: int = 64
    _: KW_ONLY
    backbone_layers: int = 2
    scaffold: str = "normal"
    scaffold_scale: float | Literal["family"] = 1.0
    scaffold_seed: int | None = None
    standardize: bool = True
    clip: float | None = None
    forward_fill: bool = True
    masks: bool = True
    time_scale: float | Literal["auto"] = "auto"
    random_state: RandomState = None
    device: DeviceName = "cpu"

    def fit(self, X: Any, y: Any = None, times: Any = None) -> Self:
        """Draw the network, and learn the scaling of channels and times.

        Parameters
        ----------
        X, times : as in :meth:`CfCClassifier.fit`
        y : ignored

        Returns
        -------
        self
        """
        series = irregular_series(X, times)
        check_channels(self, series, reset=True)
        device = resolve_device(self.device)
        reader = IrregularSeriesReader(
            self.standardize, self.clip, self.forward_fill, self.masks, self.time_scale
        ).fit(series)
        config = CfCConfig(
            reader.sizes()["n_inputs"],
            1,
            self.units,
            self.backbone_units,
            self.backbone_layers,
            n_steps=reader.n_steps,
            adapter="none",
            scaffold=self.scaffold,
            scaffold_scale=self.scaffold_scale,
            beta="fixed",
        )
        seed = self.scaffold_seed
        if seed is None:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        network = Network(config, seed, device=device)
        reader.fit_training(reader.read(series, network.dtype, "cpu"))
        self._reader, self.network_ = reader, network
        self.scaffold_seed_ = seed
        return self

    def fit_transform(self, X: Any, y: Any = None, times: Any = None) -> np.ndarray:
        """Fit to series, and return their features.

        Parameters
        ----------
        X, times : as in :meth:`CfCClassifier.fit`
        y : ignored

        Returns
        -------
        ndarray of float64, shape (n_series, units)
        """
        series = irregular_series(X, times)
        return self.fit(series, y).transform(series)

    def transform(self, X: Any, times: Any = None) -> np.ndarray:
        """Return the state after the last step of each series.

        Parameters
        ----------
        X, times : as in :meth:`CfCClassifier.fit`

        Returns
        -------
        ndarray of float64, shape (n_series, units)
        """
        check_is_fitted(self, "network_")
        series = irregular_series(timed(X, times, self._reader))
        check_channels(self, series, reset=False)
        self.network_ = self.network_.to(present_device(self.device))
        network = self.network_
        dtype = np.dtype("float64") if network.device == "cpu" else network.dtype
        inputs = self._reader.read(series, dtype, network.device)
        states = np.empty((len(series), self._n_features_out))
        for index, batch in inputs.chunks(CHUNK_BYTES, network.config.sample_bytes):
            found: Array = network.body.forward(batch.x, Pass(side=batch.side))[0]
            states[index] = to_host(found)
        return states

    @property
    def _n_features_out(self) -> int:
        """Number of features, which scikit-learn names."""
        return int(self.network_.config.units)  # type: ignore[attr-defined]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags
