"""The multilayer perceptron on scaffolds: its configuration, and the layers it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any, Literal

import numpy as np

from ..checks import is_finite_number
from ..layers import (
    ACTIVATIONS,
    Activation,
    AdaptedDense,
    Adapter,
    Dense,
    Layer,
    LayerNorm,
    Residual,
    Sequential,
)
from ..layers.dense import Mode
from ..scaffold import check_scale, get_family, resolve_storage

ADAPTERS = ("lora", "dora", "full", "none")
SCALINGS = ("lora", "rslora")
HEADS = ("full", "lora", "lora+bias")
B_INITS = ("zeros", "kaiming")
DTYPES = ("float32", "float64")

#: Rank of a hidden layer where none is asked for; a narrower layer takes its own width.
DEFAULT_RANK = 8


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def _whole(name: str, value: object, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}; got {value!r}")


def _is_number(value: object) -> bool:
    return is_finite_number(value)


def _share(name: str, value: object) -> None:
    # Masks are drawn in steps of 1/65,536: a share that rounds to all of them is none.
    if not _is_number(value) or not 0 <= value < 1 - 2**-17:  # type: ignore[operator]
        raise ValueError(f"{name} must be in [0, 1); got {value!r}")


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}")


@dataclass(frozen=True)
class MLPConfig:
    """Which layers, which widths: plain data, which with a seed decides every frozen weight.

    The parameters are those of :class:`deepreservoir.DeepReservoirClassifier`; `n_features`
    and `n_outputs` are the widths at the two ends.

    Raises
    ------
    ValueError
        For any value out of its range, named, with what was expected.

    Examples
    --------
    >>> config = MLPConfig(n_features=784, n_outputs=10, hidden_layer_sizes=(512, 256))
    >>> config.ranks
    (8, 8)
    """

    n_features: int
    n_outputs: int
    hidden_layer_sizes: tuple[int, ...] = (256, 128)
    activation: str = "relu"
    rank: int | Literal["auto"] = "auto"
    lora_alpha: float | None = None
    scaling: str = "lora"
    adapter: Mode = "lora"
    scaffold: str = "normal"
    scaffold_scale: float | str = 1.0
    storage: str = "auto"
    beta: float | Literal["learned", "fixed"] = "learned"
    b_init: Literal["zeros", "kaiming"] = "zeros"
    head: str = "full"
    bias: bool = False
    layer_norm: bool = False
    residual: bool = False
    dropout: float = 0.0
    adapter_dropout: float = 0.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        _whole("n_features", self.n_features, 1)
        _whole("n_outputs", self.n_outputs, 1)
        if isinstance(self.hidden_layer_sizes, str) or not isinstance(
            self.hidden_layer_sizes, Sequence | np.ndarray
        ):
            raise ValueError(
                "hidden_layer_sizes must be a tuple of widths, such as (256, 128); "
                f"got {self.hidden_layer_sizes!r}"
            )
        for i, width in enumerate(self.hidden_layer_sizes):
            _whole(f"hidden_layer_sizes[{i}]", width, 1)
        _one_of("activation", self.activation, tuple(ACTIVATIONS))
        _one_of("adapter", self.adapter, ADAPTERS)
        _one_of("scaling", self.scaling, SCALINGS)
        _one_of("head", self.head, HEADS)
        _one_of("b_init", self.b_init, B_INITS)
        _one_of("dtype", self.dtype, DTYPES)
        resolve_storage(get_family(self.scaffold), self.storage)
        check_scale(self.scaffold_scale)
        _share("dropout", self.dropout)
        _share("adapter_dropout", self.adapter_dropout)
        alpha = self.lora_alpha
        if alpha is not None and not (_is_number(alpha) and alpha > 0):
            raise ValueError(f"lora_alpha must be positive, or None; got {self.lora_alpha!r}")
        if isinstance(self.beta, str):
            _one_of("beta", self.beta, ("learned", "fixed"))
        elif not _is_number(self.beta):
            raise ValueError(
                f"beta must be 'learned', 'fixed' or a finite start value; got {self.beta!r}"
            )
        for name in ("bias", "layer_norm", "residual"):
            _flag(name, getattr(self, name))
        self._make_plain()
        self._check_ranks()
        if self.residual and not any(d_in == d_out for d_in, d_out in self.hidden_shapes):
            raise ValueError(
                "residual=True needs a hidden layer as wide as its input; the widths are "
                f"{self.widths[:-1]}. Make two neighbours equal, or set residual=False"
            )

    def _make_plain(self) -> None:
        """Turn NumPy's numbers, which searches over arrays hand in, into Python's."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())
        widths = tuple(int(width) for width in self.hidden_layer_sizes)
        object.__setattr__(self, "hidden_layer_sizes", widths)

    def _check_ranks(self) -> None:
        if self.rank == "auto":
            return
        if isinstance(self.rank, str):
            raise ValueError(f"rank must be an integer of at least 1, or 'auto'; got {self.rank!r}")
        _whole("rank", self.rank, 1)
        for name, (d_in, d_out) in self.adapted_shapes.items():
            if self.rank > min(d_in, d_out):
                raise ValueError(
                    f"rank must be between 1 and min(d_in, d_out) = {min(d_in, d_out)} for "
                    f"{name} ({d_in} -> {d_out}); got {self.rank}"
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
        """(d_in, d_out) of each layer that has a rank, by what messages call it."""
        shapes = dict(enumerate(self.hidden_shapes)) if self.adapter in ("lora", "dora") else {}
        layers = {f"hidden layer {i}": shape for i, shape in shapes.items()}
        if self.head != "full":
            layers["the head"] = (self.widths[-2], self.n_outputs)
        return layers

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of each hidden layer."""
        return tuple(self._rank(*shape) for shape in self.hidden_shapes)

    def _rank(self, d_in: int, d_out: int) -> int:
        return min(DEFAULT_RANK, d_in, d_out) if self.rank == "auto" else int(self.rank)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data, ready for JSON."""
        return {**asdict(self), "hidden_layer_sizes": list(self.hidden_layer_sizes)}

    def _adapter(self, mode: Mode, d_in: int, d_out: int) -> Adapter:
        rank = self._rank(d_in, d_out)
        alpha = float(rank) if self.lora_alpha is None else float(self.lora_alpha)
        return Adapter(
            mode=mode,
            rank=rank,
            scaling=alpha / rank if self.scaling == "lora" else alpha / rank**0.5,
            beta=1.0 if isinstance(self.beta, str) else float(self.beta),
            learn_beta=self.beta != "fixed",
            b_init=self.b_init,
            dropout=self.adapter_dropout,
        )

    def build(self) -> Sequential:
        """Return the layers, not yet bound to parameters."""
        layers: list[Layer] = []
        for i, (d_in, d_out) in enumerate(self.hidden_shapes):
            path = f"layers.{i}"
            residual = self.residual and d_in == d_out
            # A bias that nothing separates from the activation is added with it, in one pass.
            fused_bias = self.bias and not self.layer_norm and not residual
            dense: Layer = AdaptedDense(
                path,
                d_in,
                d_out,
                self._adapter(self.adapter, d_in, d_out),
                bias=self.bias and not fused_bias,
                needs_dx=i > 0,
            )
            layers.append(Residual(dense) if residual else dense)
            if self.layer_norm:
                layers.append(LayerNorm(f"{path}.norm", d_out))
            bias_width = d_out if fused_bias else 0
            layers.append(Activation(self.activation, path, bias_width, self.dropout))
        layers.append(self._build_head())
        return Sequential(layers)

    def _build_head(self) -> Layer:
        d_in, d_out = self.widths[-2:]
        needs_dx = bool(self.hidden_layer_sizes)
        if self.head == "full":
            return Dense("head", d_in, d_out, needs_dx=needs_dx)
        adapter = self._adapter("lora", d_in, d_out)
        return AdaptedDense("head", d_in, d_out, adapter, self.head == "lora+bias", needs_dx)
