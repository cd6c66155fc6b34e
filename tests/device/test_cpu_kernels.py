"""The shim that runs CUDA C on the CPU: it notices what a device would do wrong in silence."""

import numpy as np
import pytest
from cpu_kernels import ORDERS, SHARED_LIMIT, CpuModule, KernelError, compiler, thread_order
from test_cuda_sources import ROW_SUMS

pytestmark = [
    pytest.mark.host(reason="it is about the shim itself"),
    pytest.mark.skipif(compiler() is None, reason="g++ is not there to build the kernels"),
]

SCALE = r"""
extern "C" __global__ void scale(const float* x, float* y, float factor, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}
"""
X = np.arange(40, dtype=np.float32)


def run(source, name, grid, block, *arguments, **options):
    CpuModule(source).get_function(name)((grid,), (block,), arguments, **options)


def scaled(x=X, y=None, factor=np.float32(2), n=np.int32(40), grid=2, block=32):  # noqa: B008
    y = np.zeros(40, np.float32) if y is None else y
    run(SCALE, "scale", grid, block, x, y, factor, n)
    return y


def in_every_order(source, name, grid, block, out, *arguments, **options):
    """Return what `out` holds after the kernel ran in each order of threads."""
    results = []
    for order in ORDERS:
        copy = out.copy()
        with thread_order(order):
            run(source, name, grid, block, copy, *arguments, **options)
        results.append(copy)
    return results


def test_a_right_call_writes_its_output_and_nothing_else():
    kept = X.copy()
    np.testing.assert_array_equal(scaled(), 2 * kept)
    np.testing.assert_array_equal(X, kept)


# Races, barriers, shared memory ------------------------------------------------------------


def row_sums_in_every_order(source):
    x, results = np.random.default_rng(0).random((3, 100), np.float32), []
    for order in ORDERS:
        out = np.zeros(3, np.float32)
        with thread_order(order):
            run(source, "row_sums", 3, 32, x, out, np.int32(100), shared_mem=128)
        results.append(np.allclose(out, x.sum(axis=1), rtol=1e-5))
    return results


def test_a_barrier_that_is_missing_shows_in_one_order_or_another():
    assert all(row_sums_in_every_order(ROW_SUMS))
    racy = ROW_SUMS.replace("partial[t] = sum;\n  __syncthreads();", "partial[t] = sum;")
    assert racy != ROW_SUMS
    assert not all(row_sums_in_every_order(racy))


def test_a_race_between_blocks_shows_in_one_order_or_another():
    source = r"""
    extern "C" __global__ void last(int* out) { out[0] = blockIdx.x; }
    """
    first, second, _ = in_every_order(source, "last", 5, 1, np.zeros(1, np.int32))
    assert first != second


@pytest.mark.parametrize(
    "condition",
    ["if (threadIdx.x >= 8) return;", "if (threadIdx.x % 2) __syncthreads();"],
    ids=["early return", "a barrier of half the threads"],
)
def test_a_barrier_that_not_all_threads_reach_is_refused(condition):
    source = f"""extern "C" __global__ void half(float* y) {{
      {condition}
      __syncthreads();
      y[threadIdx.x] = 1;
    }}"""
    with pytest.raises(KernelError, match=r"divergent __syncthreads \(line \d\)"):
        run(source, "half", 1, 16, np.zeros(16, np.float32))


def test_shared_memory_starts_as_nan_in_every_block():
    source = r"""
    extern "C" __global__ void peek(float* y) {
      __shared__ float fixed[4];
      extern __shared__ float given[];
      y[2 * blockIdx.x] = fixed[1];
      y[2 * blockIdx.x + 1] = given[1];
      fixed[1] = given[1] = 5;
    }
    """
    y = np.zeros(4, np.float32)
    run(source, "peek", 2, 1, y, shared_mem=16)
    assert np.isnan(y).all()


def test_atomic_sums_count_every_thread():
    source = r"""
    extern "C" __global__ void count(int* out) { atomicAdd(out, 1); }
    """
    for out in in_every_order(source, "count", 7, 33, np.zeros(1, np.int32)):
        assert out == 7 * 33


# Out of bounds ------------------------------------------------------------


@pytest.mark.parametrize(("offset", "side"), [(-1, "before"), (40, "behind"), (400, "behind")])
def test_a_write_outside_an_array_is_noticed(offset, side):
    source = r"""
    extern "C" __global__ void poke(float* y, int offset) { y[offset] = 1; }
    """
    with pytest.raises(KernelError, match=f"poke: a write {side} an array of 160 bytes"):
        run(source, "poke", 1, 1, X.copy(), np.int32(offset))


def test_what_is_read_outside_an_array_is_nan():
    y = np.zeros(50, np.float32)
    scaled(y=y, n=np.int32(50))
    assert np.isnan(y[40:]).all()
    np.testing.assert_array_equal(y[:40], 2 * X)


@pytest.mark.parametrize("what", ["__shared__ float", "float"])
def test_an_index_outside_a_fixed_array_is_noticed(what):
    source = f"""extern "C" __global__ void fixed(float* y, int i) {{
      {what} values[4];
      values[i] = 1;
      y[0] = values[i];
    }}"""
    run(source, "fixed", 1, 1, X.copy(), np.int32(3))
    with pytest.raises(KernelError, match=r"an index leaves its array \(line 3\)"):
        run(source, "fixed", 1, 1, X.copy(), np.int32(4))


