"""Steps of a leaky reservoir with Hadamard weights: one launch does all steps of a block.

    h[t] = keep h[t-1] + take f(D2 H D1 h[t-1] + drive[t])

H is the Sylvester-Hadamard matrix, and D1 and D2 are diagonal: signs, and signs times a scale. Each
series has a block of threads, in whose shared memory its state is transformed. On the host, the
products of :mod:`deepreservoir.scaffold.hadamard` are faster, and take the place of the transform.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import SHARED_BYTES, RealKernel, contiguous
from .reservoir import CODES, CURVE

# Numbers of a state that each thread keeps in registers: three of the transform's log2(units)
# stages need no exchange between threads.
_EACH = 8

# Numbers that threads access together lie `units / 8`, 1, 8, 64, ... apart; with one unused place
# after every eight they are in different banks of shared memory.
_HADAMARD = RealKernel(
    "leaky_hadamard",
    CURVE
    + r"""
#define PLACE(i) ((i) + (i) / 8)

// The stages of a transform of eight numbers whose partners are `least` or more places apart.
__device__ inline void stages(real* v, int least) {
#pragma unroll
    for (int apart = 1; apart < 8; apart *= 2)
        if (apart >= least) {
#pragma unroll
            for (int k = 0; k < 8; ++k)
                if (!(k & apart)) {
                    const real a = v[k], b = v[k + apart];
                    v[k] = a + b;
                    v[k + apart] = a - b;
                }
        }
}

enum { MOST_THREADS = sizeof(real) == 4 ? 1024 : 512 };   // of the largest that fits

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
KERNEL(const real* signs_in, const real* signs_out, const real* start, real* states,
       long long time, long long n, int units, real take, real keep, int activation) {
    extern __shared__ unsigned char memory[];
    real* mixed = (real*)memory;
    const int me = threadIdx.x, eighth = units / 8;   // as many threads
    const long long series = blockIdx.x, stride = n * units;
    real* now = states + series * units;
    real h[8], first[8], last[8], drive[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) {
        const int i = me + k * eighth;
        h[k] = start[series * units + i];
        first[k] = signs_in[i];
        last[k] = signs_out[i];
        drive[k] = now[i];
    }
    for (long long t = 0; t < time; ++t, now += stride) {
        real v[8], coming[8];
#pragma unroll
        for (int k = 0; k < 8; ++k) {
            const int i = me + k * eighth;
            coming[k] = t + 1 < time ? now[stride + i] : (real)0;   // long before it is needed
            mixed[PLACE(i)] = h[k] * first[k];
        }
        __syncthreads();
        int half = 1, shift = 0;   // partners of the next stage are `half` = 2^shift apart
        for (; half * 8 < units; half *= 8, shift += 3) {
            const int base = (me >> shift) * 8 * half + (me & (half - 1));
#pragma unroll
            for (int k = 0; k < 8; ++k) v[k] = mixed[PLACE(base + k * half)];
            stages(v, 1);
#pragma unroll
            for (int k = 0; k < 8; ++k) mixed[PLACE(base + k * half)] = v[k];
            __syncthreads();
        }
#pragma unroll
        for (int k = 0; k < 8; ++k) v[k] = mixed[PLACE(me + k * eighth)];
        stages(v, half / eighth);
#pragma unroll
        for (int k = 0; k < 8; ++k) {
            const real y = curve(v[k] * last[k] + drive[k], activation);
            h[k] = keep == 0 ? y : take * y + keep * h[k];
            now[me + k * eighth] = h[k];
            drive[k] = coming[k];
        }
        // The next step writes the places that the same thread has just read: none waits.
    }
}
""",
)


def hadamard_reservoir_fits(units: int, dtype: np.dtype | type) -> bool:
    """Return whether :func:`leaky_hadamard_` can run so many units, a power of two."""
    return units >= _EACH and _shared_bytes(units, np.dtype(dtype)) <= SHARED_BYTES


def _shared_bytes(units: int, dtype: np.dtype) -> int:
    return (units + units // _EACH) * dtype.itemsize


def leaky_hadamard_(
    signs_in: Array,
    signs_out: Array,
    drive: Array,
    h: Array,
    take: np.floating,
    keep: np.floating,
    activation: str,
) -> None:
    """Replace the drive of a block of steps on a device by its states, in place.

    Parameters
    ----------
    signs_in : array, shape (units,)
    signs_out : array, shape (units,)
        Signs multiplied by the scale.
    drive : array, shape (time, n_series, units)
        See :func:`hadamard_reservoir_fits` for the possible numbers of units.
    h : array, shape (n_series, units)
        State before the first step.
    take, keep, activation
        See :func:`deepreservoir.kernels.reservoir.leaky_`.
    """
    array_module(signs_in, signs_out, drive, h)  # raises if host and device arrays are mixed
    time, n, units = drive.shape
    _HADAMARD.of(drive.dtype).launch_blocks(
        n if time else 0, units // _EACH, contiguous(signs_in), contiguous(signs_out),
        contiguous(h), drive, np.int64(time), np.int64(n), np.int32(units), take, keep,
        CODES[activation], shared_bytes=_shared_bytes(units, drive.dtype),
    )  # fmt: skip
