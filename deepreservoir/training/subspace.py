"""A network in a random subspace: theta = theta_0 + P z, where only z is trained."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from numbers import Integral
from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..inputs import Batch, Inputs, Target
from ..layers import Layer, Pass
from ..losses import Loss
from ..models import NetworkConfig
from ..network import Network
from ..params import ParamSet, Slot
from ..passes import Decode
from ..scaffold import Scaffold, ScaffoldSpec, make_scaffold


class Subspace:
    """A network of which only `dimension` parameters are trained, whatever its size.

    Its D parameters are ``theta_0 + P z`` (Li et al., equation 2), where theta_0 are the current
    ones, z starts at zero, and P (D, d) is frozen: a Hadamard matrix with random signs on both
    sides, drawn from a seed, with columns of unit length. The gradient of z is the projection
    P^T dtheta of the network's gradient. A product with P takes O(D log d) operations and O(D)
    memory.

    It has the interface that :func:`deepreservoir.training.train` expects of a network. Weight
    decay does not apply, since z = 0 is the starting point and not a network of small weights.

    Parameters
    ----------
    network : Network
        It is modified in place; nothing else may train it meanwhile.
    dimension : int
        The dimension d, from 1 to D.
    seed : int
        Seed of P.

    Attributes
    ----------
    theta, grad : array, shape (dimension,)
        z and its gradient.
    projection : Scaffold
        P.

    Raises
    ------
    ValueError
        If the dimension is not from 1 to D, or the seed is negative.

    References
    ----------
    Li, Farkhoor, Liu and Yosinski, Measuring the Intrinsic Dimension of Objective Landscapes,
    ICLR 2018 (arXiv 1804.08838).

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> network = Network(MLPConfig(4, 3, (16,), adapter="full"), seed=0)
    >>> inside = Subspace(network, dimension=5, seed=1)
    >>> network.n_trained, inside.n_trained
    (115, 5)
    """

    def __init__(self, network: Network, dimension: int, seed: int) -> None:
        size = network.params.size
        whole = isinstance(dimension, Integral) and not isinstance(dimension, bool)
        if not whole or not 1 <= dimension <= size:
            raise ValueError(
                f"dimension must be an integer between 1 and {size}, the number of trained "
                f"parameters of the network; got {dimension!r}"
            )
        dimension = int(dimension)
        # Entries of +-1/sqrt(D) make columns of unit length.
        gain = sqrt(dimension / size)
        spec = ScaffoldSpec("hadamard", (size, dimension), seed, "subspace", gain)
        self.projection = make_scaffold(spec, dtype=network.dtype, device=network.device)
        self.params = ParamSet([Slot("z", (dimension,), "scale", init=0.0)])
        self.theta: Array = array_module(network.theta).zeros(dimension, network.dtype)
        self.grad: Array = array_module(network.theta).zeros_like(self.theta)
        self._network = network
        self._start = network.theta.copy()  # theta_0: (D,)

    def moved(self) -> Network:
        """Return the network after setting its parameters to theta_0 + P z."""
        network = self._network
        network.theta[:] = self.projection.matmul(self.theta[None])[0]  # (1, d) -> (1, D)
        network.theta += self._start
        return network

    # The interface that training expects of a network -------------------------------------

    @property
    def config(self) -> NetworkConfig:
        return self._network.config

    @property
    def device(self) -> Any:
        return self._network.device

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._network.dtype

    @property
    def body(self) -> Layer:
        return self._network.body

    @property
    def buffers(self) -> Array:
        return self._network.buffers

    @property
    def frozen_scaffolds(self) -> dict[str, Scaffold]:
        return self._network.frozen_scaffolds

    @property
    def n_trained(self) -> int:
        """Number of trained parameters, d."""
        return self.params.size

    def betas(self) -> dict[str, float]:
        return self._network.betas()

    def product_bytes(self, inputs: Inputs) -> int:
        return self._network.product_bytes(inputs)

    def frozen_products(self, inputs: Inputs) -> dict[str, Array]:
        return self._network.frozen_products(inputs)

    def check_inputs(self, inputs: Inputs) -> None:
        self._network.check_inputs(inputs)

    def check_bound(self) -> None:
        self._network.check_bound()

    def gradient(self, batch: Batch, target: Target, loss: Loss, on: Pass) -> Array:
        """Add the gradient of z into `grad`, and return the loss."""
        network = self.moved()
        network.grad.fill(0)
        value = network.gradient(batch, target, loss, on)
        self.grad += self.projection.rmatmul(network.grad[None])[0]  # (1, D) -> (1, d)
        return value

    def evaluate(
        self, inputs: Inputs, decode: Decode, products: Mapping[str, Array] | None = None
    ) -> Array:
        return self.moved().evaluate(inputs, decode, products)
