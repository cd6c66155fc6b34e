"""A closed-form continuous-time cell (CfC) over series of unequal length (Hasani et al., 2022).

With the elapsed time t since the step before, and the state h of that step:

    z = backbone([x, h])                       dense layers with silu
    h' = (1 - g) tanh(ff1 z) + g tanh(ff2 z),  g = sigmoid(t (time_a z) + time_b z)

The output is the state after the last step of each series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..backend import Array, array_module, on_device_of
from ..kernels.dropout import Mask
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass, count_rows
from .dense import AdaptedDense
from .dropout import dropout_mask
from .multiply_adds import MultiplyAdds
from .step_products import StepProducts

#: Number of steps whose input projections are one product, and that are recomputed at a time.
SEGMENT = 16

# Gradients fade over many steps to denormal numbers, with which processors compute many times more
# slowly. Adding and subtracting this number rounds them to zero before: in float32 below 1e-27.
_ROUNDED = 1e-20

HEADS = ("ff1", "ff2", "time_a", "time_b")


@dataclass(frozen=True)
class _Order:
    """The steps of a batch, packed without padding: step by step, the longest series first.

    Attributes
    ----------
    series : ndarray of int, shape (n,)
        The series in order of decreasing length.
    counts : ndarray of int, shape (time,)
        Number of series that have each step: the first so many.
    """

    series: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(lengths: np.ndarray) -> _Order:
        series = np.argsort(-lengths, kind="stable")
        counts = np.searchsorted(np.sort(lengths), np.arange(lengths.max()), side="right")
        return _Order(series, len(lengths) - counts)

    def segments(self) -> Iterator[_Segment]:
        """Yield runs of consecutive steps, in order."""
        for first in range(0, len(self.counts), SEGMENT):
            counts = self.counts[first : first + SEGMENT]
            bounds = np.concatenate([[0], np.cumsum(counts)])
            rows = tuple(slice(*pair) for pair in pairwise(bounds.tolist()))
            yield _Segment(first, rows, rows[-1].stop)

    def index(self, segment: _Segment, steps: int) -> np.ndarray:
        """Return the rows of a segment in an array (n, steps, ...) whose first axes are merged."""
        counts = [rows.stop - rows.start for rows in segment.rows]
        parts = [self.series[:n] * steps + segment.first + i for i, n in enumerate(counts)]
        return np.concatenate(parts)


class _Segment(NamedTuple):
    """Consecutive steps: the first step, the rows of each step, and the number of rows."""

    first: int
    rows: tuple[slice, ...]
    size: int

    @property
    def steps(self) -> Iterator[tuple[int, slice]]:
        """The number of each step, and its rows."""
        return iter([(self.first + i, rows) for i, rows in enumerate(self.rows)])


class _Kept(NamedTuple):
    """What the backward pass of a segment needs, by step; `z` by layer of the backbone."""

    z: list[Array]  # each (rows, backbone_units)
    slopes: list[list[Any]]
    gates: list[Array | None]
    caches: list[list[Cache]]


class _Weights(NamedTuple):
    """The matrices of a pass."""

    backbone: list[StepProducts]
    heads: StepProducts


class _Cache(NamedTuple):
    order: _Order
    weights: _Weights
    on: Pass
    segments: list[_Segment]
    inputs: list[Array]  # [x, h] of each segment, (rows, d_in + units)
    elapsed: list[Array]  # each (rows,)
    kept: list[_Kept | None]


class CfC(Layer):
    """A closed-form continuous-time cell, read after the last step of each series.

    Every matrix is an :class:`AdaptedDense`. Steps beyond the length of a series are not computed.

    Parameters
    ----------
    path : str
    d_in : int
        Width of the inputs.
    units : int
        Width of the state.
    backbone_units, backbone_layers : int
        Width and number of the layers of the backbone.
    adapter_of : callable
        (d_in, d_out) -> Adapter.
    dropout : float, default=0
        Fraction of the activations that is dropped during training after each layer of the
        backbone but the first.
    recompute : bool, default=False
        Whether the backward pass computes activations again, a few steps at a time, instead of
        keeping them: the gradients have the same bits, in less memory and more time.

    Notes
    -----
    It reads two side arrays: ``elapsed`` (n, time), the time since the step before; and
    ``lengths`` (n,), integers on the host, the number of steps of each series. The input is
    (n, time, d_in), and the output (n, units). The gradient of the input is not computed.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, CfC
    >>> cell = CfC("cell", 8, 16, 32, 1, lambda d_in, d_out: Adapter(rank=2))
    >>> [request.path for request in cell.scaffold_requests()]
    ['cell.backbone.0', 'cell.ff1', 'cell.ff2', 'cell.time_a', 'cell.time_b']
    """

    reads = ("elapsed", "lengths")

    def __init__(
        self,
        path: str,
        d_in: int,
        units: int,
        backbone_units: int,
        backbone_layers: int,
        adapter_of: Callable[[int, int], Adapter],
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        super().__init__(path)
        self.d_in, self.units, self.backbone_units = d_in, units, backbone_units
        self.dropout, self.recompute = dropout, recompute

        def dense(name: str, d_in: int, d_out: int) -> AdaptedDense:
            return AdaptedDense(f"{path}.{name}", d_in, d_out, adapter_of(d_in, d_out), bias=True)

        self.backbone = [
            dense(f"backbone.{i}", backbone_units if i else d_in + units, backbone_units)
            for i in range(backbone_layers)
        ]
        self.heads = [dense(name, backbone_units, units) for name in HEADS]

    @property
    def children(self) -> Sequence[Layer]:
        return (*self.backbone, *self.heads)

    def _weights(self, dtype: Any, on: Pass) -> _Weights:
        backbone = [
            StepProducts([layer], dtype, on, 0 if i else self.d_in)
            for i, layer in enumerate(self.backbone)
        ]
        return _Weights(backbone, StepProducts(self.heads, dtype, on))

    # Forward ------------------------------------------------------------------------------

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        xp, (n, steps, d_in) = array_module(x), x.shape
        order = _Order.of(np.asarray(on.side["lengths"]))
        elapsed = on.side["elapsed"].reshape(-1)
        rows = x.reshape(-1, d_in)
        cache = _Cache(order, self._weights(x.dtype, on), on, list(order.segments()), [], [], [])
        state = xp.zeros((n, self.units), x.dtype)  # of the series that have the step before
        last = xp.empty((n, self.units), x.dtype)
        for segment in cache.segments:
            index = on_device_of(x, np.asarray(order.index(segment, steps)))
            inputs = xp.empty((segment.size, d_in + self.units), x.dtype)
            inputs[:, :d_in] = rows[index]
            times = elapsed[index]
            keep = on.training and not self.recompute
            kept, state = self._run(segment, cache.weights, inputs, times, state, last, on, keep)
            if on.training:
                cache.inputs.append(inputs)
                cache.elapsed.append(times)
                cache.kept.append(kept)
        last[: len(state)] = state
        y = xp.empty_like(last)
        y[on_device_of(y, np.asarray(order.series))] = last
        return y, cache if on.training else None

    def _run(
        self,
        segment: _Segment,
        weights: _Weights,
        inputs: Array,
        elapsed: Array,
        state: Array | None,
        last: Array | None,
        on: Pass,
        keep: bool,
    ) -> tuple[_Kept | None, Any]:
        """Run the steps of a segment.

        The states before each step are written to `inputs`, and those of series that end to
        `last`; if `state` is None, both have been done before.
        """
        xp, width = array_module(inputs), self.backbone_units
        first = weights.backbone[0]
        known = first.known(inputs[:, : self.d_in])  # one product for all steps
        kept = _Kept([], [], [], [])
        if keep:
            shape = (segment.size, width)
            kept.z.extend(xp.empty(shape, inputs.dtype) for _ in weights.backbone)
        for step, rows in segment.steps:
            part = inputs[rows]
            if state is not None:
                n = len(part)
                if len(state) > n:
                    last[n : len(state)] = state[n:]  # type: ignore[index]
                part[:, self.d_in :] = state[:n]
            z, slopes, caches = part, [], []
            for i, products in enumerate(weights.backbone):
                before = known[rows] if known is not None and i == 0 else None
                z, cache = products.forward(z, step, before)
                z, slope = kernels.silu_dropout(z, self._mask(z, i, step, on))
                slopes.append(slope)
                caches.append(cache)
                if keep:
                    kept.z[i][rows] = z
            heads, cache = weights.heads.forward(z, step, None)
            after, gates = kernels.gated_state(heads, elapsed[rows], keep)
            if state is not None:
                state = after
            if keep:
                kept.slopes.append(slopes)
                kept.gates.append(gates)
                kept.caches.append([*caches, cache])
        return kept if keep else None, state

    def _mask(self, like: Array, i: int, step: int, on: Pass) -> Mask | None:
        if not (on.training and self.dropout and i):
            return None
        return dropout_mask(like, self.dropout, self.backbone[i].path, on.at(step))

    # Backward -----------------------------------------------------------------------------

    def backward(self, dy: Array, cache: Cache) -> None:
        # The longest series come first.
        dstate = dy[on_device_of(dy, np.asarray(cache.order.series))]  # (n, units)
        for number in reversed(range(len(cache.segments))):
            segment, inputs = cache.segments[number], cache.inputs[number]
            elapsed, kept = cache.elapsed[number], cache.kept[number]
            if kept is None:
                kept, _ = self._run(
                    segment, cache.weights, inputs, elapsed, None, None, cache.on, True
                )
            self._back(segment, cache.weights, inputs, elapsed, kept, dstate)

    def _back(
        self,
        segment: _Segment,
        weights: _Weights,
        inputs: Array,
        elapsed: Array,
        kept: _Kept,
        dstate: Array,
    ) -> None:
        """Add the gradients of a segment; `dstate` becomes that of the states before it."""
        xp, dtype, size = array_module(inputs), inputs.dtype, segment.size
        products = [*weights.backbone, weights.heads]
        gradients = [each.gradients(size) for each in products]
        widths = [*[self.backbone_units] * len(self.backbone), len(HEADS) * self.units]
        outputs = [xp.empty((size, width), dtype) for width in widths]  # their gradients
        sources = [inputs, *kept.z]
        for i in reversed(range(len(segment.rows))):
            rows = segment.rows[i]
            n = rows.stop - rows.start
            kernels.gated_state_backward_(
                outputs[-1][rows], dstate[:n], elapsed[rows], kept.gates[i]
            )
            dz = gradients[-1].step(outputs[-1][rows], kept.z[-1][rows], kept.caches[i][-1], rows)
            for k in reversed(range(len(self.backbone))):
                dy = outputs[k][rows]
                dy[...] = kernels.silu_dropout_backward(dz, kept.slopes[i][k])
                dz = gradients[k].step(dy, sources[k][rows], kept.caches[i][k], rows)
            dz += _ROUNDED  # what is below its last digit becomes 0
            dz -= _ROUNDED
            dstate[:n] = dz
        for each, output, source in zip(gradients, outputs, sources, strict=True):
            each.finish(output, source)

    # Costs --------------------------------------------------------------------------------

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], self.units)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        steps, total = count_rows(shape), MultiplyAdds()
        for layer in self.children:
            assert isinstance(layer, AdaptedDense)
            total += _of_steps(layer, steps, self.d_in if layer is self.backbone[0] else 0)
        if self.recompute:
            total += MultiplyAdds(backward=total.forward)
        return total


def _of_steps(layer: AdaptedDense, steps: int, known: int) -> MultiplyAdds:
    """Return the multiply-adds of an adapted matrix whose first `known` inputs need no gradient."""
    adapter, d_in, d_out = layer.adapter, layer.d_in, layer.d_out
    product, later = steps * d_in * d_out, steps * (d_in - known) * d_out
    if adapter.mode in ("full", "dora"):  # x W^T; dy W and dy^T x
        count = MultiplyAdds(product, later + product)
    elif adapter.mode == "none":
        count = MultiplyAdds(product, later)
    else:
        read, inject = steps * adapter.rank * d_in, steps * adapter.rank * d_out
        # x W^T; g = dy W and, for beta, the rest of it; dy B, its product with A, dA, x A^T, dB.
        g = product if layer.learns_beta else later
        count = MultiplyAdds(product, g + inject + read + read + read + inject)
    if adapter.low_rank:  # B A, once per pass; DoRA's gradients of A and B likewise
        once = adapter.rank * d_in * d_out
        count += MultiplyAdds(
            forward_call=once, backward_call=2 * once if adapter.mode == "dora" else 0
        )
    return count
