"""Steps of a leaky reservoir: recurrent product, nonlinearity and leak.

    h[t] = keep h[t-1] + take f(W h[t-1] + drive[t])

On a device, one launch does all steps of a block where the weights are read fast enough by the
blocks of threads that a series gets (`make_run_source`). Otherwise each step is a matrix product
and one launch for the rest.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import SHARED_BYTES, Kernel, RealKernel, contiguous, multiprocessors

#: Numbers by which kernels know the nonlinearities.
CODES = {"tanh": np.int32(0), "relu": np.int32(1), "identity": np.int32(2)}

#: CUDA C of the nonlinearities.
CURVE = """
__device__ inline real curve(real x, int activation) {
    if (activation == 0) return tanh(x);
    if (activation == 1) return x < 0 ? (real)0 : x;   // this way round, NaN stays NaN
    return x;
}
"""

# Each row's product with a state is the sum of this many shares, whose order is fixed: the states
# do not depend on the shape of a launch.
_SHARES = 8
# Rows whose shares are in shared memory together.
_ROWS = 256
# Most threads per block: where all blocks run at once, and where several share a multiprocessor.
_MOST_THREADS, _MOST_THREADS_OF_MANY = 1024, 512

# Bytes of weights for each block of threads of a series, where there are enough multiprocessors:
# they stay in the first cache.
_PART_BYTES = 64 << 10
# A step takes longer in one launch of a whole block than in launches of its own from these numbers
# of bytes on: those that a block of threads reads, and those that all of them read.
_WHOLE_BYTES, _ALL_BYTES = 4 << 20, 128 << 20

_LEAKY = RealKernel(
    "leaky",
    CURVE
    + """
extern "C" __global__ void KERNEL(real* drive, const real* x, const real* h, long long n, real take,
                                  real keep, int activation) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        const real y = curve(x[i] + drive[i], activation);
        drive[i] = keep == 0 ? y : take * y + keep * h[i];
    }
}
""",
)

# The grid has `parts` blocks per series, each for some of the rows of W. If a launch has several
# parts and several steps, a part waits after each step for the others of its series, which must
# therefore run at the same time: `arrived` counts the parts that are done with a step. States of
# other parts are read past the first cache, which does not notice what other blocks write (hence
# volatile); so `states` must not be read through the read-only cache either.
_RUN = """
__device__ inline void wait_for_parts(unsigned int* arrived, unsigned int goal) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1u);
        while (*(volatile unsigned int*)arrived < goal) {}
        __threadfence();
    }
    __syncthreads();
}

extern "C" __global__ void __launch_bounds__(1024)
KERNEL(PARAMETERS, const real* start, real* states, unsigned int* arrived, long long time,
       long long n, int units, int rows_per_part, int parts, real take, real keep, int activation) {
    extern __shared__ unsigned char memory[];
    real* h = (real*)memory;         // (units,): the state before the step
    real* shares = h + units;        // (SHARES, rows)
    const long long series = blockIdx.x / parts;
    const int first = blockIdx.x % parts * rows_per_part, last = min(first + rows_per_part, units);
    const volatile real* before = start + series * units;
    for (long long t = 0; t < time; ++t) {
        real* now = states + (t * n + series) * units;
        for (int i = threadIdx.x; i < units; i += blockDim.x) h[i] = before[i];
        __syncthreads();
        for (int top = first; top < last; top += ROWS) {
            const int rows = min(ROWS, last - top), mine = top + threadIdx.x;
            const bool writes = threadIdx.x < rows;
            const real drive = writes ? now[mine] : (real)0;   // read long before it is needed
            for (int task = threadIdx.x; task < SHARES * rows; task += blockDim.x) {
                const int row = top + task % rows, share = task / rows;
                real x = 0;
                PRODUCT
                shares[task] = x;
            }
            __syncthreads();
            if (writes) {
                real x = 0;
                for (int task = threadIdx.x; task < SHARES * rows; task += rows) x += shares[task];
                const real y = curve(x + drive, activation);
                now[mine] = keep == 0 ? y : take * y + keep * h[mine];
            }
            __syncthreads();
        }
        if (parts > 1 && t + 1 < time) wait_for_parts(arrived + series, (t + 1) * parts);
        before = now;
    }
}
"""


class RunKernels:
    """The kernels from one source of :func:`make_run_source`.

    Parameters
    ----------
    name : str
    source : str
    """

    def __init__(self, name: str, source: str) -> None:
        self._alone = RealKernel(name, source)
        self._together = RealKernel(f"{name}_together", source, cooperative=True)

    def of(self, dtype: np.dtype, parts: int) -> Kernel:
        """Return the kernel for arrays of `dtype` and `parts` blocks of threads per series."""
        return (self._alone if parts == 1 else self._together).of(dtype)


def make_run_source(parameters: str, product: str) -> str:
    """Return CUDA C of a kernel for the steps of a block, for one format of the weights.

    Parameters
    ----------
    parameters : str
        The kernel's first parameters: the weights.
    product : str
        Statements that add to ``x`` share number ``share`` of the product of row ``row`` with the
        state ``h``: that of every ``SHARES``-th of its weights.
    """
    body = _RUN.replace("PARAMETERS", parameters).replace("PRODUCT", product)
    return f"#define SHARES {_SHARES}\n#define ROWS {_ROWS}\n{CURVE}{body}"


_DENSE_SOURCE = make_run_source(
    "const real* __restrict__ weights",  # W^T, so that adjacent threads read adjacent addresses
    """
