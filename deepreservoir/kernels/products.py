"""Matrix products: ``@`` on the host, and cuBLAS at a chosen precision on a device.

CuPy's own products cannot be captured into a CUDA graph. Those here can: they call cuBLAS through
the bindings of nvmath-python, with a workspace of their own, and give the same bits inside and
outside a graph. Without nvmath-python, products on a device are CuPy's, in float32 or float64.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from ..backend import Array, array_module, is_on_device
from ..thread_limits import blas_lent, in_shares
from .cuda import Kernel, contiguous

Precision = Literal["float32", "tf32", "bfloat16"]

#: Precisions of the products of float32 arrays on a device.
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")

# What NVIDIA recommends for Hopper; a captured product may use no other memory.
_WORKSPACE_BYTES = 32 << 20

# The types of cuBLAS's arrays: CUDA_R_32F, CUDA_R_64F, CUDA_R_16BF.
_REAL_32, _REAL_64, _BFLOAT_16 = 0, 1, 14

# Rows that a thread takes at least, and multiply-adds from which a product is worth dividing.
_SHARED_ROWS, _SHARED_WORK = 32, 1 << 20

_divided: ContextVar[bool] = ContextVar("divided", default=False)

_precision: ContextVar[Precision] = ContextVar("precision", default="float32")


@contextmanager
def product_precision(precision: Precision) -> Iterator[None]:
    """Compute the products of float32 arrays on a device at a precision, within a with block.

    Arrays, and the sums of products, are float32 at every precision. ``"tf32"`` and
    ``"bfloat16"`` round the factors to 10 and to 7 bits of mantissa. Products on the host and
    products in float64 are not affected.
    """
    token = _precision.set(precision)
    try:
        yield
    finally:
        _precision.reset(token)


@contextmanager
def work_in_shares() -> Iterator[None]:
    """Divide large products on the host by rows over threads, within a with block.

    It is for networks whose other work is divided over threads too. The BLAS uses one thread.
    """
    with blas_lent():
        token = _divided.set(True)
        try:
            yield
        finally:
            _divided.reset(token)


def divides(rows: int, work: int) -> bool:
    """Return whether work on rows on the host is divided, by its number of multiply-adds."""
    return work >= _SHARED_WORK and rows >= 2 * _SHARED_ROWS and _divided.get()


def over_rows(job: Callable[[slice], object], n: int) -> None:
    """Run a job on shares of n rows, one share per thread."""
    in_shares(job, n, _SHARED_ROWS)


def precision_problem(precision: str) -> str | None:
    """Return the reason why products on a device cannot have this precision, or None."""
    if precision == "float32" or _bindings() is not None:
        return None
    return (
        f"precision={precision!r} needs nvmath-python, which is not installed: install the extra "
        "that fits your driver, pip install 'deepreservoir[cuda12]' or 'deepreservoir[cuda13]'; "
        "or use precision='float32'"
    )


@cache
def _bindings() -> Any:
    """Return nvmath's bindings of cuBLAS, or None where they or the library are missing."""
    try:
        from nvmath.bindings import cublas
    except ImportError:
        return None
    return cublas


def captures_products() -> bool:
    """Return whether a CUDA graph can hold products, which needs nvmath-python."""
    return _bindings() is not None


class _Handle(NamedTuple):
    """A cuBLAS handle for one stream, and its workspace."""

    handle: int
    workspace: Any


class _Handles(threading.local):
    """The cuBLAS handles of a thread: one per stream, since streams run beside each other."""

    def __init__(self) -> None:
        self.of_stream: dict[tuple[int, int], _Handle] = {}

    def current(self) -> int:
        """Return the handle of the current stream."""
        import cupy

        stream = cupy.cuda.get_current_stream()
        key = cupy.cuda.runtime.getDevice(), stream.ptr
        if key not in self.of_stream:
            # Outside the pool in use: that may be one that lives only as long as a training run.
            memory, handle = cupy.cuda.Memory(_WORKSPACE_BYTES), _bindings().create()
            _bindings().set_stream(handle, stream.ptr)  # which also resets the workspace
            _bindings().set_workspace(handle, memory.ptr, _WORKSPACE_BYTES)
            self.of_stream[key] = _Handle(handle, memory)
        return self.of_stream[key].handle

    def forget(self, streams: list[Any]) -> None:
        """Destroy the handles of streams of the current device that are no longer used."""
        import cupy

        device = cupy.cuda.runtime.getDevice()
        for stream in streams:
            own = self.of_stream.pop((device, stream.ptr), None)
            if own is not None:
                _bindings().destroy(own.handle)


