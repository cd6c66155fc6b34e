"""The heart: frozen weights with a trained low-rank path, and the plain dense layer.

``y = beta x W^T + s (x A^T) B^T + b`` with W frozen (paper, arXiv 2604.08749, section 3).
Two products with W a training step, where full training needs three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import kernels
from ..backend import Array, array_module, to_host
from ..params import Slot
from ..scaffold import Scaffold
from .base import Cache, Layer, ScaffoldRequest, Train, init_stream
from .dropout import dropout_mask
from .init import assign, kaiming_uniform

Mode = Literal["lora", "dora", "full", "none"]

# Keeps DoRA's norm away from zero, where scaffold and injection both vanish.
_NORM_EPS = 1e-12


@dataclass(frozen=True)
class Adapter:
    """How a frozen matrix is adapted.

    Attributes
    ----------
    mode : {"lora", "dora", "full", "none"}
        A low-rank path; the same, weight-decomposed; W itself trained, from the scaffold's
        values on; or nothing trained.
    rank : int
    scaling : float
        s, the factor of the low-rank path.
    beta : float
        Start value of the scaffold's scale.
    learn_beta : bool
    b_init : {"zeros", "kaiming"}
        Start of the injection B.
    dropout : float
        Share of the read-in's input that is dropped while training.
    """

    mode: Mode = "lora"
    rank: int = 8
    scaling: float = 1.0
    beta: float = 1.0
    learn_beta: bool = True
    b_init: Literal["zeros", "kaiming"] = "zeros"
    dropout: float = 0.0

    @property
    def low_rank(self) -> bool:
        return self.mode in ("lora", "dora")


class AdaptedDense(Layer):
    """A dense layer on a scaffold W, adapted in one of four modes.

    Parameters
    ----------
    path : str
    d_in, d_out : int
    adapter : Adapter
    bias : bool
    needs_dx : bool, default=True
        False for the first layer of a network, which skips its input gradient.
    """

    def __init__(
        self,
        path: str,
        d_in: int,
        d_out: int,
        adapter: Adapter,
        bias: bool = False,
        needs_dx: bool = True,
    ) -> None:
        super().__init__(path)
        self.d_in, self.d_out = d_in, d_out
        self.adapter = adapter
        self.has_bias = bias
        self.needs_dx = needs_dx
        self.learns_beta = adapter.low_rank and adapter.learn_beta

    def slots(self) -> list[Slot]:
        path, rank = self.path, self.adapter.rank
        slots = []
        if self.adapter.mode == "full":
            slots.append(Slot(f"{path}.weight", (self.d_out, self.d_in)))
        if self.adapter.low_rank:
            slots.append(Slot(f"{path}.A", (rank, self.d_in)))
            slots.append(Slot(f"{path}.B", (self.d_out, rank)))
        if self.adapter.mode == "dora":
            slots.append(Slot(f"{path}.magnitude", (self.d_out,), decay=False))
        if self.learns_beta:
            slots.append(Slot(f"{path}.beta", (1,), decay=False))
        if self.has_bias:
            slots.append(Slot(f"{path}.bias", (self.d_out,), decay=False))
        return slots

    def scaffold_requests(self) -> list[ScaffoldRequest]:
        return [ScaffoldRequest(self.path, (self.d_out, self.d_in))]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        path, mode = self.path, self.adapter.mode
        self.scaffold = scaffolds[path]
        if mode == "full":
            self.weight, self.dweight = values[f"{path}.weight"], grads[f"{path}.weight"]
        if self.adapter.low_rank:
            self.A, self.dA = values[f"{path}.A"], grads[f"{path}.A"]  # (rank, d_in)
            self.B, self.dB = values[f"{path}.B"], grads[f"{path}.B"]  # (d_out, rank)
        if mode == "dora":
            self.magnitude = values[f"{path}.magnitude"]  # (d_out,)
            self.dmagnitude = grads[f"{path}.magnitude"]
        if self.learns_beta:
            self.beta, self.dbeta = values[f"{path}.beta"], grads[f"{path}.beta"]  # (1,)
        else:
            self.beta = self.adapter.beta
        if self.has_bias:
            self.bias, self.dbias = values[f"{path}.bias"], grads[f"{path}.bias"]  # (d_out,)

    def initialise(self, seed: int) -> None:
        path, rank = self.path, self.adapter.rank
        if self.adapter.mode == "full":
            for rows, tile in self.scaffold.product_tiles(np.float32):
                self.weight[rows.start : rows.stop] = tile * self.adapter.beta
        if self.adapter.low_rank:
            assign(self.A, kaiming_uniform(init_stream(seed, f"{path}.A"), self.A.shape, self.d_in))
            if self.adapter.b_init == "kaiming":
                assign(self.B, kaiming_uniform(init_stream(seed, f"{path}.B"), self.B.shape, rank))
            else:
                self.B[...] = 0
        if self.learns_beta:
            self.beta[...] = self.adapter.beta
        if self.adapter.mode == "dora":
            self.magnitude[...] = self._norms()[0]
        if self.has_bias:
            self.bias[...] = 0

    @property
    def beta_value(self) -> float:
        """The scale of the scaffold, learned or fixed."""
        return float(self.beta[0]) if self.learns_beta else float(self.adapter.beta)

    def effective_weight(self) -> np.ndarray:
        """Return the one matrix that scaffold and adapter amount to: float64, on the host.

        ``W_eff = beta W + s B A``, (d_out, d_in); under DoRA its rows have the lengths that were
        trained.
        """
        if self.adapter.mode == "full":
            return to_host(self.weight).astype(np.float64)
        weight = self.scaffold.dense().astype(np.float64)
        weight *= self.beta_value
        if self.adapter.low_rank:
            A, B = (to_host(part).astype(np.float64) for part in (self.A, self.B))
            weight += self.adapter.scaling * (B @ A)
        if self.adapter.mode == "dora":
            norms = np.sqrt((weight * weight).sum(axis=1) + _NORM_EPS)
            weight *= (to_host(self.magnitude) / norms)[:, None]
        return weight

    # Forward -------------------------------------------------------------------------

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        adapter = self.adapter
        if adapter.mode == "full":
            y = x @ self.weight.T
            if self.has_bias:
                y += self.bias
            return y, x if train else None
        if base is None:
            base = self.scaffold.matmul(x)  # (n, d_out)
        y = base * self.beta
        z = mask = norms = v = None
        if adapter.low_rank:
            x_in = x
            if train and adapter.dropout:
                mask = dropout_mask(x, adapter.dropout, f"{self.path}.A", train)
                x_in = kernels.masked(x, mask)
            z = x_in @ self.A.T  # (n, rank)
            z *= adapter.scaling
            y += z @ self.B.T
        if adapter.mode == "dora":
            norms = self._norms()
            v, y = y, y * (self.magnitude / norms[0])
        if self.has_bias:
            y += self.bias
        if not train:
            return y, None
        kept = base if self.learns_beta and not self.needs_dx else None
        return y, (x, z, mask, kept, norms, v)

    # Backward ------------------------------------------------------------------------

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        if self.has_bias:
            self.dbias += dy.sum(axis=0)
        if self.adapter.mode == "full":
            self.dweight += dy.T @ cache
            return dy @ self.weight if self.needs_dx else None
        x, z, mask, base, norms, v = cache
        if self.adapter.mode == "dora":
            dy = self._magnitude_backward(dy, norms, v)
        g = self.scaffold.rmatmul(dy) if self.needs_dx else None  # (n, d_in)
        if self.learns_beta:
            self.dbeta += _dot(x, g) if g is not None else _dot(dy, base)
        u = None
        if self.adapter.low_rank:
            u = dy @ self.B  # (n, rank)
            u *= self.adapter.scaling
            self.dA += u.T @ (x if mask is None else kernels.masked(x, mask))
            self.dB += dy.T @ z
        if g is None:
            return None
        dx = g  # ours to write to: the product has just been made
        dx *= self.beta
        if u is not None:
            low = u @ self.A  # (n, d_in)
            dx += low if mask is None else kernels.masked(low, mask)
        return dx

    # Weight decomposition (DoRA) ------------------------------------------------------

    def _norms(self) -> tuple[Array, Array, Array]:
        """Return the row norms of V = beta W + s B A, without V, and what led to them.

        ``|V_i|^2 = beta^2 |W_i|^2 + 2 beta s B_i . (A W^T)_i + s^2 B_i (A A^T) B_i^T``
        """
        xp, s = array_module(self.A), self.adapter.scaling
        cross = self.scaffold.matmul(self.A).T  # (d_out, rank): W A^T
        spread = self.B @ (self.A @ self.A.T)  # (d_out, rank)
        squared = (
            self.beta * self.beta * self.scaffold.row_norms_squared
            + 2 * s * self.beta * (cross * self.B).sum(axis=1)
            + s * s * (spread * self.B).sum(axis=1)
        )
        return xp.sqrt(xp.maximum(squared, 0) + _NORM_EPS), cross, spread

    def _magnitude_backward(self, dy: Array, norms: tuple[Array, Array, Array], v: Array) -> Array:
        """Add the gradients that pass through magnitude and norm; return that of v.

        The norm is differentiated too (Liu et al., 2024, treat it as a constant), so the
        gradient is exact.
        """
        norm, cross, spread = norms
        s, ratio = self.adapter.scaling, self.magnitude / norm
        along = (dy * v).sum(axis=0)  # (d_out,)
        self.dmagnitude += along / norm
        # Gradient of half the squared norm of each row.
        e = -along * ratio / (norm * norm)  # (d_out,)
        eB = e[:, None] * self.B  # (d_out, rank)
        self.dB += e[:, None] * (s * self.beta * cross + s * s * spread)
        self.dA += s * self.beta * self.scaffold.rmatmul(eB.T)
        self.dA += s * s * ((self.B.T @ eB) @ self.A)
        if self.learns_beta:
            own = self.beta * self.scaffold.row_norms_squared + s * (cross * self.B).sum(axis=1)
            self.dbeta += _dot(e, own)
        return dy * ratio


class Dense(Layer):
    """A plain trained layer, ``y = x W^T + b``: the head of most networks.

    Parameters
    ----------
    path : str
    d_in, d_out : int
    bias : bool, default=True
    needs_dx : bool, default=True
    """

    def __init__(
        self, path: str, d_in: int, d_out: int, bias: bool = True, needs_dx: bool = True
    ) -> None:
        super().__init__(path)
        self.d_in, self.d_out = d_in, d_out
        self.has_bias = bias
        self.needs_dx = needs_dx

    def slots(self) -> list[Slot]:
        slots = [Slot(f"{self.path}.weight", (self.d_out, self.d_in))]
        if self.has_bias:
            slots.append(Slot(f"{self.path}.bias", (self.d_out,), decay=False))
        return slots

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        self.weight, self.dweight = values[f"{self.path}.weight"], grads[f"{self.path}.weight"]
        if self.has_bias:
            self.bias, self.dbias = values[f"{self.path}.bias"], grads[f"{self.path}.bias"]

    def initialise(self, seed: int) -> None:
        weight = init_stream(seed, f"{self.path}.weight")
        assign(self.weight, kaiming_uniform(weight, self.weight.shape, self.d_in))
        if self.has_bias:
            bias = init_stream(seed, f"{self.path}.bias")
            assign(self.bias, kaiming_uniform(bias, self.bias.shape, self.d_in))

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        y = x @ self.weight.T
        if self.has_bias:
            y += self.bias
        return y, x if train else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        self.dweight += dy.T @ cache
        if self.has_bias:
            self.dbias += dy.sum(axis=0)
        return dy @ self.weight if self.needs_dx else None


def _dot(a: Array, b: Array) -> Array:
    """Return the sum of the products of all entries."""
    return array_module(a).vdot(a, b)
