"""The computations of a network: outputs, gradients, and products that no step changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from .backend import Array, Device, array_module, device_module, to_device
from .inputs import CHUNK_BYTES, Batch, Index, Inputs, Table, Target
from .kernels import Precision, product_precision, work_in_shares
from .layers import INFERENCE, Layer, Pass, Sequential, as_rows, like_rows
from .layers.base import Cache
from .losses import Loss
from .models import NetworkConfig

#: Bytes of outputs that head and loss process at a time: logits over a vocabulary are large.
HEAD_BYTES = 64 << 20


#: Decodes a chunk of outputs: (outputs, index, batch) -> array with the same first axis.
Decode = Callable[[Array, Any, Batch], Array]


def _undecoded(outputs: Array, index: Any, batch: Batch) -> Array:
    return outputs


class Passes:
    """The passes of a network whose layers are bound; the base of :class:`deepreservoir.Network`.

    Attributes
    ----------
    config : NetworkConfig
    body, head : Layer
        The head reads the rows that the body outputs.
    root : Sequential
        Body and head, one after the other.
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}
    """

    config: NetworkConfig
    body: Layer
    head: Layer
    root: Sequential
    dtype: np.dtype[Any]
    device: Device
    precision: Precision

    def _computing(self) -> AbstractContextManager[None]:
        """Compute products at the network's precision, or divided as its layers' work is."""
        if self.device != "cpu":
            return product_precision(self.precision)
        return work_in_shares() if self.config.works_in_shares else nullcontext()

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        """Return outputs (..., n_outputs) and, during training, the cache for `backward`."""
        with self._computing():
            return self.root.forward(x, on)

    def backward(self, doutputs: Array, cache: Cache) -> None:
        """Add the gradient of the trained parameters into `grad`."""
        with self._computing():
            self.root.backward(doutputs, cache)

    def gradient(self, batch: Batch, target: Target, loss: Loss, on: Pass) -> Array:
        """Add the gradient of a loss into `grad`, and return the loss.

        The head and the loss are run over blocks of rows, so that wide outputs are never in memory
        as a whole.

        Parameters
        ----------
        batch : Batch
        target : Target
        loss : Loss
        on : Pass
            Has the training step; the side arrays of the batch are added to it.

        Returns
        -------
        scalar, on the network's device

        Raises
        ------
        ValueError
            If the leading axes of the outputs and of the target differ.
        """
        if batch.side:
            on = replace(on, side=batch.side)
        with self._computing():
            hidden, cache = self.body.forward(batch.x, on)  # (..., d)
            check_leading_axes(hidden, target, batch)
            value, dhidden = self._head_gradient(hidden, target, loss, on)
            if dhidden is not None:
                self.body.backward(dhidden, cache)
            return value

    def _head_gradient(
        self, hidden: Array, target: Target, loss: Loss, on: Pass
    ) -> tuple[Array, Array | None]:
        rows = as_rows(hidden)  # (n, d)
        y = target.y.reshape(len(rows), *target.y.shape[hidden.ndim - 1 :])
        weights = None if target.weights is None else target.weights.reshape(len(rows))
        size = max(1, HEAD_BYTES // (self.config.n_outputs * self.dtype.itemsize))
        if len(rows) <= size:
            outputs, cache = self.head.forward(rows, on)
            value, doutputs = loss(outputs, y, weights, target.n)
            dhidden = self.head.backward(doutputs, cache)
            return value, None if dhidden is None else like_rows(dhidden, hidden)
        value, parts = 0.0, []
        for i, start in enumerate(range(0, len(rows), size)):
            part = slice(start, start + size)
            # Each block is a separate call, with its own dropout masks.
            outputs, cache = self.head.forward(rows[part], on.at(i) if i else on)
            share, doutputs = loss(
                outputs, y[part], None if weights is None else weights[part], target.n
            )
            value = value + share
            parts.append(self.head.backward(doutputs, cache))
        if parts[0] is None:
            return value, None
        return value, like_rows(array_module(rows).concatenate(parts), hidden)

    def chunks(
        self, inputs: Inputs, products: Mapping[str, Array] | None = None
    ) -> Iterator[tuple[Any, Batch, Array]]:
        """Yield (index, batch, outputs) over all samples, in chunks of bounded size.

        Parameters
        ----------
        inputs : Inputs
            On the network's device, in the type to compute in.
        products : mapping of str to array, optional
            The :meth:`frozen_products` of these inputs.
        """
        for index, batch in inputs.chunks(CHUNK_BYTES, self.config.sample_bytes):
            rows = self._device_index(inputs.product_rows(index))
            chunk_products = {path: product[rows] for path, product in (products or {}).items()}
            on = Pass(side=batch.side, products=chunk_products, dtype=inputs.dtype)
            yield index, batch, self.forward(batch.x, on)[0]

    def outputs(
        self,
        X: Any,
        dtype: np.dtype[Any] | type | None = None,
        products: Mapping[str, Array] | None = None,
    ) -> Array:
        """Return the outputs for all samples, in chunks of bounded size.

        Parameters
        ----------
        X : Inputs, or array or CSR matrix of shape (n, n_features)
        dtype : numpy dtype, optional
            Type to compute in; the network's own by default. In float64, a row's outputs do not
            depend, to float32 precision, on the rows that are computed with it.
        products : mapping of str to array, optional
            The :meth:`frozen_products` of X.

        Returns
        -------
        array, shape (n, ..., n_outputs)
        """
        inputs = X
        if not isinstance(X, Inputs):
            inputs = Table(X, self.dtype if dtype is None else np.dtype(dtype), self.device)
        return self.evaluate(inputs, _undecoded, products)

    def evaluate(
        self,
        inputs: Inputs,
        decode: Decode,
        products: Mapping[str, Array] | None = None,
    ) -> Array:
        """Return the decoded outputs of all samples, in the order of the samples.

        Outputs are decoded one chunk at a time, so that they are never in memory as a whole.

        Parameters
        ----------
        inputs : Inputs
        decode : callable
            (outputs (m, ..., n_outputs), index, batch) -> array (m, ...).
        products : mapping of str to array, optional
        """
        decoded: Array = None
        for index, batch, outputs in self.chunks(inputs, products):
            part = decode(outputs, index, batch)
            if decoded is None:
                shape = (len(inputs), *part.shape[1:])
                decoded = array_module(part).empty(shape, part.dtype)
            rows = index if isinstance(index, slice) else array_module(part).asarray(index)
            decoded[rows] = part
            del batch, outputs  # the memory is free for the next chunk
        if decoded is None:  # no samples at all
            return device_module(self.device).empty((0, self.config.n_outputs), inputs.dtype)
        return decoded

    # Products that no step changes -------------------------------------------------------

    def product_bytes(self, inputs: Inputs) -> int:
        """Return the number of bytes of :meth:`frozen_products`; 0 if there are none."""
        widths = self.body.frozen_widths().values()
        return inputs.n_product_rows * sum(widths) * self.dtype.itemsize

    def frozen_products(self, inputs: Inputs) -> dict[str, Array]:
        """Return the products of all inputs with the frozen weights that read them, by path.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        dict of str to array, shape (inputs.n_product_rows, width)
        """
        xp = device_module(self.device)
        products = {
            path: xp.empty((inputs.n_product_rows, width), self.dtype)
            for path, width in self.body.frozen_widths().items()
        }
        if products:
            for index, batch in inputs.chunks(CHUNK_BYTES, self.config.sample_bytes):
                on = Pass(side=batch.side, dtype=self.dtype)
                with self._computing():
                    parts = self.body.frozen(batch.x, on)
                for path, part in parts.items():
                    products[path][self._device_index(inputs.product_rows(index))] = part
        return products

    def _device_index(self, index: Index) -> Any:
        """Return an index into arrays on the network's device."""
        return index if isinstance(index, slice) else to_device(index, self.device)


