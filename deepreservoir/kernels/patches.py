"""Patches of images, which make a convolution a matrix product, and the adjoint operation.

Images are channels last, (n, h, w, c). A patch is a row of ``kernel * kernel * c`` values in the
order (row of the kernel, column of the kernel, channel). Images are surrounded by zeros.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from . import compiled
from .cuda import RealKernel, contiguous

_FORWARD = RealKernel(
    "patches",
    r"""
extern "C" __global__ void KERNEL(const real* x, real* out, long long total, long long h,
        long long w, long long c, long long rows, long long columns, long long kernel,
        long long stride, long long padding) {
    long long threads = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += threads) {
        long long channel = i % c, rest = i / c;
        long long b = rest % kernel; rest /= kernel;
        long long a = rest % kernel; rest /= kernel;
        long long column = rest % columns * stride + b - padding; rest /= columns;
        long long row = rest % rows * stride + a - padding, image = rest / rows;
        bool inside = row >= 0 && row < h && column >= 0 && column < w;
        out[i] = inside ? x[((image * h + row) * w + column) * c + channel] : 0;
    }
}
""",
)

_ADJOINT = RealKernel(
    "patches_adjoint",
    r"""
extern "C" __global__ void KERNEL(const real* patches, real* out, long long total, long long h,
        long long w, long long c, long long rows, long long columns, long long kernel,
        long long stride, long long padding) {
    long long threads = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += threads) {
        long long channel = i % c, rest = i / c;
        long long x = rest % w + padding; rest /= w;
        long long y = rest % h + padding, image = rest / h;
        real sum = 0;
        for (long long a = 0; a < kernel; a++) {
            if (y < a || (y - a) % stride || (y - a) / stride >= rows) continue;
            for (long long b = 0; b < kernel; b++) {
                if (x < b || (x - b) % stride || (x - b) / stride >= columns) continue;
                long long position = (image * rows + (y - a) / stride) * columns + (x - b) / stride;
                sum += patches[((position * kernel + a) * kernel + b) * c + channel];
            }
        }
        out[i] = sum;
    }
}
""",
)


def patch_counts(h: int, w: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """Return the number of patches along each axis of an image.

    Raises
    ------
    ValueError
        If the image and the zeros around it are smaller than the kernel.
    """
    if min(h, w) + 2 * padding < kernel:
        around = f" with {padding} rows and columns of zeros on each side" if padding else ""
        raise ValueError(
            f"an image of {h} x {w} pixels{around} is smaller than the kernel of {kernel} x "
            f"{kernel}; use larger images, a smaller kernel or more padding"
        )
    return (h + 2 * padding - kernel) // stride + 1, (w + 2 * padding - kernel) // stride + 1


def patches(x: Array, kernel: int, stride: int, padding: int, out: Array = None) -> Array:
    """Return the patches of images.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    kernel, stride, padding : int
    out : array, optional
        Where to write the patches, in C order.

    Returns
    -------
    array, shape (n, rows, columns, kernel * kernel * c)
    """
    xp, (n, h, w, c) = array_module(x), x.shape
    rows, columns = patch_counts(h, w, kernel, stride, padding)
    if out is None:
        out = xp.empty((n, rows, columns, kernel * kernel * c), x.dtype)
    if xp is not np:
        sizes = [h, w, c, rows, columns, kernel, stride, padding]
        _FORWARD.of(x.dtype).launch(
            out.size, contiguous(x), out, np.int64(out.size), *map(np.int64, sizes)
        )
        return out
    if compiled.suits(out):
        flat = np.ascontiguousarray(x).reshape(n, h, w * c)
        parts = out.reshape(n, rows, columns, kernel, kernel * c)
        compiled.loops().take_patches(flat, parts, stride, padding)
        return out
    x = _padded(x, padding)
    by_image, by_row, by_column, _ = x.strides
    # The pixels of one row of a patch are neighbours in memory: they are copied together.
    windows = np.ndarray(
        (n, rows, columns, kernel, kernel * c),
        x.dtype,
        x,
        strides=(by_image, by_row * stride, by_column * stride, by_row, x.itemsize),
    )
    np.copyto(out.reshape(windows.shape), windows)
    return out


def _padded(x: np.ndarray, padding: int) -> np.ndarray:
    """Return images (n, h, w, c) within zeros, in C order."""
    if not padding:
        return np.ascontiguousarray(x)
    n, h, w, c = x.shape
    padded = np.empty((n, h + 2 * padding, w + 2 * padding, c), x.dtype)
    padded[:, :padding] = padded[:, padding + h :] = 0
    padded[:, :, :padding] = padded[:, :, padding + w :] = 0
    padded[:, padding : padding + h, padding : padding + w] = x
    return padded


def patches_adjoint(
    p: Array, shape: tuple[int, int], kernel: int, stride: int, padding: int
) -> Array:
    """Return the sums of the patches that every pixel is part of: the adjoint of :func:`patches`.

    Parameters
    ----------
    p : array, shape (n, rows, columns, kernel * kernel * c)
    shape : (int, int)
        (h, w) of the images.
    kernel, stride, padding : int

    Returns
    -------
    array, shape (n, h, w, c)
    """
    xp, (n, rows, columns, width), (h, w) = array_module(p), p.shape, shape
    c = width // (kernel * kernel)
    if xp is not np:
        out = xp.empty((n, h, w, c), p.dtype)
        sizes = [h, w, c, rows, columns, kernel, stride, padding]
        _ADJOINT.of(p.dtype).launch(
            out.size, contiguous(p), out, np.int64(out.size), *map(np.int64, sizes)
        )
        return out
    if compiled.suits(p):
        out = np.empty((n, h, w * c), p.dtype)
        parts = p.reshape(n, rows, columns, kernel, kernel * c)
        compiled.loops().add_patches(parts, out, stride, padding)
        return out.reshape(n, h, w, c)
    out = np.zeros((n, h, w, c), p.dtype)
    parts = p.reshape(n, rows, columns, kernel, kernel, c)
    for a in range(kernel):
        from_y, to_y = _overlap(h, rows, a - padding, stride)
        for b in range(kernel):
            from_x, to_x = _overlap(w, columns, b - padding, stride)
            out[:, to_y, to_x] += parts[:, from_y, from_x, a, b]
    return out


def _overlap(size: int, n: int, offset: int, stride: int) -> tuple[slice, slice]:
    """Return the positions i of n whose pixel ``i * stride + offset`` is inside, and the pixels."""
    first = max(0, -(offset // stride))
    stop = max(first, min(n, (size - 1 - offset) // stride + 1))
    pixel = first * stride + offset
    return slice(first, stop), slice(pixel, pixel + (stop - first) * stride, stride)
