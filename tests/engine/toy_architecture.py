"""An architecture that is in no file of the package: a perceptron that keeps running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepreservoir.estimators import DeepClassifier, SeedGated, register_estimator
from deepreservoir.layers import (
    INFERENCE,
    Activation,
    AdaptedDense,
    Dense,
    Layer,
    Pass,
    Recompute,
    Sequential,
)
from deepreservoir.models import NetworkConfig, architecture
from deepreservoir.params import Slot


class Centred(Layer):
    """Features less their mean: of the batch in training, running otherwise.

    The running mean and a count of the batches are buffers.
    """

    def __init__(self, path: str, width: int, momentum: float) -> None:
        super().__init__(path)
        self.width, self.momentum = width, momentum

    def own_slots(self) -> list[Slot]:
        return [
            Slot(f"{self.path}.mean", (self.width,), "buffer", init=0.25),
            Slot(f"{self.path}.count", (1,), "buffer"),
        ]

    def forward(self, x: Any, on: Pass = INFERENCE) -> tuple[Any, Any]:
        if not on.training:
            return x - self.mean, None
        rows = x.reshape(-1, self.width)
        mean = rows.mean(axis=0)
        if not on.replay:
            self.mean *= 1 - self.momentum
            self.mean += self.momentum * mean
            self.count += 1
        return x - mean, ()

    def backward(self, dy: Any, cache: Any) -> Any:
        return dy - dy.reshape(-1, self.width).mean(axis=0)


@architecture("toy_statistics")
@dataclass(frozen=True)
class ToyStatistics(NetworkConfig):
    """One adapted layer, centred."""

    merges_samples = False

    n_features: int
    n_outputs: int
    width: int = 8
    momentum: float = 0.25
    recomputed: bool = False

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    def build(self) -> tuple[Layer, Layer]:
        shape = (self.n_features, self.width)
        body: Layer = Sequential([
            AdaptedDense("layers.0", *shape, self.adapter_of(*shape), needs_dx=False),
            Centred("layers.0.centred", self.width, self.momentum),
            Activation("tanh", "layers.0"),
        ])  # fmt: skip
        return Recompute(body) if self.recomputed else body, Dense(
            "head", self.width, self.n_outputs
        )


@dataclass(eq=False, repr=False)
class Toy:
    """The parameters of the toy architecture, and its configuration."""

    width: int = 8
    momentum: float = 0.25
    recomputed: bool = False

    def network_config(self, n_features: int, n_outputs: int) -> ToyStatistics:
        return ToyStatistics(
            n_features=n_features,
            n_outputs=n_outputs,
            width=self.width,
            momentum=self.momentum,
            recomputed=self.recomputed,
            **self.adaptation(),
        )


@register_estimator
@dataclass(eq=False, repr=False)
class ToyStatisticsClassifier(Toy, DeepClassifier):
    """A classifier whose network keeps running statistics."""


@register_estimator
@dataclass(eq=False, repr=False)
class ToySeedGatedClassifier(Toy, SeedGated):
    """Several tasks with running statistics: one set per scaffold."""
