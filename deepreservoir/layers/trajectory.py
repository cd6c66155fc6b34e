"""The tokens of trajectories: embeddings of returns-to-go, observations and actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend import Array, array_module
from .base import INFERENCE, Cache, Layer, Pass
from .multiply_adds import MultiplyAdds
from .norm import LayerNorm
from .plain_dense import Dense
from .token_embedding import TokenEmbedding

#: Tokens of a step: return-to-go, observation and action.
TOKENS_PER_STEP = 3


class TrajectoryEmbedding(Layer):
    """Three tokens for each step of a trajectory: (n, k, 1 + d_o + d_a) -> (n, 3 k, width).

    The columns of a step are its return-to-go, its observation and its action. Each of the three
    has a trained linear embedding, to which the trained embedding of the time step is added; the
    tokens are normalised (Chen et al., 2021, Decision Transformer). It is the first layer of a
    network.

    Parameters
    ----------
    path : str
    n_observations, n_actions : int
        Numbers of columns of an observation, and of an action.
    max_steps : int
        Number of time steps that have an embedding; the side array ``time_steps`` (n, k) is below.
    width : int
    """

    reads = ("time_steps",)

    def __init__(
        self, path: str, n_observations: int, n_actions: int, max_steps: int, width: int
    ) -> None:
        super().__init__(path)
        self.width = width
        self.time = TokenEmbedding(f"{path}.time", max_steps, width)
        first = 1 + n_observations
        widths = {"return": 1, "observation": n_observations, "action": n_actions}
        self._columns = (slice(0, 1), slice(1, first), slice(first, first + n_actions))
        self.parts = [
            Dense(f"{path}.{name}", d_in, width, needs_dx=False) for name, d_in in widths.items()
        ]
        self.norm = LayerNorm(f"{path}.norm", width)

    @property
    def children(self) -> Sequence[Layer]:
        return (self.time, *self.parts, self.norm)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        n, k = x.shape[:2]
        at, time_cache = self.time.forward(on.side["time_steps"], on)  # (n, k, width)
        tokens = array_module(x).empty((n, k, TOKENS_PER_STEP, self.width), at.dtype)
        caches = []
        for i, (part, columns) in enumerate(zip(self.parts, self._columns, strict=True)):
            y, cache = part.forward(x[:, :, columns], on)
            tokens[:, :, i] = y
            caches.append(cache)
        tokens += at[:, :, None]
        y, norm_cache = self.norm.forward(tokens.reshape(n, -1, self.width), on)
        return y, (time_cache, caches, norm_cache) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> None:
        time_cache, caches, norm_cache = cache
        dtokens: Any = self.norm.backward(dy, norm_cache)  # (n, 3 k, width)
        dtokens = dtokens.reshape(len(dy), -1, TOKENS_PER_STEP, self.width)
        for i, (part, part_cache) in enumerate(zip(self.parts, caches, strict=True)):
            part.backward(dtokens[:, :, i], part_cache)
        self.time.backward(dtokens.sum(axis=2), time_cache)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], TOKENS_PER_STEP * shape[-2], self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        total = MultiplyAdds()
        for part in self.parts:
            total += part.multiply_adds((*shape[:-1], part.d_in))
        return total


class ObservationTokens(Layer):
    """The tokens of observations, by which actions are predicted: (n, 3 k, d) -> (n, k, d)."""

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        return x[:, 1::TOKENS_PER_STEP].copy(), None

    def backward(self, dy: Array, cache: Cache) -> Array:
        n, k, width = dy.shape
        dx = array_module(dy).zeros((n, TOKENS_PER_STEP * k, width), dy.dtype)
        dx[:, 1::TOKENS_PER_STEP] = dy
        return dx

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-2] // TOKENS_PER_STEP, shape[-1])

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
