"""Descriptions of the parameters and attributes that the echo-state estimators share."""

from __future__ import annotations

import inspect

from ..base.descriptions import fill

PARAMETERS = """\
units : int or tuple of int, default=500
        Number of units; a tuple combines several reservoirs.
    spectral_radius : float, default=0.9
        Largest magnitude of the recurrent weights' eigenvalues, set exactly. The eigenvalues of a
        delay line are all zero; there it is the weight of the connections.
    leak_rate : float, default=1.0
        The leak rate a, in (0, 1]; 1 means no leaky integration. For
        ``topology="antisymmetric"``, whose state does not leak, it is the step of Euler's method,
        which should be small.
    input_scaling : float, default=1.0
        Bound of the uniformly distributed input weights.
    bias_scaling : float, default={bias_scaling}
        Bound of the uniformly distributed biases.
    density : float or int, default=0.1
        Share of nonzero recurrent weights or, if it is an integer, their number per unit.
    topology : str, default="random"
        One of ``deepreservoir.esn.TOPOLOGIES``.
    arrangement : {"deep", "grouped"}, default="deep"
        Arrangement of several reservoirs: each reads the previous one, or all read the input. The
        weights from one reservoir to the next are bounded by input_scaling divided by the square
        root of the number of states that are read.
    plasticity : int or IntrinsicPlasticity, default=0
        Epochs of intrinsic plasticity before the readout is trained, or a
        ``deepreservoir.esn.IntrinsicPlasticity`` to set its other parameters. Needs tanh units.
    noise : float, default=0.0
        Standard deviation of the noise inside the nonlinearity during `fit`.
    washout : int, default=0
        Number of initial steps of each series that are ignored in training.
    {own}
    activation : {"tanh", "relu", "identity"}, default="tanh"
        Nonlinearity of the units.
    product : {"auto", "sparse", "dense"}, default="auto"
        Whether products with the recurrent weights read the nonzero ones only, or all of them.
        By default, this is chosen by their number and share, and never by timing, so that the
        same seed gives the same bits; ``reservoir_.parts[0].recurrent.product_for(1)`` is the
        choice for one series. The states of both differ by rounding only. On a machine with large
        caches, dense products can be faster where a sparse one is chosen.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Where to compute. Results are CuPy arrays for CuPy inputs, and NumPy arrays for NumPy
        inputs. A fitted model follows this parameter at its next call, and computes on the CPU if
        the device does not exist, as after loading on another machine. For a scikit-learn
        readout, states are moved to the host."""

ATTRIBUTES = """\
reservoir_ : ReservoirStack
        Frozen weights; a pickle only contains their specification.
    readout_ : RidgeFit or fitted scikit-learn estimator
        A RidgeFit has the coefficients, the intercept, the selected penalty, and the score of each
        candidate penalty.
    n_trained_params_ : int
        Number of trained parameters, those of the readout; for a linear readout only.
    reservoir_seed_ : int
        Seed of the frozen weights.
    n_features_in_ : int"""


def documented(cls: type) -> type:
    """Insert the shared parameters and attributes into the docstring of an estimator."""
    bias = inspect.signature(cls).parameters["bias_scaling"].default
    return fill(cls, PARAMETERS.replace("{bias_scaling}", str(bias)), ATTRIBUTES)
