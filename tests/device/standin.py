"""A strict stand-in for CuPy over NumPy: the names, keywords and rules of CuPy 14, no device.

    standin.install()        # import cupy gives the stand-in from here on

It shows that code never leaves what CuPy offers and that nothing moves unasked. It shows
nothing of a device's numbers or speed. A name that is missing here says so: add it if CuPy
has it, with the parameters that it has there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.special
from cpu_kernels import SHARED_MOST
from device_array import (
    Function,
    Ufunc,
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    devices,
    ndarray,
    refuse_host,
    signatures,
    transfers,
    unwrap,
    wrap,
)
from device_runtime import (
    CUDARuntimeError,
    Device,
    Event,
    MemoryPool,
    OutOfMemoryError,
    RawKernel,
    RawModule,
    Stream,
)

__all__ = ["install", "ndarray", "transfers"]

UFUNCS = """
abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_count
bitwise_or bitwise_xor cbrt ceil conj copysign cos cosh divide equal exp exp2 expm1 float_power
floor floor_divide fmax fmin fmod greater greater_equal hypot invert isfinite isinf isnan
left_shift less less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or
logical_xor matmul maximum minimum mod multiply negative nextafter not_equal positive power
reciprocal remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh
true_divide trunc
"""

FUNCTIONS = """
all(a, axis, out, keepdims) allclose(a, b, rtol, atol, equal_nan) amax(a, axis, out, keepdims)
amin(a, axis, out, keepdims) any(a, axis, out, keepdims) arange(start, stop, step, dtype)
argmax(a, axis, dtype, out, keepdims) argmin(a, axis, dtype, out, keepdims)
argsort(a, axis, kind) argwhere(a) array_equal(a1, a2, equal_nan)
array_split(ary, indices_or_sections, axis) average(a, axis, weights, returned | keepdims)
bincount(x, weights, minlength) broadcast_arrays(*) broadcast_to(array, shape)
clip(a, a_min, a_max, out) column_stack(tup) concatenate(tup, axis, out | dtype, casting)
copy(a, order) copyto(dst, src, casting, where) count_nonzero(a, axis) cumprod(a, axis, dtype, out)
cumsum(a, axis, dtype, out) diag(v, k) diagonal(a, offset, axis1, axis2)
diff(a, n, axis, prepend, append) dot(a, b, out) einsum(* | dtype, optimize) expand_dims(a, axis)
eye(N, M, k, dtype, order) flatnonzero(a) flip(a, axis) full(shape, fill_value, dtype, order)
full_like(a, fill_value, dtype, order, subok, shape) hstack(tup | dtype, casting)
identity(n, dtype) inner(a, b) isclose(a, b, rtol, atol, equal_nan) kron(a, b)
linspace(start, stop, num, endpoint, retstep, dtype, axis) max(a, axis, out, keepdims)
may_share_memory(a, b, max_work) mean(a, axis, dtype, out, keepdims)
median(a, axis, out, overwrite_input, keepdims) min(a, axis, out, keepdims)
moveaxis(a, source, destination) nan_to_num(x, copy, nan, posinf, neginf) ndim(a) nonzero(a)
ones(shape, dtype, order) ones_like(a, dtype, order, subok, shape) outer(a, b, out)
packbits(a, axis, bitorder) prod(a, axis, dtype, out, keepdims) ravel(a, order)
repeat(a, repeats, axis) reshape(a, newshape, order | copy) roll(a, shift, axis)
searchsorted(a, v, side, sorter) shape(a) shares_memory(a, b, max_work) sort(a, axis, kind)
split(ary, indices_or_sections, axis) squeeze(a, axis) stack(tup, axis, out | dtype, casting)
std(a, axis, dtype, out, ddof, keepdims) sum(a, axis, dtype, out, keepdims)
swapaxes(a, axis1, axis2) take(a, indices, axis, out) take_along_axis(a, indices, axis)
tensordot(a, b, axes) tile(A, reps) trace(a, offset, axis1, axis2, dtype, out)
transpose(a, axes) tril(m, k) triu(m, k)
unique(ar, return_index, return_inverse, return_counts, axis | equal_nan)
unpackbits(a, axis, bitorder) var(a, axis, dtype, out, ddof, keepdims) vdot(a, b)
vstack(tup | dtype, casting) where(condition, x, y) zeros(shape, dtype, order)
zeros_like(a, dtype, order, subok, shape)
"""
WAITS = {"argwhere", "flatnonzero", "nonzero", "unique"}
SCALARS = {"allclose", "array_equal", "count_nonzero"}

LINALG = """
cholesky(a) det(a) eigh(a, UPLO) eigvalsh(a, UPLO) inv(a) lstsq(a, b, rcond)
norm(x, ord, axis, keepdims) pinv(a, rcond) qr(a, mode) slogdet(a) solve(a, b)
svd(a, full_matrices, compute_uv)
"""

SPECIAL = """
erf erfc erfinv expit gammaln log_softmax logit logsumexp ndtr ndtri softmax xlogy
"""

# What NumPy has and CuPy offers under the same name and meaning.
SHARED = """
bool_ complex64 complex128 dtype e finfo float16 float32 float64 iinfo inf int8 int16 int32 int64
integer intp isscalar nan newaxis pi promote_types result_type can_cast uint8 uint16 uint32 uint64
floating
"""


class _Module(ModuleType):
    """A module that names what it lacks."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []  # a package: ``import cupyx.scipy.special`` looks for parts inside

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the stand-in has no {self.__name__}.{name}: add it if CuPy has it")


