"""Base class of the echo-state estimators: parameters, reservoir and streaming readouts."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ...backend import Array, Device, moved, present_device, resolve_device, to_device, to_host
from ...checks import check_integer, check_real, python_value
from ...esn.online_readout import LeastMeanSquares, RecursiveLeastSquares
from ...esn.plasticity import IntrinsicPlasticity
from ...esn.readout import RidgeFit, RidgeLearner
from ...esn.reservoir import ACTIVATIONS, ReservoirSpec
from ...esn.stack import ARRANGEMENTS, ReservoirStack
from ...esn.topology import RecurrentSpec, check_product
from ..base.on_device import OnDevice
from .parameters import ReservoirParameters
from .series import Series

READOUTS = ("ridge", "rls", "lms")
_DTYPES = ("float32", "float64")
# Fitted attributes with arrays on the device; the last one determines where all of them are.
_FITTED = ("readout_", "features_", "_learner", "_end", "reservoir_")


class BaseEchoState(ReservoirParameters, OnDevice, BaseEstimator):
    """Base class of the echo-state estimators, which add parameters of their own."""

    #: For files of versions without these parameters.
    absent_parameters: ClassVar[Mapping[str, Any]] = {"product": "auto"}

    n_features_in_: int
    reservoir_: ReservoirStack
    readout_: Any
    _learner: Any  # accumulates rows for the readout; None if the readout is from scikit-learn
    _online: bool  # whether partial_fit has been called since fit

    def _check_params(self) -> None:
        if not self._levels():
            raise ValueError(
                "units must be an integer of at least 1, or a tuple of them, one per "
                f"reservoir; got {self.units!r}"
            )
        for units in self._levels():
            check_integer("units", units, 1)
        inf = float("inf")
        check_real("spectral_radius", self.spectral_radius, 0, inf)
        check_real("leak_rate", self.leak_rate, 0, 1, open_low=True)
        check_real("input_scaling", self.input_scaling, 0, inf)
        check_real("bias_scaling", self.bias_scaling, 0, inf)
        check_real("noise", self.noise, 0, inf)
        check_integer("washout", self.washout, 0)
        for units in self._levels():
            RecurrentSpec(int(units), self.topology, density=self.density)
        check_product(self.product, self.topology)
        if not isinstance(self.plasticity, IntrinsicPlasticity):
            check_integer("plasticity", self.plasticity, 0)
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {ACTIVATIONS}; got {self.activation!r}")
        if self.plasticity and self.activation != "tanh":
            raise ValueError(f"plasticity needs activation='tanh'; got {self.activation!r}")
        if self.arrangement not in ARRANGEMENTS:
            raise ValueError(f"arrangement must be one of {ARRANGEMENTS}; got {self.arrangement!r}")
        if self.dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {_DTYPES}; got {self.dtype!r}")
        resolve_device(self.device)
        seed = self.random_state
        if isinstance(seed, Integral) and seed < 0:
            raise ValueError(f"random_state must be a non-negative integer or None; got {seed!r}")
        self._penalties()

    def _check_readout(self, kind: str) -> None:
        if isinstance(self.readout, str):
            if self.readout not in READOUTS:
                raise ValueError(
                    f"readout must be one of {READOUTS} or a scikit-learn {kind}; "
                    f"got {self.readout!r}"
                )
        elif not hasattr(self.readout, "fit") or not hasattr(self.readout, "predict"):
            raise ValueError(
                f"readout must have the methods fit and predict of a {kind}; got {self.readout!r}"
            )

    def _penalties(self) -> tuple[float, ...]:
        """Return the candidate ridge penalties, one or several."""
        values = self.ridge if np.ndim(self.ridge) else (python_value(self.ridge),)
        for value in values:
            check_real("ridge", value, 0, float("inf"))
        if not len(values):
            raise ValueError("ridge must be a penalty or a sequence of penalties; got an empty one")
        return tuple(float(value) for value in values)

    def _levels(self) -> tuple[Any, ...]:
        units = self.units
        return tuple(units) if isinstance(units, tuple | list | np.ndarray) else (units,)

    def _check_washout(self, series: Series) -> None:
        shortest = min(len(array) for array in series.arrays)
        if self.washout >= shortest:
            raise ValueError(
                f"washout must be less than the length of every series, {shortest}; "
                f"got {self.washout}. Lower washout, or use longer series"
            )

    # The device -------------------------------------------------------------------------

    def _device(self) -> Device:
        """Return the device to compute on, after moving the fitted attributes there.

        If a model is loaded on a machine without its device, this is the CPU.
        """
        device = present_device(self.device)
        if self.reservoir_.device != device:
            for name in _FITTED:
                if name in vars(self):
                    setattr(self, name, moved(getattr(self, name), device))
        return device

    # Pickles -----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Omit the state of `partial_fit`, such as X^T X, unless that has been called."""
        state = dict(super().__getstate__())
        if not state.get("_online"):
            state.pop("_learner", None)
        return state

    def _check_online(self) -> None:
        """Raise a ValueError if training cannot continue; otherwise record that it does."""
        if not hasattr(self, "_learner"):
            raise ValueError(
                "partial_fit needs the sums that the readout accumulated over earlier series; "
                "saved files do not contain them, nor do pickles unless partial_fit was called "
                "before. Fit again on all series, or call partial_fit before pickling"
            )
        kinds = {"ridge": RidgeLearner, "rls": RecursiveLeastSquares, "lms": LeastMeanSquares}
        learner = self._learner
        trained = learner is not None or hasattr(self, "readout_")
        if trained and type(learner) is not kinds[self.readout]:
            raise ValueError(
                f"readout={self.readout!r} cannot continue a training with another readout; call "
                "fit instead, or leave readout as it was"
            )
        if isinstance(learner, RidgeLearner):
            learner.penalties = self._penalties()
        self._online = True

    # The reservoir ----------------------------------------------------------------------

    def _build(self, n_inputs: int, n_feedback: int = 0) -> ReservoirStack:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.reservoir_seed_ = seed
        self._noisy_runs = 0
        specs = [
            ReservoirSpec(
                RecurrentSpec(
                    int(units),
                    self.topology,
                    float(self.spectral_radius),
                    self.density,
                    seed,
                    f"reservoir.{i}",
                ),
                leak_rate=float(self.leak_rate),
                input_scaling=float(self.input_scaling),
                bias_scaling=float(self.bias_scaling),
                activation=self.activation,
                noise=float(self.noise),
                product=self.product,
            )
            for i, units in enumerate(self._levels())
        ]
        return ReservoirStack(
            specs,
            n_inputs,
            n_feedback,
            self.arrangement,
            np.dtype(self.dtype),
            resolve_device(self.device),
        )

    def _next_noise(self) -> int:
        """Return the noise seed of the next run, which is different for every run."""
        number, self._noisy_runs = self._noisy_runs, self._noisy_runs + 1
        return self.reservoir_seed_ + (number << 31)

    def _tune(self, series: list[Array], feedback: list[Array] | None = None) -> None:
        """Apply intrinsic plasticity to the reservoir, if `plasticity` is set."""
        if not self.plasticity:
            return
        rule = self.plasticity
        if not isinstance(rule, IntrinsicPlasticity):
            rule = IntrinsicPlasticity(epochs=int(rule))
        rule.tune(self.reservoir_, series, feedback)

    # Readouts ---------------------------------------------------------------------------

    def _make_learner(self, n_features: int, n_outputs: int) -> Any:
        """Return the incremental learner of a readout that is given by name."""
        device = self.reservoir_.device
        if self.readout == "rls":
            penalty = max(self._penalties()[0], 1e-12)
            return RecursiveLeastSquares(n_features, n_outputs, penalty=penalty, device=device)
        if self.readout == "lms":
            return LeastMeanSquares(n_features, n_outputs, device=device)
        return RidgeLearner(n_features, n_outputs, self._penalties(), device)

    @property
    def n_trained_params_(self) -> int:
        """Number of trained parameters, those of the readout; for a linear readout only."""
        readout = self.readout_
        names = ("coef", "intercept") if isinstance(readout, RidgeFit) else ("coef_", "intercept_")
        return sum(int(np.size(to_host(getattr(readout, name)))) for name in names)

    def _output(self, features: Array) -> Array:
        """Return the readout's outputs: (n, n_features) -> (n, n_outputs), float64."""
        if isinstance(self.readout_, RidgeFit):
            return features @ self.readout_.coef.T + self.readout_.intercept
        features = to_host(features).astype(np.float64, copy=False)  # as in fit
        outputs = np.asarray(self.readout_.predict(features), np.float64)
        return to_device(outputs.reshape(len(features), -1), self.reservoir_.device)