def test_more_dynamic_shared_memory_than_was_given_is_noticed():
    with pytest.raises(KernelError, match="beyond the dynamic shared memory"):
        run(ROW_SUMS, "row_sums", 1, 32, X, np.zeros(1, np.float32), np.int32(40), shared_mem=64)


def test_arrays_that_overlap_still_do():
    source = r"""
    extern "C" __global__ void both(float* a, float* b) { a[2] = 7; b[0] += 1; }
    """
    x = np.zeros(4, np.float32)
    run(source, "both", 1, 1, x[:3], x[2:])
    assert x.tolist() == [0, 0, 8, 0]


# Arguments and launches ------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"n": 40}, TypeError, "argument 3 of scale must be a scalar of kind 'i' and 4 bytes"),
        ({"factor": 2.0}, TypeError, "argument 2 .* kind 'f' and 4 bytes.*got float64"),
        ({"factor": np.int32(2)}, TypeError, "argument 2 .* kind 'f'"),
        ({"n": True}, TypeError, "argument 3 .* got bool"),
        ({"factor": X}, TypeError, "argument 2 of scale must be a scalar"),
        ({"x": np.float32(1)}, TypeError, "argument 0 of scale must be an array"),
        ({"x": X.astype(np.float64)}, TypeError, "argument 0 .* array of float64"),
        ({"x": X.view(np.int32)}, TypeError, "argument 0 .* array of int32"),
        ({"x": np.repeat(X, 2)[::2]}, ValueError, "argument 0 of scale must be C-contiguous"),
        ({"grid": 0}, ValueError, r"a device refuses a grid of \(0,\)"),
        ({"block": 0}, ValueError, r"a device refuses a block of \(0,\)"),
        ({"block": 1025}, ValueError, r"a device refuses a block of \(1025,\)"),
    ],
)
def test_what_a_device_would_misread_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        scaled(**given)


def test_an_output_that_is_read_only_is_refused():
    y = np.zeros(40, np.float32)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="argument 1 of scale is read-only"):
        scaled(y=y)


def test_the_number_of_arguments_is_checked():
    with pytest.raises(TypeError, match="scale has 4 parameters; got 2"):
        run(SCALE, "scale", 1, 1, X, X.copy())


@pytest.mark.parametrize("block", [(32, 64), (1, 1, 65)])
def test_blocks_beyond_a_devices_limits_are_refused(block):
    kernel = CpuModule(SCALE).get_function("scale")
    with pytest.raises(ValueError, match="a device refuses a block"):
        kernel((1,), block, (X, X.copy(), np.float32(1), np.int32(1)))


def test_more_shared_memory_than_usual_must_be_asked_for():
    kernel = CpuModule(ROW_SUMS).get_function("row_sums")
    arguments = (X, np.zeros(1, np.float32), np.int32(40))
    with pytest.raises(ValueError, match="max_dynamic_shared_size_bytes"):
        kernel((1,), (32,), arguments, shared_mem=SHARED_LIMIT + 4)
    kernel.max_dynamic_shared_size_bytes = SHARED_LIMIT + 4
    kernel((1,), (32,), arguments, shared_mem=SHARED_LIMIT + 4)
    kernel.max_dynamic_shared_size_bytes = 1 << 20
    with pytest.raises(ValueError, match="a device gives"):
        kernel((1,), (32,), arguments, shared_mem=1 << 20)


# Sources ------------------------------------------------------------


def test_threads_know_where_they_are_in_three_dimensions():
    source = r"""
    extern "C" __global__ void where(int* out) {
      int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
      int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
      int i = block * blockDim.x * blockDim.y * blockDim.z + thread;
      out[i] = i;
    }
    """
    kernel = CpuModule(source).get_function("where")
    for order in ORDERS:
        out = np.full(2 * 3 * 2 * 4 * 3 * 2, -1, np.int32)
        with thread_order(order):
            kernel((2, 3, 2), (4, 3, 2), (out,))
        np.testing.assert_array_equal(out, np.arange(len(out)))


def test_instances_of_a_template_are_built_by_name():
    source = "template <class T> __global__ void fill(T* y) { y[threadIdx.x] = 3; }"
    module = CpuModule(source, name_expressions=["fill<double>", "fill<unsigned char>"])
    for name, dtype in (("fill<double>", np.float64), ("fill<unsigned char>", np.uint8)):
        y = np.zeros(5, dtype)
        module.get_function(name)((1,), (5,), (y,))
        assert (y == 3).all()


def test_options_define_macros_and_unknown_ones_are_refused():
    source = """extern "C" __global__ void one(int* y) { y[0] = ONE; }"""
    y = np.zeros(1, np.int32)
    CpuModule(source, ("-DONE=11", "--fmad=false")).get_function("one")((1,), (1,), (y,))
    assert y == 11
    with pytest.raises(ValueError, match="--use_fast_math"):
        CpuModule(source, ("-DONE=1", "--use_fast_math"))


def test_warps_are_not_modelled_and_so_do_not_compile():
    source = """extern "C" __global__ void warp(float* y) {
      y[0] = __shfl_down_sync(0xffffffff, y[0], 1);
    }"""
    with pytest.raises(SyntaxError, match="__shfl_down_sync"):
        CpuModule(source)


def test_a_kernel_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no kernel 'halve', only \['scale'\]"):
        CpuModule(SCALE).get_function("halve")


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="forward, reverse, shuffled; got 'random'"):  # noqa: SIM117
        with thread_order("random"):
            pass