_handles = _Handles()


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return ``a @ b``.

    Parameters
    ----------
    a : array, shape (..., n, k) or (k,)
    b : array, shape (..., k, m) or (k,)
        On the device of `a`, of the same dtype.
    out : array, shape (..., n, m), optional
        Where to write the result.

    Returns
    -------
    array, shape (..., n, m)
    """
    if type(a) is np.ndarray:
        if _divided.get() and a.ndim == b.ndim == 2 and divides(len(a), a.size * b.shape[1]):
            given = np.empty((len(a), b.shape[1]), np.result_type(a, b)) if out is None else out
            over_rows(lambda rows: np.matmul(a[rows], b, out=given[rows]), len(a))
            return given
        return a @ b if out is None else np.matmul(a, b, out=out)
    if not _by_cublas(a, b):
        if out is None:
            return a @ b
        out[...] = a @ b
        return out
    if out is not None:
        if out.flags.c_contiguous and min(a.ndim, b.ndim) > 1:
            _into(out, a, b, 0.0)
        else:
            out[...] = product(a, b)
        return out
    if b.ndim == 1:
        return product(a, b[:, None])[..., 0]
    if a.ndim == 1:
        return product(a[None], b)[..., 0, :]
    xp = array_module(a)
    if b.ndim == 2 and a.ndim > 2:
        out = product(a.reshape(-1, a.shape[-1]), b)
        return out.reshape(*a.shape[:-1], b.shape[-1])
    leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = xp.empty((*leading, a.shape[-2], b.shape[-1]), a.dtype)
    _into(out, a, b, 0.0)
    return out


def add_product_(out: Array, a: Array, b: Array) -> None:
    """Add ``a @ b`` to `out`, in place.

    Parameters
    ----------
    out : array, shape (n, m)
    a : array, shape (n, k)
    b : array, shape (k, m)
    """
    if type(out) is np.ndarray or not _by_cublas(a, b) or not out.flags.c_contiguous:
        out += product(a, b)
    else:
        _into(out, a, b, 1.0)


def dot(a: Array, b: Array) -> Array:
    """Return the sum of the products of all entries, as a scalar of the arrays' module."""
    if type(a) is np.ndarray:
        return np.vdot(a, b)
    return (a * b).sum()  # a dot product of cuBLAS cannot be captured into a graph


def inner(a: Array, b: Array, axis: int) -> Array:
    """Return the sums of the products of two matrices' entries along an axis."""
    if type(a) is np.ndarray:
        return np.einsum("ij,ij->j" if axis == 0 else "ij,ij->i", a, b)
    return (a * b).sum(axis=axis)


def forget_streams(streams: list[Any]) -> None:
    """Free what products on these streams of the current device have kept; none may follow."""
    _handles.forget(streams)


def _by_cublas(a: Array, b: Array) -> bool:
    # A sparse matrix is not an array, and brings its own product.
    arrays = is_on_device(a) and is_on_device(b)
    return arrays and a.dtype == b.dtype and a.dtype.char in "fd" and _bindings() is not None


class _Matrix(NamedTuple):
    """A matrix or several, as cuBLAS reads them."""

    array: Array
    transposed: bool
    leading: int  # distance between the stored rows of a matrix, in entries
    stride: int  # distance between the matrices, in entries; 0 for the same one


def _matrix(x: Array, leading: tuple[int, ...]) -> _Matrix:
    """Return x (..., rows, columns) for a product over the leading axes; copies if needed."""
    stride = _stride(x, leading)
    layout = None if stride is None else _layout(x)
    if stride is None or layout is None:
        xp = array_module(x)
        x = xp.ascontiguousarray(x if x.ndim == 2 else xp.broadcast_to(x, leading + x.shape[-2:]))
        stride, layout = _stride(x, leading), (False, max(x.shape[-1], 1))
    assert stride is not None
    return _Matrix(x, *layout, stride)


