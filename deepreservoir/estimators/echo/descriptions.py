"""The parameter descriptions that the echo-state estimators share, written once."""

from __future__ import annotations

import inspect

from ..base.descriptions import fill

PARAMETERS = """\
units : int or tuple of int, default=500
        Size of the state; a tuple joins several reservoirs.
    spectral_radius : float, default=0.9
        Largest magnitude of the recurrent weights' eigenvalues, set exactly. A delay line has
        zeros alone: there it is the weight of the links.
    leak_rate : float, default=1.0
        a, in (0, 1]; 1 has no leak. For ``topology="antisymmetric"``, whose state does not leak,
        the step of Euler's method: best a small one.
    input_scaling : float, default=1.0
        Bound of the uniform input weights.
    bias_scaling : float, default={bias_scaling}
        Bound of the uniform biases.
    density : float or int, default=0.1
        Share of recurrent links that are there, or the number that each unit hears.
    topology : str, default="random"
        One of ``deepreservoir.esn.TOPOLOGIES``.
    arrangement : {"deep", "grouped"}, default="deep"
        Of several reservoirs: each reads the one before, or all read the input. Links from one
        to the next are bounded by input_scaling over the square root of its units.
    plasticity : int or IntrinsicPlasticity, default=0
        Epochs of intrinsic plasticity over the series before the readout is trained, or with
        its other parameters a ``deepreservoir.esn.IntrinsicPlasticity``. For tanh only.
    noise : float, default=0.0
        Standard deviation of noise inside the nonlinearity, in `fit`.
    washout : int, default=0
        Steps at the start of each series that are left out.
    {own}
    activation : {"tanh", "relu", "identity"}, default="tanh"
        Nonlinearity of the units.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where to compute. CuPy arrays come back as CuPy arrays, NumPy arrays as NumPy arrays. A
        fitted model follows this parameter at its next call, and computes on the CPU where
        the device is not there, as after loading on another machine. States are moved to the host
        for a readout of scikit-learn."""

ATTRIBUTES = """\
reservoir_ : ReservoirStack
        Frozen weights; a pickle holds their specification only.
    readout_ : RidgeFit or the fitted readout of scikit-learn
        For ridge: coef, intercept, the penalty that was taken, and the score of each.
    reservoir_seed_ : int
        Seed of the frozen weights.
    n_features_in_ : int"""


def documented(cls: type) -> type:
    """Fill an echo-state estimator's docstring with the shared parameters and attributes."""
    bias = inspect.signature(cls).parameters["bias_scaling"].default
    return fill(cls, PARAMETERS.replace("{bias_scaling}", str(bias)), ATTRIBUTES)
