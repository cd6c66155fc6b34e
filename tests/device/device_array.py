"""The array of the stand-in for CuPy: NumPy's memory behind a device's rules.

It refuses what ``cupy.ndarray`` refuses, and a few things that CuPy answers by moving data in
silence: implicit conversion to NumPy, NumPy functions on it, NumPy arrays beside it, keywords
that CuPy has not, assignment through duplicate indices. Fresh memory is poisoned. What moves
data between host and device is counted in `transfers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np


@dataclass
class Transfers:
    """How often data moved, or the host waited for a number of the device."""

    to_host: int = 0
    to_device: int = 0

    @property
    def total(self) -> int:
        return self.to_host + self.to_device


transfers = Transfers()

#: How many devices there are, which a test may raise, and which of them is the current one.
devices = SimpleNamespace(count=1, current=0)


class ndarray:
    """An array that pretends to lie on a device."""

    __slots__ = ("_device", "_host")
    __array_ufunc__ = None  # NumPy's operators hand over to ours, its ufuncs refuse
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, *, order: str = "C") -> None:
        self._host = _poisoned(shape, dtype, order)
        self._device = devices.current

    # Across to the host -----------------------------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} was given an array of the device")

    def get(self) -> np.ndarray:
        transfers.to_host += 1
        return self._host.copy()

    def item(self, *index: int) -> Any:
        return self.get().item(*index)

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self) -> bytes:
        return self.get().tobytes()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        return f"device {self._host!r}"

    def __format__(self, spec: str) -> str:
        return format(self.get()[()], spec)

    def __reduce__(self) -> Any:
        return array, (self.get(),)

    def __copy__(self) -> ndarray:
        return wrap(self._host.copy())

    def __deepcopy__(self, memo: Any) -> ndarray:
        return wrap(self._host.copy())

    def set(self, values: np.ndarray) -> None:
        if not isinstance(values, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if values.dtype != self.dtype or values.shape != self.shape:
            raise ValueError(f"shape and dtype must be {self.shape}, {self.dtype}; got {values!r}")
        transfers.to_device += 1
        self._host[...] = values

    # What it is -------------------------------------------------------------------------

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: self._view(self._host.T))
    real = property(lambda self: self._view(self._host.real))
    imag = property(lambda self: self._view(self._host.imag))
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))
    device = property(lambda self: SimpleNamespace(id=self._device))

    @property
    def flags(self) -> SimpleNamespace:
        flags = self._host.flags
        names = ("c_contiguous", "f_contiguous", "owndata", "fnc", "forc")
        return SimpleNamespace(**{name: getattr(flags, name) for name in names})

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    # Indexing ---------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> ndarray:
        return self._view(self._host[_host_index(index)])

    def _view(self, host: Any) -> ndarray:
        part = wrap(host)
        part._device = self._device
        return part

    def __setitem__(self, index: Any, value: Any) -> None:
        refuse_host(value, "an assignment")
        where = _host_index(index)
        if _scatters(where):
            places = np.arange(self.size).reshape(self.shape)[where]
            if np.unique(places).size < places.size:
                raise IndexError("an assignment with duplicate indices is undefined on a device")
        self._host[where] = value._host if isinstance(value, ndarray) else value


def _poisoned(shape: Any, dtype: Any, order: str = "C") -> np.ndarray:
    """Return memory that shows when it is read before it is written: NaN, or odd integers."""
    out = np.empty(shape, dtype, order)
    if out.dtype.kind in "fc":
        out.fill(math.nan)
    else:
        out.view(np.uint8 if out.ndim else out.dtype).fill(0x5A)
    return out


def _host_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_host_index(part) for part in index)
    if isinstance(index, ndarray):
        if index.dtype.kind == "b":
            transfers.to_host += 1  # the host needs the number of hits
        return index._host
    if isinstance(index, np.ndarray | list):
        transfers.to_device += 1  # CuPy copies it to the device
    return index


def _scatters(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, np.ndarray | list) for part in parts)


# From stand-in to NumPy and back ------------------------------------------------------------


def wrap(value: Any) -> Any:
    """Return NumPy's results as the device has them: numbers too stay there, as 0-d arrays."""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {value.dtype}")
        out = object.__new__(ndarray)
        out._host = np.asarray(value)
        out._device = devices.current
        return out
    if isinstance(value, list | tuple):
        parts = [wrap(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def refuse_host(value: Any, where: str) -> None:
    if isinstance(value, np.ndarray | list):
        raise TypeError(f"Unsupported type {type(value)} (in {where})")


def unwrap(value: Any, where: str) -> Any:
    """Return arguments as NumPy takes them; arrays of NumPy's own are refused."""
    if isinstance(value, ndarray):
        if value._device != devices.current:
            raise ValueError(
                f"Array device must be same as the current device: array device = {value._device} "
                f"while current = {devices.current} (in {where})"
            )
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray} (in {where})")
    if isinstance(value, list | tuple):
        return type(value)(unwrap(part, where) for part in value)
    return value


class Function:
    """A function of CuPy with the parameters that it has there, and NumPy's values.

    Parameters
    ----------
    signature : str
        Such as ``"stack(tup, axis, out | dtype, casting)"``; behind the bar only by keyword.
    host : callable
        What computes.
    waits : bool, default=False
        Whether the host has to wait for the device, to know the shape of the result.
    scalar : bool, default=False
        Whether a number that NumPy gives to the host stays on the device.
    """

    def __init__(
        self, signature: str, host: Callable, *, waits: bool = False, scalar: bool = False
    ) -> None:
        self.__name__, _, parameters = signature.rstrip(")").partition("(")
        positional, _, keywords = parameters.partition("|")
        names = [[name.strip() for name in part.split(",")] for part in (positional, keywords)]
        self.most = math.inf if "*" in parameters else len(names[0])
        self.keywords = {name for part in names for name in part if name not in ("", "*")}
        self.host, self.waits, self.scalar = host, waits, scalar

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check(args, kwargs)
        if self.waits:
            transfers.to_host += 1
        out = kwargs.get("out")
        given = {name: unwrap(value, self.__name__) for name, value in kwargs.items()}
        result = self.host(*(unwrap(value, self.__name__) for value in args), **given)
        if out is not None:
            return out
        return wrap(np.asarray(result) if self.scalar else result)

    def _check(self, args: tuple, kwargs: dict[str, Any]) -> None:
        unknown = set(kwargs) - self.keywords
        if unknown or len(args) > self.most:
            raise TypeError(
                f"cupy's {self.__name__} takes {sorted(self.keywords)}; got {len(args)} by "
                f"position and {sorted(kwargs)} by keyword"
            )
        if not isinstance(kwargs.get("out"), ndarray | None):
            raise TypeError("Output arguments type must be cupy.ndarray")


class Ufunc(Function):
    """A ufunc: no ``where``, no lists, and of its methods only what is needed here."""

    def __init__(self, name: str, host: np.ufunc) -> None:
        super().__init__(f"{name}(* | out, dtype, casting)", host)

    def _check(self, args: tuple, kwargs: dict[str, Any]) -> None:
        super()._check(args, kwargs)
        for value in args:
            refuse_host(value, self.__name__)
        if len(args) == self.host.nin + 1 and not isinstance(args[-1], ndarray):
            raise TypeError("Output arguments type must be cupy.ndarray")


# Operators and methods ------------------------------------------------------------------------

OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}