def _layout(x: Array) -> tuple[bool, int] | None:
    """Return whether the last two axes are stored transposed, and the leading dimension."""
    rows, columns = x.shape[-2:]
    down, along = (stride // x.dtype.itemsize for stride in x.strides[-2:])
    if columns == 1 or along == 1:
        leading = columns if rows == 1 else down
        if leading >= max(columns, 1):
            return False, leading
    if rows == 1 or down == 1:
        leading = rows if columns == 1 else along
        if leading >= max(rows, 1):
            return True, leading
    return None


def _stride(x: Array, leading: tuple[int, ...]) -> int | None:
    """Return the distance between consecutive matrices of x, or None if it is not constant."""
    if x.ndim == 2 or math.prod(leading) == 1:
        return 0
    if x.shape[:-2] != leading:
        return None
    item, expected = x.dtype.itemsize, None
    for size, stride in zip(reversed(leading), reversed(x.strides[:-2]), strict=True):
        if size == 1:
            continue
        if expected is not None and stride != expected:
            return None
        if expected is None:
            first = stride
        expected = stride * size
    return first // item


def _into(out: Array, a: Array, b: Array, beta: float) -> None:
    """Write ``a @ b + beta * out`` to `out`, which is in C order."""
    n, k = a.shape[-2:]
    m = b.shape[-1]
    if b.shape[-2] != k:
        raise ValueError(
            f"matrix product: the last axis of the first factor is {k}, and the second to last of "
            f"the second is {b.shape[-2]}; they must be equal"
        )
    if not out.size:
        return
    if not k:
        if not beta:
            out.fill(0)
        return
    leading = out.shape[:-2]
    first, second = _matrix(a, leading), _matrix(b, leading)
    cublas, dtype = _bindings(), out.dtype
    kind = of_factors = _REAL_32 if dtype.char == "f" else _REAL_64
    if dtype.char == "f" and _precision.get() == "bfloat16":
        # cuBLAS can round factors itself, but then takes several times as long as in TF32.
        first, second, of_factors = _in_bfloat16(first), _in_bfloat16(second), _BFLOAT_16
    scalars = np.array([1.0, beta], dtype)
    one, rest = scalars.ctypes.data, scalars.ctypes.data + dtype.itemsize
    compute = _compute_type(dtype.char, _precision.get())
    handle = _handles.current()
    # cuBLAS stores columns: in its terms, the transposed out is b's transpose times a's.
    sizes = int(second.transposed), int(first.transposed), m, n, k
    if not leading or math.prod(leading) == 1:
        cublas.gemm_ex(
            handle, *sizes, one,
            second.array.data.ptr, of_factors, second.leading,
            first.array.data.ptr, of_factors, first.leading, rest,
            out.data.ptr, kind, m, compute, -1,
        )  # fmt: skip
    else:
        cublas.gemm_strided_batched_ex(
            handle, *sizes, one,
            second.array.data.ptr, of_factors, second.leading, second.stride,
            first.array.data.ptr, of_factors, first.leading, first.stride, rest,
            out.data.ptr, kind, m, n * m, math.prod(leading), compute, -1,
        )  # fmt: skip


@cache
def _compute_type(char: str, precision: Precision) -> int:
    types = _bindings().ComputeType
    if char == "d":
        return int(types["COMPUTE_64F"])
    return int(types["COMPUTE_32F_FAST_TF32" if precision == "tf32" else "COMPUTE_32F"])


_ROUND = Kernel(
    "to_bfloat16",
    r"""
// To the nearest, ties to even; a NaN stays one.
union Bits { float value; unsigned int bits; };

extern "C" __global__ void KERNEL(const float* x, unsigned short* out, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        union Bits own;
        own.value = x[i];
        unsigned int bits = own.bits;
        if ((bits & 0x7FFFFFFF) > 0x7F800000) out[i] = (unsigned short)((bits >> 16) | 0x40);
        else out[i] = (unsigned short)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
""",
)


def to_bfloat16(x: Array) -> Array:
    """Return the bits of a float32 array on a device, rounded to bfloat16, as uint16."""
    out = array_module(x).empty(x.shape, np.uint16)
    _ROUND.launch(x.size, x, out, np.int64(x.size))
    return out


def _in_bfloat16(matrix: _Matrix) -> _Matrix:
    """Return matrices of float32 as ones of bfloat16 that are stored in the same way."""
    x = matrix.array
    if x.flags.c_contiguous:
        return matrix._replace(array=to_bfloat16(x))
    if x.ndim == 2 and x.T.flags.c_contiguous:
        return matrix._replace(array=to_bfloat16(x.T))
    rows, columns = x.shape[-2:]
    stride = rows * columns if matrix.stride else 0
    return _Matrix(to_bfloat16(contiguous(x)), False, max(columns, 1), stride)
