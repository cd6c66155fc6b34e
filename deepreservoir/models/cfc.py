"""Closed-form continuous-time networks on scaffolds, for series with elapsed times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from ..checks import check_dropped_share, check_flag, check_integer
from ..layers import CfC, Dense, Layer
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("cfc")
@dataclass(frozen=True)
class CfCConfig(NetworkConfig):
    """A closed-form continuous-time network (Hasani et al., 2022) on scaffolds.

    A backbone of dense layers reads the input and the state, and four heads on top of it compute
    the next state; all of these matrices are adapted, and their biases are trained. A fully trained
    head reads the state after the last step of each series.

    Parameters
    ----------
    n_inputs : int
        Width of the input at each step.
    n_outputs : int
        Width of the output.
    units : int, default=256
        Width of the state.
    backbone_units, backbone_layers : int, default=64 and 2
        Width and number of the layers of the backbone.
    dropout : float, default=0
        Fraction of the activations that is dropped during training after each layer of the
        backbone but the first.
    recompute : bool, default=False
        Whether the backward pass computes activations again instead of keeping them.
    n_steps : int, default=1
        Number of steps of a typical series, for which costs are counted; it does not affect the
        network, nor whether two configurations are equal.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = CfCConfig(n_inputs=82, n_outputs=2, rank=1)
    >>> config.n_params, config.fully_trained().n_params
    (3482, 92930)
    """

    # To float32 precision, the outputs of a series then do not depend on the others in a batch.
    prediction_dtype = "float64"
    # The adapters of recurrent networks are not decayed: their states would fade with them.
    decayed: ClassVar[frozenset[str]] = frozenset(("weight", "embedding"))

    n_inputs: int
    n_outputs: int
    units: int = 256
    backbone_units: int = 64
    backbone_layers: int = 2
    dropout: float = 0.0
    recompute: bool = False
    n_steps: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        names = ("n_inputs", "n_outputs", "units", "backbone_units", "backbone_layers", "n_steps")
        for name in names:
            check_integer(name, getattr(self, name), 1)
        check_dropped_share("dropout", self.dropout)
        check_flag("recompute", self.recompute)
        super().__post_init__()
        self.check_ranks()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.n_steps, self.n_inputs)

    @property
    def sample_bytes(self) -> int:
        heads, backbone = 4 * self.units, self.backbone_layers * self.backbone_units
        step = self.n_inputs + self.units + heads + 3 * backbone
        return self.n_steps * step * np.dtype(self.dtype).itemsize

    def build(self) -> tuple[Layer, Layer]:
        cell = CfC(
            "cell",
            self.n_inputs,
            self.units,
            self.backbone_units,
            self.backbone_layers,
            self.adapter_of,
            self.dropout,
            self.recompute,
        )
        return cell, Dense("head", self.units, self.n_outputs)

    def resized(self, n_params: int) -> Self | None:
        """Return the widest fully trained network of at most `n_params` parameters.

        Its state and its backbone have the proportion of this network's, as far as possible.
        """
        return largest_within(self._of_width, n_params)

    def _of_width(self, units: int) -> Self:
        backbone = max(1, round(units * self.backbone_units / self.units))
        return replace(self.fully_trained(), units=units, backbone_units=backbone)