def check_leading_axes(hidden: Array, target: Target, batch: Batch) -> None:
    """Raise if the leading axes of the target or its weights are not those of the outputs."""
    leading = hidden.shape[:-1]
    for name, array in (("target", target.y), ("weights", target.weights)):
        if array is not None and array.shape[: len(leading)] != leading:
            raise ValueError(
                f"the network outputs rows of shape {leading} for a batch of shape "
                f"{batch.x.shape}, but the shape of the {name} is {array.shape}: their leading "
                "axes must be the same"
            )


def outputs_side_by_side(
    networks: Sequence[Passes], x: Array, parts: Sequence[slice]
) -> list[Array]:
    """Return the outputs of several networks, each applied to its own rows.

    Products with frozen weights that the networks share are computed once, for all rows.

    Parameters
    ----------
    networks : sequence of Network
    x : array, shape (n, n_features)
    parts : sequence of slice
        The rows of each network; together they cover `x`.

    Returns
    -------
    list of array, each (rows of the network, its n_outputs)
    """
    first, *others = networks
    hidden = first.body.side_by_side([other.body for other in others], x, parts)
    if len({network.config.n_outputs for network in networks}) == 1:
        outputs = first.head.side_by_side([other.head for other in others], hidden, parts)
        return [outputs[part] for part in parts]
    return [
        network.head.forward(hidden[part])[0] for network, part in zip(networks, parts, strict=True)
    ]
