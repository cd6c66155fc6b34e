"""The multilayer perceptron on scaffolds: its configuration and the layers that it builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ..checks import check_choice, check_dropped_share, check_flag, check_integer, is_integer
from ..choices import ActivationName, HeadName
from ..layers import (
    ACTIVATIONS,
    ActivatedDense,
    Activation,
    AdaptedDense,
    Dense,
    Layer,
    LayerNorm,
    Residual,
    Sequential,
)
from .base import NetworkConfig, architecture

HEADS = ("full", "lora", "lora+bias")


#: Width from which a hidden layer is regularised in full by default.
_WIDE = 64

# Arrays of a layer's outputs that exist at a time beside those that are kept; measured with ReLU.
_IN_PASSING = 4


@architecture("mlp")
@dataclass(frozen=True)
class MLPConfig(NetworkConfig):
    """A multilayer perceptron on scaffolds (paper, arXiv 2604.08749, section 3).

    Parameters
    ----------
    n_features, n_outputs : int
        Widths of the input and the output.
    hidden_layer_sizes : tuple of int or int, default=(256, 128)
        Widths of the hidden layers, or the width of a single one.
    activation : {"relu", "tanh", "logistic", "gelu", "silu", "identity"}, default="relu"
        Nonlinearity after each hidden layer.
    head : {"full", "lora", "lora+bias"}, default="full"
        Output layer: fully trained, with a bias; or a scaffold with an adapter.
    bias : bool, default=False
        Whether hidden layers have a trained bias.
    layer_norm : bool, default=False
        Whether to normalise each hidden layer's output before the nonlinearity.
    residual : bool, default=False
        Whether to add a hidden layer's input to its output if the widths are equal.
    dropout : float, default=0.0
        Fraction of hidden activations that is dropped during training.
    **others
        Those of :class:`~deepreservoir.models.NetworkConfig`.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = MLPConfig(n_features=784, n_outputs=10, hidden_layer_sizes=(512, 256))
    >>> config.ranks
    (8, 8)
    """

    # To float32 precision, a row's outputs then do not depend on the rows computed with it.
    prediction_dtype = "float64"

    n_features: int
    n_outputs: int
    hidden_layer_sizes: tuple[int, ...] = (256, 128)
    activation: ActivationName = "relu"
    head: HeadName = "full"
    bias: bool = False
    layer_norm: bool = False
    residual: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integer("n_features", self.n_features, 1)
        check_integer("n_outputs", self.n_outputs, 1)
        widths: Any = self.hidden_layer_sizes
        if is_integer(widths):
            check_integer("hidden_layer_sizes", widths, 1)
            widths = (widths,)
        if isinstance(widths, str) or not isinstance(widths, Sequence | np.ndarray):
            raise ValueError(
                "hidden_layer_sizes must be a tuple of widths, such as (256, 128), or the width "
                f"of a single layer; got {widths!r}"
            )
        for i, width in enumerate(widths):
            check_integer(f"hidden_layer_sizes[{i}]", width, 1)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("head", self.head, HEADS)
        check_dropped_share("dropout", self.dropout)
        for name in ("bias", "layer_norm", "residual"):
            check_flag(name, getattr(self, name))
        widths = tuple(int(width) for width in widths)
        object.__setattr__(self, "hidden_layer_sizes", widths)
        super().__post_init__()
        self.check_ranks()
        if self.residual and not any(d_in == d_out for d_in, d_out in self.hidden_shapes):
            raise ValueError(
                "residual=True needs a hidden layer as wide as its input; the widths are "
                f"{self.widths[:-1]}. Make two neighbouring widths equal, or set residual=False"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths from the input to the output."""
        return (self.n_features, *self.hidden_layer_sizes, self.n_outputs)

    @property
    def hidden_shapes(self) -> list[tuple[int, int]]:
        """(d_in, d_out) of each hidden layer."""
        return list(zip(self.widths[:-2], self.widths[1:-1], strict=True))

    @property
    def adapted_shapes(self) -> dict[str, tuple[int, int]]:
        shapes = dict(enumerate(self.hidden_shapes)) if self.adapter in ("lora", "dora") else {}
        layers = {f"hidden layer {i}": shape for i, shape in shapes.items()}
        if self.head != "full":
            layers["the head"] = (self.widths[-2], self.n_outputs)
        return layers

    @property
    def width_factor(self) -> float:
        return min(1.0, min(self.hidden_layer_sizes, default=_WIDE) / _WIDE)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of each hidden layer."""
        return tuple(self.rank_of(*shape) for shape in self.hidden_shapes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    @property
    def training_sample_bytes(self) -> int:
        """Bytes of what the layers keep of one row, and of what one layer makes of it in a pass."""
        widths = self.hidden_layer_sizes
        kept = 1 if ACTIVATIONS[self.activation].keeps_output else 2
        values = self.n_features + (kept + bool(self.dropout)) * sum(widths)
        values += _IN_PASSING * max(widths, default=0)
        return values * np.dtype(self.dtype).itemsize

    def fully_trained(self) -> Self:
        return replace(self, adapter="full", head="full", bias=True)

    def merged(self, dtype: str) -> Self:
        return replace(self, adapter="full", head="full", dtype=dtype)  # type: ignore[arg-type]

    def resized(self, n_params: int) -> Self | None:
        """Return one hidden layer, fully trained, as wide as `n_params` parameters allow.

        One layer makes the best use of a small budget: in a deep network of that size the
        narrowest layer would be a bottleneck. None if not even one unit fits.
        """
        base, next_larger = (self._one_layer(width).n_params for width in (1, 2))
        per_unit = next_larger - base
        width = (n_params - base) // per_unit + 1
        return self._one_layer(width) if width >= 1 else None

    def _one_layer(self, width: int) -> Self:
        return replace(
            self, hidden_layer_sizes=(width,), residual=False, adapter="full", head="full"
        )

    def build(self) -> tuple[Layer, Layer]:
        layers: list[Layer] = []
        widest = max(self.hidden_layer_sizes, default=0)
        for i, (d_in, d_out) in enumerate(self.hidden_shapes):
            path = f"layers.{i}"
            residual = self.residual and d_in == d_out
            # A bias directly before the activation is applied together with it, in one pass.
            fused_bias = self.bias and not self.layer_norm and not residual
            dense = AdaptedDense(
                path,
                d_in,
                d_out,
                self.adapter_of(d_in, d_out),
                bias=self.bias and not fused_bias,
                needs_dx=i > 0,
            )
            bias_width = d_out if fused_bias else 0
            activation = Activation(self.activation, path, bias_width, self.dropout)
            if not self.layer_norm and not residual:
                layers.append(ActivatedDense(dense, activation, widest))
                continue
            layers.append(Residual(dense) if residual else dense)
            if self.layer_norm:
                layers.append(LayerNorm(f"{path}.norm", d_out))
            layers.append(activation)
        return Sequential(layers), self._build_head()

    def _build_head(self) -> Layer:
        d_in, d_out = self.widths[-2:]
        needs_dx = bool(self.hidden_layer_sizes)
        if self.head == "full":
            return Dense("head", d_in, d_out, needs_dx=needs_dx)
        adapter = self.adapter_of(d_in, d_out, mode="lora")
        return AdaptedDense("head", d_in, d_out, adapter, self.head == "lora+bias", needs_dx)
