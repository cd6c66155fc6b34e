"""Products on a device: what cuBLAS is asked for is the product of the arrays."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
import standin
import target

from deepreservoir import kernels
from deepreservoir.kernels import products

KINDS = {
    0: (np.float32, ctypes.c_float),
    1: (np.float64, ctypes.c_double),
    14: (np.uint16, ctypes.c_uint16),  # bfloat16
}


class FakeCublas:
    """cuBLAS's products of column-major matrices, on the memory of the stand-in's arrays."""

    def __init__(self):
        self.computed = []
        self.ComputeType = {
            "COMPUTE_64F": 70,
            "COMPUTE_32F": 68,
            "COMPUTE_32F_FAST_TF32": 77,
        }

    def gemm_ex(self, handle, ta, tb, m, n, k, alpha, a, at, lda, b, bt, ldb, beta, c, ct, ldc,
                compute, algo):  # fmt: skip
        self.gemm_strided_batched_ex(
            handle, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0, beta, c, ct, ldc, 0, 1,
            compute, algo,
        )  # fmt: skip

    def gemm_strided_batched_ex(self, handle, ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb,
                                sb, beta, c, ct, ldc, sc, count, compute, algo):  # fmt: skip
        assert at == bt
        assert ct == (0 if at == 14 else at)
        self.computed.append((at, compute))

        def matrix(pointer, rows, columns, leading, stride, index, kind):
            dtype, ctype = KINDS[kind]
            assert leading >= max(rows, 1)
            start = pointer + index * stride * np.dtype(dtype).itemsize
            size = leading * (columns - 1) + rows
            flat = np.ctypeslib.as_array((ctype * size).from_address(start))
            item = flat.itemsize
            found = np.lib.stride_tricks.as_strided(flat, (rows, columns), (item, leading * item))
            if kind == 14:
                return (found.astype(np.uint32) << 16).view(np.float32)
            return found

        def scalar(pointer):
            return KINDS[ct][1].from_address(pointer).value

        for i in range(count):
            left = matrix(a, k, m, lda, sa, i, at).T if ta else matrix(a, m, k, lda, sa, i, at)
            right = matrix(b, n, k, ldb, sb, i, bt).T if tb else matrix(b, k, n, ldb, sb, i, bt)
            out = matrix(c, m, n, ldc, sc, i, ct)
            rest = scalar(beta) * out if scalar(beta) else 0
            out[...] = scalar(alpha) * (left @ right) + rest


@pytest.fixture
def cublas(cupy, monkeypatch):
    """The bindings of cuBLAS: the real ones on a device, where they are installed."""
    if target.device == "cuda" and not standin.installed():
        if not products.captures_products():
            pytest.skip("nvmath-python is not installed")
        yield None
        return
    fake = FakeCublas()
    monkeypatch.setattr(products, "_bindings", lambda: fake)
    monkeypatch.setattr(products, "_handles", SimpleNamespace(current=lambda: 0))
    products._compute_type.cache_clear()
    yield fake
    products._compute_type.cache_clear()


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


PAIRS = {
    "rows and columns": (normal(5, 7), normal(7, 3)),
    "first transposed": (normal(7, 5).T, normal(7, 3)),
    "second transposed": (normal(5, 7), normal(3, 7).T),
    "both transposed": (normal(7, 5).T, normal(3, 7).T),
    "parts of rows": (normal(5, 20)[:, 3:10], normal(9, 30)[1:8, 2:5]),
    "parts of columns, transposed": (normal(20, 5)[3:10].T, normal(3, 20)[:, 5:12].T),
    "every second column": (normal(5, 14)[:, ::2], normal(7, 3)),
    "one row": (normal(1, 7), normal(7, 3)),
    "one column": (normal(5, 7), normal(7, 1)),
    "one column, transposed": (normal(7, 1).T, normal(1, 7).T),
    "one inner": (normal(5, 1), normal(1, 3)),
    "none inner": (normal(5, 0), normal(0, 3)),
    "no rows": (normal(0, 7), normal(7, 3)),
    "vector first": (normal(7), normal(7, 3)),
    "vector second": (normal(5, 7), normal(7)),
    "vectors": (normal(7), normal(7)),
    "rows of several": (normal(2, 4, 7), normal(7, 3)),
    "one left of several": (normal(4, 4), normal(6, 4, 3)),
    "one left, transposed": (normal(4, 5).T, normal(6, 4, 3)),
    "several": (normal(6, 4, 5), normal(6, 5, 3)),
    "several, transposed": (normal(6, 5, 4).swapaxes(1, 2), normal(6, 3, 5).swapaxes(1, 2)),
    "heads": (normal(2, 9, 3, 4).swapaxes(1, 2), normal(2, 9, 3, 4).swapaxes(1, 2).swapaxes(2, 3)),
    "broadcast": (normal(2, 1, 4, 5), normal(3, 5, 2)),
    "double": (normal(5, 7, dtype=np.float64), normal(7, 3, dtype=np.float64)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_a_product_is_that_of_numpy(cupy, cublas, pair):
    a, b = pair
    # As views of arrays on the device, not as copies in C order.
    on_device = [_view(cupy, part) for part in pair]
    found = kernels.product(*on_device)
    assert found.shape == (a @ b).shape
    assert found.dtype == a.dtype
    np.testing.assert_allclose(found.get(), a @ b, rtol=1e-5, atol=1e-5)
    if cublas is not None and found.size and a.shape[-1]:
        assert cublas.computed


def _view(cupy, array):
    """Return an array of the device with the strides of a host array, by the same steps."""
    if array.flags.c_contiguous or array.ndim < 2:
        return cupy.asarray(array)
    if array.ndim == 2 and array.T.flags.c_contiguous:
        return cupy.asarray(array.T).T
    # Otherwise: the axes in the order of their strides, within an array that is wider.
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    sorted_axes = array.transpose(order)
    step = sorted_axes.strides[-1] // array.itemsize
    width = sorted_axes.shape[-1] * step + 3
    wide = cupy.asarray(np.zeros((*sorted_axes.shape[:-1], width), array.dtype))
    part = wide[..., 1 : 1 + sorted_axes.shape[-1] * step : step]
    part[...] = cupy.asarray(np.ascontiguousarray(sorted_axes))
    return part.transpose(tuple(np.argsort(order)))


def test_a_product_is_added(cupy, cublas):
    a, b, out = normal(5, 7), normal(7, 3), normal(5, 3)
    found = cupy.asarray(out)
    kernels.add_product_(found, cupy.asarray(a), cupy.asarray(b))
    np.testing.assert_allclose(found.get(), out + a @ b, rtol=1e-5, atol=1e-5)
    part = cupy.asarray(np.zeros((5, 8), np.float32))[:, :3]
    kernels.add_product_(part, cupy.asarray(a), cupy.asarray(b))
    np.testing.assert_allclose(part.get(), a @ b, rtol=1e-5, atol=1e-5)


def test_factors_that_do_not_fit_are_refused(cupy, cublas):
    with pytest.raises(ValueError, match="first factor is 7, and the second to last"):
        kernels.product(cupy.asarray(normal(5, 7)), cupy.asarray(normal(6, 3)))


def test_precision_is_that_of_the_with_block(cupy, cublas):
    if cublas is None:
        pytest.skip("only the fake tells how it was asked")
    a, b = cupy.asarray(normal(5, 7)), cupy.asarray(normal(7, 3))
    for precision, code in (("tf32", (0, 77)), ("bfloat16", (14, 68)), ("float32", (0, 68))):
        with kernels.product_precision(precision):
            kernels.product(a, b)
            assert cublas.computed[-1] == code
            kernels.product(a.astype(np.float64), b.astype(np.float64))
            assert cublas.computed[-1] == (1, 70)
    kernels.product(a, b)
    assert cublas.computed[-1] == (0, 68)


def rounded(x):
    """Round float32 to bfloat16 in integer arithmetic of Python."""
    bits = x.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "double"])
def test_factors_in_bfloat16_are_rounded_to_it(cupy, cublas, name):
    a, b = PAIRS[name]
    with kernels.product_precision("bfloat16"):
        found = kernels.product(_view(cupy, a), _view(cupy, b))
    expected = rounded(np.ascontiguousarray(a)) @ rounded(np.ascontiguousarray(b))
    np.testing.assert_allclose(found.get(), expected, rtol=1e-5, atol=1e-5)


def test_infinities_and_nan_stay_what_they_are(cupy):
    x = np.array([np.inf, -np.inf, np.nan, 1.0, 3.4e38], np.float32)
    bits = products.to_bfloat16(cupy.asarray(x)).get().astype(np.uint32) << 16
    found = bits.view(np.float32)
    assert found[0] == np.inf
    assert found[1] == -np.inf
    assert np.isnan(found[2])
    assert found[3] == 1
    assert found[4] == np.inf  # nearer than the largest finite number


def test_without_bindings_only_float32_is_possible(monkeypatch):
    monkeypatch.setattr(products, "_bindings", lambda: None)
    assert kernels.precision_problem("float32") is None
    assert "pip install 'deepreservoir[cuda12]'" in kernels.precision_problem("tf32")
