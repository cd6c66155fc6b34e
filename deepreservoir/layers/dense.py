"""A dense layer of frozen weights with a trained low-rank path.

``y = beta x W^T + s (x A^T) B^T + b`` with W frozen (paper, arXiv 2604.08749, section 3).
A training step takes two products with W, where full training needs three.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import kernels
from ..backend import Array, array_module, to_host
from ..params import Slot
from .adapter import Adapter
from .base import (
    INFERENCE,
    Cache,
    Layer,
    Pass,
    ScaffoldRequest,
    as_rows,
    count_rows,
    like_rows,
)
from .combined import NORM_EPS, Narrow, narrow, narrow_backward, narrow_forward
from .dropout import dropout_mask
from .equal_parts import outputs_of_equal_parts
from .multiply_adds import MultiplyAdds, trained_product

#: Norms of the rows of beta W + s B A, (d_out,), W A^T and B (A A^T), both (d_out, rank).
RowNorms = tuple[Array, Array, Array]


class AdaptedDense(Layer):
    """A dense layer on a scaffold W, adapted in one of four modes.

    Every architecture uses it for its adapted matrix products; the layers around it only
    rearrange the inputs.

    Parameters
    ----------
    path : str
    d_in, d_out : int
    adapter : Adapter
    bias : bool
    needs_dx : bool, default=True
        False for the first layer of a network, whose input gradient is not computed.
    gain : float, default=1.0
        Factor applied to the scale that the configuration gives the scaffold.

    Examples
    --------
    >>> layer = AdaptedDense("layers.0", 64, 32, Adapter(rank=4))
    >>> [(slot.path, slot.shape) for slot in layer.slots()]
    [('layers.0.A', (4, 64)), ('layers.0.B', (32, 4)), ('layers.0.beta', (1,))]
    >>> layer.scaffold_requests()[0].shape
    (32, 64)
    """

    weight: Array  # (d_out, d_in)
    dweight: Array
    A: Array  # (rank, d_in)
    dA: Array
    B: Array  # (d_out, rank)
    dB: Array
    magnitude: Array  # (d_out,)
    dmagnitude: Array
    dbeta: Array
    bias: Array  # (d_out,)
    dbias: Array

    def __init__(
        self,
        path: str,
        d_in: int,
        d_out: int,
        adapter: Adapter,
        bias: bool = False,
        needs_dx: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__(path)
        self.d_in, self.d_out = d_in, d_out
        self.adapter = adapter
        self.gain = gain
        self.has_bias = bias
        self.needs_dx = needs_dx
        self.learns_beta = adapter.low_rank and adapter.learn_beta
        self.beta: Any = adapter.beta  # a trained array of one entry, (1,), once bound

    def own_slots(self) -> list[Slot]:
        path, adapter = self.path, self.adapter
        slots = []
        if adapter.mode == "full":
            slots.append(Slot(f"{path}.weight", (self.d_out, self.d_in), "weight", init=0.0))
        if adapter.low_rank:
            start = 0.0 if adapter.b_init == "zeros" else None
            slots.append(Slot(f"{path}.A", (adapter.rank, self.d_in), "adapter"))
            slots.append(Slot(f"{path}.B", (self.d_out, adapter.rank), "adapter", init=start))
        if adapter.mode == "dora":
            slots.append(Slot(f"{path}.magnitude", (self.d_out,), "scale", init=1.0))
        if self.learns_beta:
            slots.append(Slot(f"{path}.beta", (1,), "scale", init=adapter.beta))
        if self.has_bias:
            slots.append(Slot(f"{path}.bias", (self.d_out,), "bias", init=0.0))
        return slots

    def own_requests(self) -> list[ScaffoldRequest]:
        frozen = self.adapter.mode != "full"
        return [ScaffoldRequest(self.path, (self.d_out, self.d_in), self.gain, frozen)]

    def initialise_own(self, seed: int) -> None:
        super().initialise_own(seed)
        if self.adapter.mode == "full":
            for rows, tile in self.scaffold.product_tiles(np.float32):
                self.weight[rows.start : rows.stop] = tile * self.adapter.beta
        if self.adapter.mode == "dora":
            self.magnitude[...] = self._norms()[0]

    @property
    def beta_value(self) -> float:
        """The scale of the scaffold, learned or fixed."""
        return float(self.beta[0]) if self.learns_beta else float(self.adapter.beta)

    def effective_weight(self) -> np.ndarray:
        """Return the single matrix equivalent to scaffold and adapter: float64, on the host.

        ``W_eff = beta W + s B A``, (d_out, d_in); under DoRA its rows have the trained norms.
        """
        if self.adapter.mode == "full":
            return to_host(self.weight).astype(np.float64)
        weight = self.raw_weight()
        if self.adapter.mode == "dora":
            norms = np.sqrt((weight * weight).sum(axis=1) + NORM_EPS)
            weight *= (to_host(self.magnitude) / norms)[:, None]
        return weight

    def raw_weight(self) -> np.ndarray:
        """Return ``beta W + s B A``, (d_out, d_in): float64, on the host."""
        weight = self.scaffold.dense().astype(np.float64)
        weight *= self.beta_value
        if self.adapter.low_rank:
            A, B = (to_host(part).astype(np.float64) for part in (self.A, self.B))
            weight += self.adapter.scaling * kernels.product(B, A)
        return weight

    # Forward -------------------------------------------------------------------------

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if x.ndim != 2:
            y, cache = self.forward(as_rows(x), on)
            return like_rows(y, x), cache
        if on.training and self.path not in on.products and narrow(self, x):
            return narrow_forward(self, x)
        return self.forward_rows(x, on, self.row_norms())

    def row_norms(self) -> RowNorms | None:
        """Return what DoRA needs once per call, however many blocks of rows it has; else None."""
        return self._norms() if self.adapter.mode == "dora" else None

    def forward_rows(self, x: Array, on: Pass, norms: RowNorms | None) -> tuple[Array, Cache]:
        """Return the output of a block of rows (n, d_in), and the cache for `backward_rows`."""
        adapter, training = self.adapter, on.step is not None
        if adapter.mode == "full":
            y = kernels.product(x, self.weight.T)
            if self.has_bias:
                y += self.bias
            return y, x if training else None
        base, z, mask = self.parts(x, on)
        v, bias = None, self.bias if self.has_bias else None
        if adapter.low_rank:
            within = bias if norms is None else None  # else it is added after the scaling
            y, _ = kernels.combine(base, self.beta, z, self.B.T, within)
            if norms is not None:
                v, y = y, y * (self.magnitude / norms[0])
        else:
            y = self._scaled(base, given=self.path in on.products)
        if bias is not None and (z is None or norms is not None):
            y += bias
        return y, self.cache(x, z, mask, base, norms, v) if training else None

    def parts(self, x: Array, on: Pass) -> tuple[Array, Array, Any]:
        """Return the frozen product (n, d_out), the read-in (n, rank) and its dropout mask.

        Without a low-rank path the last two are None.
        """
        base, z, mask = on.products.get(self.path), None, None
        if self.adapter.low_rank:
            with kernels.aside("low rank", x):
                z, mask = self._read_in(x, on)
        base = self.scaffold.matmul(x) if base is None else as_rows(base)
        kernels.join("low rank")
        return base, z, mask

    def _scaled(self, product: Array, given: bool = False) -> Array:
        """Return a product with W times a fixed beta; in place, unless it was given."""
        if given:
            return product * self.beta
        if self.beta != 1.0:
            product *= self.beta
        return product

    def cache(
        self,
        x: Array,
        z: Array,
        mask: Any,
        base: Array,
        norms: RowNorms | None = None,
        unscaled: Array | None = None,
    ) -> Cache:
        """Return what `backward_rows` needs of a forward pass."""
        base_for_beta = base if self.learns_beta and not self.needs_dx else None
        return x, z, mask, base_for_beta, norms, unscaled

    def _read_in(self, x: Array, on: Pass) -> tuple[Array, Array]:
        """Return the scaled read-in s x A^T, (n, rank), and the dropout mask or None."""
        mask = None
        if on.step is not None and self.adapter.dropout:
            mask = dropout_mask(x, self.adapter.dropout, f"{self.path}.A", on)
            x = kernels.masked(x, mask)
        return kernels.project(x, self.A, self.adapter.scaling), mask

    def cache_of_rows(self, x: Array, on: Pass, norms: RowNorms | None) -> Cache:
        """Return the cache of `forward_rows` for rows that were not kept, without their output."""
        if norms is None and (self.needs_dx or not self.learns_beta):
            z, mask = self._read_in(x, on) if self.adapter.low_rank else (None, None)
            return x if self.adapter.mode == "full" else (x, z, mask, None, None, None)
        return self.forward_rows(x, on, norms)[1]

    # Backward ------------------------------------------------------------------------

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        if dy.ndim != 2:
            dx = self.backward(as_rows(dy), cache)
            return None if dx is None else like_rows(dx, dy)
        if self.has_bias:  # dy: (n, d_out)
            self.dbias += dy.sum(axis=0)
        if isinstance(cache, Narrow):
            return narrow_backward(self, dy, cache)
        if self.adapter.mode == "dora":
            *_, norms, v = cache
            self.norms_backward((dy * v).sum(axis=0), norms)
            return self.backward_rows(dy, cache)
        return self.backward_rows(dy, cache, branch="gradients")

    def backward_rows(
        self, dy: Array, cache: Cache, branch: str | None = None, u: Array | None = None
    ) -> Array | None:
        """Do the part of `backward` that is a sum over rows, without bias and magnitude.

        Gradients of trained arrays are added in a branch, if one is named. `u`, s dy B, is
        computed unless given.
        """
        if self.adapter.mode == "full":
            with kernels.aside(branch, dy, cache) if branch else nullcontext():
                kernels.add_product_(self.dweight, dy.T, cache)
            return kernels.product(dy, self.weight) if self.needs_dx else None
        x, z, mask, base, norms, _ = cache
        if norms is not None:
            dy = dy * (self.magnitude / norms[0])
        if not self.adapter.low_rank:
            return self._scaled(self.scaffold.rmatmul(dy)) if self.needs_dx else None
        if u is None:
            with kernels.aside("low rank", dy):
                u = kernels.project(dy, self.B.T, self.adapter.scaling)  # (n, rank)
        g = self.scaffold.rmatmul(dy) if self.needs_dx else None  # (n, d_in)
        kernels.join("low rank")
        dx = dots = None
        if g is not None and mask is None:
            # g may be overwritten: rmatmul has returned a new array.
            dotted = x if self.learns_beta else None
            dx, dots = kernels.combine(g, self.beta, u, self.A, dotted=dotted, overwrite=True)
        elif g is not None:
            dots = kernels.dot(x, g) if self.learns_beta else None
            dx = g * self.beta
            dx += kernels.masked(kernels.product(u, self.A), mask)
        elif self.learns_beta:
            dots = kernels.dot(dy, base)
        dbeta = self.dbeta if self.learns_beta else None
        masked = x if mask is None else kernels.masked(x, mask)
        with kernels.aside(branch, u, masked, z, dy, dots) if branch else nullcontext():
            kernels.add_low_rank_gradients_(self.dA, self.dB, dbeta, u, masked, z, dy, dots)
        return dx

    # Shared and precomputed products ----------------------------------------------------

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        alike = [o for o in others if isinstance(o, AdaptedDense) and o._shares(self)]
        if self.adapter.mode == "full" or len(alike) < len(others):
            return super().side_by_side(others, x, parts)
        product = like_rows(self.scaffold.matmul(as_rows(x)), x)  # (n, ..., d_out)
        outputs = outputs_of_equal_parts((self, *alike), x, product, parts)
        if outputs is not None:
            return outputs
        return array_module(x).concatenate(
            [
                layer.forward(x[rows], Pass(products={layer.path: product[rows]}))[0]
                for layer, rows in zip((self, *alike), parts, strict=True)
            ]
        )

    def _shares(self, other: AdaptedDense) -> bool:
        """Return whether this layer has the same frozen weights as another."""
        if self.adapter.mode == "full":
            return False
        return self.scaffold is other.scaffold or self.scaffold.spec == other.scaffold.spec

    def frozen_widths(self) -> dict[str, int]:
        return {} if self.adapter.mode == "full" else {self.path: self.d_out}

    def frozen(self, x: Array, on: Pass = INFERENCE) -> dict[str, Array]:
        if self.adapter.mode == "full":
            return {}
        return {self.path: like_rows(self.scaffold.matmul(as_rows(x)), x)}

    # Costs --------------------------------------------------------------------------------

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.d_out)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        rows, rank, d_in, d_out = count_rows(shape), self.adapter.rank, self.d_in, self.d_out
        if self.adapter.mode == "full":
            return trained_product(rows, d_in, d_out, self.needs_dx)
        forward = self.scaffold.multiply_adds()
        backward = self.scaffold.multiply_adds(backward=True)
        # x W^T; g = dy W.
        count = MultiplyAdds(rows * forward, rows * backward if self.needs_dx else 0)
        if self.adapter.low_rank:
            read, inject = rows * rank * d_in, rows * rank * d_out
            # z = x A^T and z B^T; u = dy B, dA = u^T x, dB = dy^T z, and u A.
            count += MultiplyAdds(
                read + inject, inject + read + inject + (read if self.needs_dx else 0)
            )
        if self.adapter.mode == "dora":
            # A W^T, A A^T and B (A A^T); (e B)^T W, B^T (e B) and its product with A.
            small = rank * rank * (d_in + d_out)
            count += MultiplyAdds(
                forward_call=rank * forward + small, backward_call=rank * backward + small
            )
        return count

    # Weight decomposition (DoRA) ------------------------------------------------------

    def _norms(self) -> RowNorms:
        """Return the row norms of V = beta W + s B A without forming V, W A^T and B (A A^T).

        ``|V_i|^2 = beta^2 |W_i|^2 + 2 beta s B_i . (A W^T)_i + s^2 B_i (A A^T) B_i^T``
        """
        xp, s = array_module(self.A), self.adapter.scaling
        cross = self.scaffold.matmul(self.A).T  # (d_out, rank): W A^T
        spread = kernels.product(self.B, kernels.product(self.A, self.A.T))  # (d_out, rank)
        squared = (
            self.beta * self.beta * self.scaffold.row_norms_squared
            + 2 * s * self.beta * (cross * self.B).sum(axis=1)
            + s * s * (spread * self.B).sum(axis=1)
        )
        return xp.sqrt(xp.maximum(squared, 0) + NORM_EPS), cross, spread

    def norms_backward(self, along: Array, norms: RowNorms) -> None:
        """Add the gradients that pass through magnitude and norm.

        The norm is differentiated too (Liu et al., 2024, treat it as a constant), so the
        gradient is exact.

        Parameters
        ----------
        along : array, shape (d_out,)
            Sum over all rows of dy times the output before scaling.
        norms : tuple of array
            The :meth:`row_norms` of the forward pass.
        """
        norm, cross, spread = norms
        s, ratio = self.adapter.scaling, self.magnitude / norm
        self.dmagnitude += along / norm
        # Gradient with respect to half the squared norm of each row.
        e = -along * ratio / (norm * norm)  # (d_out,)
        eB = e[:, None] * self.B  # (d_out, rank)
        self.dB += e[:, None] * (s * self.beta * cross + s * s * spread)
        self.dA += s * self.beta * self.scaffold.rmatmul(eB.T)
        self.dA += s * s * kernels.product(kernels.product(self.B.T, eB), self.A)
        if self.learns_beta:
            slope = self.beta * self.scaffold.row_norms_squared + s * (cross * self.B).sum(axis=1)
            self.dbeta += kernels.dot(e, slope)
