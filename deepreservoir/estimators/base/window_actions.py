"""The targets of Decision Transformers, which the batch has: the actions of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ...backend import Array
from ...inputs import Batch, Inputs, Target
from ...losses import Loss, SquaredError
from ...network import Network
from .targets import Targets


class WindowActions(Targets):
    """The actions of the steps of windows, under squared error; padding has no weight.

    Parameters
    ----------
    width : int
        Number of entries of an action; 0 as long as no reader has seen a trajectory.
    """

    state_types: ClassVar[Mapping[str, Any]] = {"action_width": int}

    def __init__(self, width: int = 0) -> None:
        self.width = width

    @property
    def n_outputs(self) -> int:
        return self.width

    @property
    def out_activation(self) -> str:
        return "tanh"

    @property
    def loss(self) -> Loss:
        return SquaredError()

    def encode(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y)

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return encoded

    def take(self, y: Array, index: Any, batch: Batch, weights: Array | None) -> Target:
        side = batch.side
        return Target(side["actions"], side["n_kept"], side["kept"])

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        raise TypeError("actions are scored with their inputs: see mean_squared_error")

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"action_width": self.width}, {}

    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        self.width = plain["action_width"]
        return self


def mean_squared_error(network: Network, inputs: Inputs) -> float:
    """Return the mean squared error of the scaled actions of all steps of windows.

    Parameters
    ----------
    network : Network
    inputs : TrajectoryWindows
        On the network's device.
    """
    total, n = 0.0, 0
    for _, batch, outputs in network.chunks(inputs):
        error = outputs - batch.side["actions"]  # (m, context, n_actions)
        error *= error
        error *= batch.side["kept"][:, :, None]
        total += float(error.sum(dtype=np.float64)) / error.shape[-1]
        n += batch.side["n_kept"]
    return total / n
