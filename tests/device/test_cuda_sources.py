"""CUDA C sources give the right numbers, wherever they run: Philox, and sums in shared memory."""

import numpy as np
import pytest
import target
from cpu_kernels import ORDERS, CpuModule, compiler, thread_order
from target import assert_allclose, assert_array_equal, host, put

pytestmark = pytest.mark.skipif(
    target.device == "cpu" and compiler() is None, reason="g++ is not there to build the kernels"
)

PHILOX = r"""
__device__ inline void philox4x64_10(unsigned long long c[4], unsigned long long k0,
                                     unsigned long long k1) {
  const unsigned long long M0 = 0xD2E7470EE14C6C93ULL, M1 = 0xCA5A826395121157ULL;
  const unsigned long long W0 = 0x9E3779B97F4A7C15ULL, W1 = 0xBB67AE8584CAA73BULL;
  for (int round = 0; round < 10; ++round) {
    if (round) { k0 += W0; k1 += W1; }
    unsigned long long high0 = __umul64hi(M0, c[0]), low0 = M0 * c[0];
    unsigned long long high1 = __umul64hi(M1, c[2]), low1 = M1 * c[2];
    c[0] = high1 ^ c[1] ^ k0; c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1; c[3] = low0;
  }
}

extern "C" __global__ void philox(unsigned long long* out, long long n, unsigned long long k0,
    unsigned long long k1, unsigned long long c0, unsigned long long c1) {
  long long block = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (block * 4 >= n) return;
  unsigned long long add = block + 1ULL;  // NumPy counts on before it draws
  unsigned long long c[4] = {c0 + add, c1, 0, 0};
  if (c[0] < add && ++c[1] == 0) ++c[2];
  philox4x64_10(c, k0, k1);
  for (int j = 0; j < 4; ++j) if (block * 4 + j < n) out[block * 4 + j] = c[j];
}
"""

ROW_SUMS = r"""
extern "C" __global__ void row_sums(const float* x, float* out, int width) {
  extern __shared__ float partial[];
  int t = threadIdx.x;
  float sum = 0;
  for (int j = t; j < width; j += blockDim.x) sum += x[(long long)blockIdx.x * width + j];
  partial[t] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  if (t == 0) out[blockIdx.x] = partial[0];
}
"""


def kernel(source, name):
    """Return a kernel for arrays of `target.xp`."""
    if target.device == "cuda":
        return target.xp.RawKernel(source, name)
    return CpuModule(source).get_function(name)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("counter", [0, 2**64 - 3, 2**128 - 2])
def test_philox_equals_numpys_bit_for_bit(counter, order):
    n, low = 1003, 2**64 - 1
    key = 0x0123456789ABCDEF_FEDCBA9876543210
    numbers = (key & low, key >> 64, counter & low, counter >> 64)
    out = put(np.zeros(n, np.uint64))
    with thread_order(order):
        arguments = (out, np.int64(n), *map(np.uint64, numbers))
        kernel(PHILOX, "philox")((2,), (256,), arguments)
    assert_array_equal(out, np.random.Philox(key=key, counter=counter).random_raw(n))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("threads", [1, 32, 256])
def test_sums_in_shared_memory(threads, order):
    x = put(np.random.default_rng(0).standard_normal((9, 301)), np.float32)
    out = put(np.zeros(9, np.float32))
    with thread_order(order):
        arguments = (x, out, np.int32(301))
        kernel(ROW_SUMS, "row_sums")((9,), (threads,), arguments, shared_mem=4 * threads)
    assert_allclose(out, host(x).astype(np.float64).sum(axis=1), rtol=1e-5, atol=1e-4)