METHODS = """
all(axis, out, keepdims) any(axis, out, keepdims) argmax(axis, out, dtype, keepdims)
argmin(axis, out, dtype, keepdims) argsort(axis, kind) astype(dtype, order, casting, subok, copy)
clip(min, max, out) conj() copy(order) cumprod(axis, dtype, out) cumsum(axis, dtype, out)
diagonal(offset, axis1, axis2) dot(b, out) fill(value) flatten(order) max(axis, out, keepdims)
mean(axis, dtype, out, keepdims) min(axis, out, keepdims) nonzero() prod(axis, dtype, out, keepdims)
ravel(order) repeat(repeats, axis) reshape(* | order, copy) round(decimals, out)
searchsorted(v, side, sorter) sort(axis, kind) squeeze(axis) std(axis, dtype, out, ddof, keepdims)
sum(axis, dtype, out, keepdims) swapaxes(axis1, axis2) take(indices, axis, out)
trace(offset, axis1, axis2, dtype, out) transpose(*) var(axis, dtype, out, ddof, keepdims)
view(dtype)
"""


VIEWS = {"diagonal", "reshape", "squeeze", "swapaxes", "transpose", "view"}


def signatures(table: str) -> list[str]:
    """Split a table such as `METHODS` into its entries."""
    return [part.strip() + ")" for part in table.replace("\n", " ").split(")") if part.strip()]