def _module(name: str, **names: Any) -> _Module:
    module = _Module(name)
    vars(module).update(names)
    return module


# Allocation -----------------------------------------------------------------------------------


def _empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype, order=order)


def _empty_like(prototype: ndarray, dtype: Any = None, order: str = "K") -> ndarray:
    refuse_host(prototype, "empty_like")
    layout = np.empty_like(prototype._host, dtype, order)
    layout[...] = ndarray(layout.shape, layout.dtype)._host
    return wrap(layout)


# Linear algebra: silent on failure unless told otherwise ---------------------------------------

_linalg_error = "ignore"


@contextmanager
def errstate(*, linalg: str) -> Iterator[None]:
    global _linalg_error
    before, _linalg_error = _linalg_error, linalg
    try:
        yield
    finally:
        _linalg_error = before


def _silent(host: Any) -> Any:
    """Return `host` with a failure shown as NaN, as on a device, unless `errstate` asks."""

    def call(a: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        try:
            return host(a, *args, **kwargs)
        except np.linalg.LinAlgError:
            if _linalg_error == "raise":
                raise
            return np.full_like(args[0] if args else a, np.nan)

    return call


class csr_matrix:
    """A sparse matrix on the device, as far as products need one."""

    def __init__(self, arg: Any, shape: tuple[int, int] | None = None, dtype: Any = None) -> None:
        if scipy.sparse.issparse(arg):
            transfers.to_device += 1
        if isinstance(arg, tuple):
            arg = tuple(unwrap(part, "csr_matrix") for part in arg)
        elif isinstance(arg, ndarray):
            arg = arg._host
        self._host = scipy.sparse.csr_matrix(arg, shape=shape, dtype=dtype)
        if self._host.dtype.char not in "?fdFD":
            raise ValueError("Only bool, float32, float64, complex64 and complex128 are supported")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    nnz = property(lambda self: self._host.nnz)
    data = property(lambda self: wrap(self._host.data))
    indices = property(lambda self: wrap(self._host.indices))
    indptr = property(lambda self: wrap(self._host.indptr))

    def dot(self, other: ndarray) -> ndarray:
        if not isinstance(other, ndarray):
            raise TypeError(f"Unsupported type {type(other)} (in a sparse product)")
        return wrap(self._host @ other._host)

    __matmul__ = dot

    def toarray(self) -> ndarray:
        return wrap(self._host.toarray())

    def get(self) -> scipy.sparse.csr_matrix:
        transfers.to_host += 1
        return self._host.copy()


# The modules ------------------------------------------------------------------------------------


def _functions(table: str, host: Any) -> dict[str, Function]:
    made = {}
    for signature in signatures(table):
        name = signature.partition("(")[0]
        function = getattr(host, name)
        if host is np.linalg:
            function = _silent(function)
        made[name] = Function(signature, function, waits=name in WAITS, scalar=name in SCALARS)
    return made


def _special() -> dict[str, Function]:
    made = {}
    for name in SPECIAL.split():
        keywords = "axis, keepdims" if name == "logsumexp" else "axis" if "softmax" in name else ""
        host = getattr(scipy.special, name)
        made[name] = Function(f"{name}(* | {keywords or 'out'})", host)
    return made


def _cuda() -> _Module:
    runtime = _module(
        "cupy.cuda.runtime",
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: devices.count,
        deviceSynchronize=lambda: None,
        getDeviceProperties=lambda device: {
            "name": b"stand-in",
            "multiProcessorCount": 2,
            "sharedMemPerBlockOptin": SHARED_MOST,
        },
        memGetInfo=lambda: Device.mem_info,
        driverGetVersion=lambda: 12090,
        runtimeGetVersion=lambda: 12090,
    )
    return _module(
        "cupy.cuda",
        runtime=runtime,
        Device=Device,
        Event=Event,
        MemoryPool=MemoryPool,
        Stream=Stream,
        get_current_stream=lambda: Stream.null,
        get_elapsed_time=lambda start, end: 0.0,
        is_available=lambda: True,
        memory=_module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError),
    )


