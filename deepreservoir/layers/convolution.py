"""Convolutions of images: products of their patches with an adapted matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from .. import kernels
from ..backend import Array, array_module
from ..thread_limits import in_shares
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass, as_rows
from .combined import Combined, combine, combined_backward
from .dense import AdaptedDense, RowNorms
from .multiply_adds import MultiplyAdds

#: Bytes of patches that are in memory at a time: they fit in the second-level cache of a CPU.
#: Constants, since the size of a chunk decides the order in which gradients are summed.
CHUNK_BYTES, DEVICE_CHUNK_BYTES = 1 << 20, 64 << 20

#: Up to this many output channels the combined weight is used: the products with W, A and B
#: apart save less than the sums over patches take that their gradient needs.
NARROW = 64


T = TypeVar("T")


class Kept(NamedTuple):
    """What a convolution keeps for its backward pass.

    Attributes
    ----------
    x : array, shape (n, h, w, c_in), or None
        The input; a caller that can compute it again need not keep it.
    on : Pass
    combined : Combined or None
    norms : tuple of array, or None
        Under DoRA, without a combined weight.
    """

    x: Array
    on: Pass
    combined: Combined | None
    norms: RowNorms | None

    def without_input(self) -> Kept:
        return self._replace(x=None)

    def with_input(self, x: Array) -> Kept:
        return self._replace(x=x)


class Convolution(Layer):
    """A convolution of images, channels last: (n, h, w, c_in) -> (n, rows, columns, c_out).

    Each patch of the images is a row that an :class:`AdaptedDense` of shape (c_out, kernel_size *
    kernel_size * c_in) reads, so all families, storages and modes of adapters are available: A is
    a convolution to `rank` channels, B one of 1 x 1 (paper, arXiv 2604.08749, appendix on CNNs).

    Only the input is kept for the backward pass. Patches are taken from a few images at a time,
    and again for the gradients.

    Parameters
    ----------
    path : str
    c_in, c_out : int
    kernel_size : int
    adapter : Adapter
    stride : int, default=1
    padding : int, default=0
        Number of rows and columns of zeros on each side of an image.
    bias : bool, default=False
    needs_dx : bool, default=True
    skip : bool, default=False
        Whether the input is added to the output, which must then have the same shape.

    Raises
    ------
    ValueError
        If a size is out of range, or `skip` is set for another shape of output. From `forward`, if
        the images have other channels or are smaller than the kernel.
    """

    def __init__(
        self,
        path: str,
        c_in: int,
        c_out: int,
        kernel_size: int,
        adapter: Adapter,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
        needs_dx: bool = True,
        skip: bool = False,
    ) -> None:
        super().__init__(path)
        for name, value, least in (
            ("c_in", c_in, 1),
            ("c_out", c_out, 1),
            ("kernel_size", kernel_size, 1),
            ("stride", stride, 1),
            ("padding", padding, 0),
        ):
            if value < least:
                raise ValueError(f"{name} of {path!r} must be at least {least}; got {value}")
        if skip and not (c_in == c_out and stride == 1 and 2 * padding == kernel_size - 1):
            raise ValueError(
                f"skip=True needs an output of the input's shape; {path!r} has {c_in} -> {c_out} "
                f"channels, a kernel of {kernel_size}, stride {stride} and padding {padding}"
            )
        self.c_in, self.c_out = c_in, c_out
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.needs_dx = needs_dx
        self.skip = skip
        width = kernel_size * kernel_size * c_in
        self.dense = AdaptedDense(path, width, c_out, adapter, bias, needs_dx)

    @property
    def children(self) -> Sequence[Layer]:
        return (self.dense,)

    # Forward and backward ---------------------------------------------------------------

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        shape = self.out_shape(x.shape)
        y = array_module(x).empty(shape, x.dtype)
        if self._combines(on.training):
            combined, norms = combine(self.dense, x), None
            self._forward_combined(x, combined.weight, y)
        else:
            combined, norms = None, self.dense.row_norms()
            for i, (part, rows) in enumerate(self._patches(x, slice(0, len(x)))):
                product, _ = self.dense.forward_rows(rows, on.at(i), norms)
                y[part] = product.reshape(y[part].shape)
                if self.skip:
                    y[part] += x[part]
        return y, Kept(x, on, combined, norms) if on.training else None

    def _forward_combined(self, x: Array, weight: Array, y: Array) -> None:
        # Of narrow matrices, the faster order.
        columns = array_module(x).ascontiguousarray(weight.T)

        def share(images: slice) -> None:
            for part, rows in self._patches(x, images):
                product = kernels.product(rows, columns, out=as_rows(y[part]))
                if self.dense.has_bias:
                    product += self.dense.bias
                if self.skip:
                    y[part] += x[part]

        _in_shares(share, x, y[:1].size // self.c_out * self.dense.d_in)

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        x, on, combined, norms = cache
        if self.dense.has_bias:
            self.dense.dbias += as_rows(dy).sum(axis=0)
        if combined is None:
            dx = self._backward_in_parts(x, on, norms, dy)
        else:
            dx = self._backward_combined(x, combined, dy)
        if self.skip and dx is not None:
            dx += dy
        return dx

    def _combines(self, training: bool) -> bool:
        """Return whether a pass uses the combined weight."""
        adapter = self.dense.adapter
        if adapter.mode == "full":
            return True
        if training and adapter.dropout:
            return False
        # A scaffold whose weights are drawn or unpacked for a product is drawn once per pass.
        return self.c_out <= NARROW or self.dense.scaffold.storage in ("packed", "streamed")

    def _patches(self, x: Array, images: slice) -> Iterator[tuple[slice, Array]]:
        """Yield (images, patches (m, kernel_size^2 c_in)) over a few of the images at a time."""
        _, rows, columns, _ = self.out_shape(x.shape)
        sizes = self.kernel_size, self.stride, self.padding
        return _chunks(x, images, *sizes, rows * columns)

    def _backward_in_parts(
        self, x: Array, on: Pass, norms: RowNorms | None, dy: Array
    ) -> Array | None:
        dense, sizes = self.dense, (self.kernel_size, self.stride, self.padding)
        dx = array_module(x).empty_like(x) if self.needs_dx else None
        along: Array = 0.0
        for i, (part, rows) in enumerate(self._patches(x, slice(0, len(x)))):
            inner = dense.cache_of_rows(rows, on.at(i), norms)
            g = as_rows(dy[part])  # (m, c_out)
            if norms is not None:
                along = along + (g * inner[-1]).sum(axis=0)
            drows = dense.backward_rows(g, inner)
            if dx is not None:
                dpatches = drows.reshape(*dy[part].shape[:3], -1)  # type: ignore[union-attr]
                dx[part] = kernels.patches_adjoint(dpatches, x.shape[1:3], *sizes)
        if norms is not None and len(x):
            dense.norms_backward(along, norms)
        return dx

    def _backward_combined(self, x: Array, combined: Combined, dy: Array) -> Array | None:
        dense = self.dense
        trains = dense.adapter.mode != "none"
        dweight = dx = None
        if self.needs_dx and self._turns:
            dx, dweight = self._backward_turned(x, combined.weight, dy, trains)
        else:
            if trains:
                dweight = self._weight_gradient(x, dy)
            if self.needs_dx:
                dx = self._backward_patches(x, combined.weight, dy)
        if trains:
            combined_backward(dense, combined, dweight)
        return dx

    def _weight_gradient(self, x: Array, dy: Array) -> Array:
        def share(images: slice) -> Array:
            total = array_module(x).zeros((self.c_out, self.dense.d_in), x.dtype)
            for part, rows in self._patches(x, images):
                kernels.add_product_(total, as_rows(dy[part]).T, rows)
            return total

        return sum(_in_shares(share, x, dy[:1].size // self.c_out * self.dense.d_in))

    def _backward_turned(
        self, x: Array, weight: Array, dy: Array, trains: bool
    ) -> tuple[Array, Array]:
        """Return the gradients of x and, if `trains`, of the weight.

        The former is a convolution of dy with the kernels turned round. The patches of dy that it
        reads give the gradient of the weight too.
        """
        xp, k, dx = array_module(x), self.kernel_size, array_module(x).empty_like(x)
        turned = _turned(weight, self.c_out, k, self.c_in)  # (c_in, k k c_out)
        columns = xp.ascontiguousarray(turned.T)
        pixels = x.shape[1] * x.shape[2]

        def share(images: slice) -> Array:
            total = xp.zeros_like(turned)
            for part, rows in _chunks(dy, images, k, 1, k - 1 - self.padding, pixels):
                kernels.product(rows, columns, out=as_rows(dx[part]))
                if trains:
                    kernels.add_product_(total, as_rows(x[part]).T, rows)
            return total

        total = sum(_in_shares(share, x, pixels * turned.shape[1]))
        return dx, _turned(total, self.c_in, k, self.c_out) if trains else None

    def _backward_patches(self, x: Array, weight: Array, dy: Array) -> Array:
        """Return the gradient of x as the sum of the gradients of its patches."""
        dx = array_module(x).empty_like(x)
        sizes = (self.kernel_size, self.stride, self.padding)
        per_image = dy[:1].size // self.c_out * self.dense.d_in

        def share(images: slice) -> None:
            for part in _parts(images, per_image, x):
                dpatches = kernels.product(as_rows(dy[part]), weight).reshape(
                    *dy[part].shape[:3], -1
                )
                dx[part] = kernels.patches_adjoint(dpatches, x.shape[1:3], *sizes)

        _in_shares(share, x, per_image)
        return dx

    @property
    def _turns(self) -> bool:
        return self.stride == 1 and self.padding < self.kernel_size

    # Costs --------------------------------------------------------------------------------

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 4 or shape[-1] != self.c_in:
            raise ValueError(
                f"the convolution {self.path!r} reads images of shape (n, height, width, "
                f"{self.c_in}); got shape {tuple(shape)}"
            )
        n, h, w, _ = shape
        sizes = self.kernel_size, self.stride, self.padding
        return (n, *kernels.patch_counts(h, w, *sizes), self.c_out)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        n, rows, columns, _ = self.out_shape(shape)
        dense, adapter = self.dense, self.dense.adapter
        if not self._combines(training=True):
            count = dense.multiply_adds((n * rows * columns, dense.d_in))
            # The backward pass makes its cache again: the read-in, or all of the forward pass.
            again = n * rows * columns * adapter.rank * dense.d_in if adapter.low_rank else 0
            if adapter.mode == "dora" or (dense.learns_beta and not self.needs_dx):
                again = count.forward
            return count + MultiplyAdds(backward=again)
        product = n * rows * columns * dense.d_in * self.c_out
        backward = 0 if adapter.mode == "none" else product
        if self.needs_dx:
            pixels = n * shape[1] * shape[2]
            backward += pixels * dense.d_in * self.c_out if self._turns else product
        # B A; dW A^T and B^T dW.
        call = adapter.rank * dense.d_in * self.c_out if adapter.low_rank else 0
        return MultiplyAdds(product, backward, call, 2 * call)


def _turned(weight: Array, c_out: int, k: int, c_in: int) -> Array:
    """Return kernels (c_out, k k c_in) turned round, with inputs and outputs exchanged."""
    kernel = weight.reshape(c_out, k, k, c_in)[:, ::-1, ::-1]
    xp = array_module(weight)
    return xp.ascontiguousarray(kernel.transpose(3, 1, 2, 0)).reshape(c_in, k * k * c_out)


def _images_at_a_time(per_image: int, like: Array) -> int:
    """Return how many images have patches, of `per_image` numbers each, within the limit."""
    limit = CHUNK_BYTES if array_module(like) is np else DEVICE_CHUNK_BYTES
    return max(1, limit // (max(per_image, 1) * like.dtype.itemsize))


def _in_shares(job: Callable[[slice], T], x: Array, per_image: int) -> list[T]:
    """Return the results of a job on shares of the images: on the CPU one share per thread."""
    if array_module(x) is not np:
        return [job(slice(0, len(x)))]
    return in_shares(job, len(x), _images_at_a_time(per_image, x))


def _parts(images: slice, per_image: int, like: Array) -> Iterator[slice]:
    """Yield slices of some images with patches of `per_image` numbers each, within the limit."""
    step = _images_at_a_time(per_image, like)
    for start in range(images.start, images.stop, step):
        yield slice(start, min(start + step, images.stop))


def _chunks(
    x: Array, images: slice, kernel: int, stride: int, padding: int, per_image: int
) -> Iterator[tuple[slice, Array]]:
    """Yield (images, patches (m, kernel^2 c)) over a few of the images at a time, in one buffer."""
    width, buffer = kernel * kernel * x.shape[-1], None
    for part in _parts(images, per_image * width, x):
        out = None if buffer is None else buffer[: part.stop - part.start]
        taken = kernels.patches(x[part], kernel, stride, padding, out=out)
        buffer = taken if buffer is None else buffer
        yield part, as_rows(taken)
