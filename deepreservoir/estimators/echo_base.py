"""What the echo-state estimators share: parameters, the reservoir, runs over series."""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..backend import resolve_device
from ..esn.reservoir import ACTIVATIONS, ReservoirSpec
from ..esn.stack import ARRANGEMENTS, ReservoirStack
from ..esn.topology import RecurrentSpec

_DTYPES = ("float32", "float64")


def _real(name: str, value: Any, low: float, high: float, open_low: bool = False) -> None:
    fits = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if not fits or not low <= value <= high or (open_low and value == low):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name} must be a number in {bracket}{low}, {high}]; got {value!r}")


def check_whole(name: str, value: Any, at_least: int) -> None:
    """Raise a ValueError unless `value` is an integer of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}; got {value!r}")


class BaseEchoState(BaseEstimator):
    """Base of the echo-state estimators; `__init__` is theirs, and stores parameters only."""

    n_features_in_: int

    def _check_params(self) -> None:
        for units in self._levels():
            check_whole("units", units, 1)
        inf = float("inf")
        _real("spectral_radius", self.spectral_radius, 0, inf)
        _real("leak_rate", self.leak_rate, 0, 1, open_low=True)
        _real("input_scaling", self.input_scaling, 0, inf)
        _real("bias_scaling", self.bias_scaling, 0, inf)
        _real("noise", self.noise, 0, inf)
        check_whole("washout", self.washout, 0)
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {ACTIVATIONS}; got {self.activation!r}")
        if self.arrangement not in ARRANGEMENTS:
            raise ValueError(f"arrangement must be one of {ARRANGEMENTS}; got {self.arrangement!r}")
        if self.dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {_DTYPES}; got {self.dtype!r}")
        if resolve_device(self.device) != "cpu":
            raise ValueError("reservoirs run on device='cpu' only, for now; got 'cuda'")
        seed = self.random_state
        if isinstance(seed, Integral) and seed < 0:
            raise ValueError(f"random_state must be a non-negative integer or None; got {seed!r}")
        self._penalties()

    def _penalties(self) -> tuple[float, ...]:
        """Return the ridge penalties, one or a path."""
        values = self.ridge if isinstance(self.ridge, list | tuple | np.ndarray) else (self.ridge,)
        for value in values:
            _real("ridge", value, 0, float("inf"))
        if not len(values):
            raise ValueError("ridge must be a penalty, or a path of at least one; got none")
        return tuple(float(value) for value in values)

    def _levels(self) -> tuple[Any, ...]:
        units = self.units
        return tuple(units) if isinstance(units, tuple | list | np.ndarray) else (units,)

    def _build(self, n_inputs: int, n_feedback: int) -> ReservoirStack:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.reservoir_seed_ = seed
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
            )
            for i, units in enumerate(self._levels())
        ]
        return ReservoirStack(specs, n_inputs, n_feedback, self.arrangement, np.dtype(self.dtype))