def _scatter_add(a: ndarray, index: Any, value: Any) -> None:
    np.add.at(a._host, unwrap(index, "scatter_add"), unwrap(value, "scatter_add"))


def modules() -> dict[str, _Module]:
    """Return the stand-in's modules by name, none of them installed."""
    linalg = _module(
        "cupy.linalg", LinAlgError=np.linalg.LinAlgError, **_functions(LINALG, np.linalg)
    )
    names: dict[str, Any] = {name: getattr(np, name) for name in SHARED.split()}
    names |= _functions(FUNCTIONS, np)
    names |= {name: Ufunc(name, getattr(np, name)) for name in UFUNCS.split()}
    cupy = _module(
        "cupy",
        **names,
        __version__="14.2.0",
        RawKernel=RawKernel,
        RawModule=RawModule,
        array=array,
        asarray=asarray,
        ascontiguousarray=ascontiguousarray,
        asnumpy=asnumpy,
        cuda=_cuda(),
        empty=_empty,
        empty_like=_empty_like,
        get_array_module=lambda *args: cupy if any(isinstance(a, ndarray) for a in args) else np,
        get_default_memory_pool=MemoryPool,
        get_default_pinned_memory_pool=MemoryPool,
        linalg=linalg,
        ndarray=ndarray,
        transfers=transfers,
    )
    triangular = "solve_triangular(a, b, trans, lower, unit_diagonal, overwrite_b, check_finite)"
    solve = Function(triangular, _silent(scipy.linalg.solve_triangular))
    scipy_parts = {
        "special": _module("cupyx.scipy.special", **_special()),
        "linalg": _module("cupyx.scipy.linalg", solve_triangular=solve),
        "sparse": _module(
            "cupyx.scipy.sparse",
            csr_matrix=csr_matrix,
            issparse=lambda x: isinstance(x, csr_matrix),
        ),
    }
    cupyx_scipy = _module("cupyx.scipy", **scipy_parts)
    cupyx = _module("cupyx", errstate=errstate, scatter_add=_scatter_add, scipy=cupyx_scipy)
    parts = (cupy, linalg, cupy.cuda, cupy.cuda.runtime, cupy.cuda.memory, cupyx, cupyx_scipy)
    return {module.__name__: module for module in (*parts, *scipy_parts.values())}


def install() -> ModuleType:
    """Put the stand-in into ``sys.modules`` as ``cupy`` and ``cupyx``, and return ``cupy``."""
    made = modules()
    sys.modules.update(made)
    return made["cupy"]


def installed() -> bool:
    """Say whether ``import cupy`` gives the stand-in."""
    return getattr(sys.modules.get("cupy"), "ndarray", None) is ndarray