def _operator(ufunc: Ufunc) -> tuple[Callable, Callable, Callable]:
    def forward(self: ndarray, other: Any) -> Any:
        return ufunc(self, other)

    def reflected(self: ndarray, other: Any) -> Any:
        return ufunc(other, self)

    def in_place(self: ndarray, other: Any) -> ndarray:
        return ufunc(self, other, out=self)

    return forward, reflected, in_place


def _method(signature: str) -> Callable:
    name = signature.partition("(")[0]
    function = Function(signature, getattr(np.ndarray, name), waits=name == "nonzero")
    function.most += 1  # the array itself

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        if name in VIEWS and self._device != devices.current:  # no kernel runs
            before, devices.current = devices.current, self._device
            try:
                return function(self, *args, **kwargs)
            finally:
                devices.current = before
        return function(self, *args, **kwargs)

    return method


def _equip() -> None:
    for name, ufunc_name in OPERATORS.items():
        ufunc = Ufunc(ufunc_name, getattr(np, ufunc_name))
        forward, reflected, in_place = _operator(ufunc)
        setattr(ndarray, f"__{name}__", forward)
        setattr(ndarray, f"__r{name}__", reflected)
        if name != "matmul":  # CuPy has no in-place product
            setattr(ndarray, f"__i{name}__", in_place)
    for name, ufunc_name in COMPARISONS.items():
        setattr(ndarray, f"__{name}__", _operator(Ufunc(ufunc_name, getattr(np, ufunc_name)))[0])
    for name, ufunc_name in UNARY.items():
        ufunc = Ufunc(ufunc_name, getattr(np, ufunc_name))
        setattr(ndarray, f"__{name}__", lambda self, ufunc=ufunc: ufunc(self))
    for signature in signatures(METHODS):
        setattr(ndarray, signature.partition("(")[0], _method(signature))


_equip()
ndarray.copy = lambda self, order="C": wrap(self._host.copy(order))  # to the current device


# Making arrays --------------------------------------------------------------------------------


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> ndarray:
    """Return a new device array of `obj`, which may lie anywhere."""
    if isinstance(obj, ndarray):
        return wrap(np.array(obj._host, dtype=dtype, copy=copy or None, order=order))
    transfers.to_device += 1
    parts = obj
    if isinstance(obj, list | tuple) and any(isinstance(part, ndarray) for part in obj):
        parts = [unwrap(part, "array") for part in obj]
    return wrap(np.array(parts, dtype=dtype, order=order))


def asarray(a: Any, dtype: Any = None, order: str = "K") -> ndarray:
    if isinstance(a, ndarray) and (dtype is None or a.dtype == dtype):
        return a
    return array(a, dtype, copy=False, order=order)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    return a if _contiguous(a, dtype) else array(a, dtype, order="C")


def _contiguous(a: Any, dtype: Any) -> bool:
    same = isinstance(a, ndarray) and (dtype is None or a.dtype == dtype)
    return same and bool(a.flags.c_contiguous)


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)