#pragma unroll 8
                for (int j = share; j < units; j += SHARES)
                    x += weights[(long long)j * units + row] * h[j];
""",
)
_DENSE = RunKernels("leaky_dense", _DENSE_SOURCE)


def leaky_(
    drive: Array, x: Array, h: Array, take: np.floating, keep: np.floating, activation: str
) -> None:
    """Replace the drive of a step by its states, in place; x = W h is overwritten.

    Parameters
    ----------
    drive, x, h : array of float32 or float64, shape (n_series, units) or (units,)
        `h` is the previous state.
    take, keep : floating, of the same type
        Factors of the nonlinearity and of the previous state.
    activation : {"tanh", "relu", "identity"}
    """
    xp = array_module(drive, x, h)
    if xp is not np:
        _LEAKY.of(drive.dtype).launch(
            drive.size, drive, contiguous(x), contiguous(h), np.int64(drive.size), take, keep,
            CODES[activation],
        )  # fmt: skip
        return
    drive += x
    if activation == "tanh":
        np.tanh(drive, out=drive)
    elif activation == "relu":
        np.maximum(drive, np.zeros(drive.shape[-1:], drive.dtype), out=drive)
    if keep != 0:
        drive *= take
        np.multiply(h, keep, out=x)
        drive += x


def leaky_dense_(
    weights: Array, drive: Array, h: Array, take: np.floating, keep: np.floating, activation: str
) -> None:
    """Replace the drive of a block of steps by its states, in place.

    Parameters
    ----------
    weights : array, shape (units, units)
        W, fastest in column-major order.
    drive : array, shape (time, n_series, units)
    h : array, shape (n_series, units)
        State before the first step.
    take, keep, activation
        See :func:`leaky_`.
    """
    xp = array_module(weights, drive, h)
    if xp is np and len(h) == 1:
        # NumPy multiplies vectors with less overhead.
        drive, h = drive[:, 0], h[0]
    x = xp.empty_like(h)
    if xp is np:
        for now in drive:
            np.dot(weights, h, out=x) if h.ndim == 1 else np.matmul(h, weights.T, out=x)
            leaky_(now, x, h, take, keep, activation)
            h = now
        return
    transposed, last = contiguous(weights.T), contiguous(h)
    n, units = h.shape
    parts = parts_of_run(n, units, weights.nbytes)
    fast = weights.nbytes <= min(parts * _WHOLE_BYTES, _ALL_BYTES / n)
    if fast and fits_run(units, weights.dtype):
        launch_run(_DENSE, (transposed,), drive, last, parts, take, keep, activation)
        return
    for now in drive:
        xp.matmul(last, transposed, out=x)
        leaky_(now, x, last, take, keep, activation)
        last = now


def parts_of_run(n: int, units: int, nbytes: int) -> int:
    """Return the number of blocks of threads for each of `n` series with weights of `nbytes`."""
    wanted = min(-(-nbytes // _PART_BYTES), -(-units // 32))
    return max(1, min(wanted, multiprocessors() // n))


def fits_run(units: int, dtype: np.dtype) -> bool:
    """Return whether the kernels of `make_run_source` have the shared memory for `units`."""
    return _run_shared_bytes(units, units, dtype) <= SHARED_BYTES


def _run_shared_bytes(units: int, rows: int, dtype: np.dtype) -> int:
    return (units + _SHARES * min(rows, _ROWS)) * dtype.itemsize


def launch_run(
    kernels: RunKernels,
    weights: tuple[Array, ...],
    drive: Array,
    h: Array,
    parts: int,
    take: np.floating,
    keep: np.floating,
    activation: str,
) -> None:
    """Launch one of `kernels` for a block of steps (time, n_series, units)."""
    time, n, units = drive.shape
    rows = -(-units // (32 * parts)) * 32  # whole slices of 32 rows
    parts = -(-units // rows)
    crowded = n * parts > multiprocessors()
    threads = min(_SHARES * rows, _MOST_THREADS_OF_MANY if crowded else _MOST_THREADS)
    arrived = array_module(drive).zeros(n, np.uint32)
    kernels.of(drive.dtype, parts).launch_blocks(
        n * parts if time else 0, threads, *weights, h, drive, arrived, np.int64(time),
        np.int64(n), np.int32(units), np.int32(rows), np.int32(parts), take, keep,
        CODES[activation], shared_bytes=_run_shared_bytes(units, rows, drive.dtype),
    )  # fmt: skip
