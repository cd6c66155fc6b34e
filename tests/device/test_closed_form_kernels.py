"""The kernels of closed-form cells give what their NumPy references give."""

import numpy as np
import pytest

from deepreservoir import kernels

DROP = kernels.Drop(threshold=20_000, key=(7 << 100) + 5, substream=3)

pytestmark = pytest.mark.usefixtures("thread_order")
every_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_shape = pytest.mark.parametrize(
    "shape", [(1, 1), (5, 16), (6, 33), (3, 300), (0, 5)], ids=str
)


def normal(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def compare(found, expected):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    eps = np.finfo(expected.dtype).eps
    np.testing.assert_allclose(found.get(), expected, rtol=40 * eps, atol=40 * eps)


@every_type
@every_shape
def test_gated_state(cupy, shape, dtype):
    n, width = shape
    y, t = normal((n, 4 * width), dtype), np.abs(normal(n, dtype, 1))
    state, slopes = kernels.gated_state(y, t, True)
    on_device = kernels.gated_state(cupy.asarray(y), cupy.asarray(t), True)
    compare(on_device[0], state)
    compare(on_device[1], slopes)
    np.testing.assert_array_equal(kernels.gated_state(y, t, False)[0], state)

    dstate, dy = normal(shape, dtype, 2), np.empty_like(y)
    kernels.gated_state_backward_(dy, dstate, t, slopes)
    device_dy = cupy.empty(y.shape, y.dtype)
    kernels.gated_state_backward_(device_dy, cupy.asarray(dstate), cupy.asarray(t), on_device[1])
    compare(device_dy, dy)


@every_type
@every_shape
@pytest.mark.parametrize("drop", [None, DROP], ids=["kept", "dropped"])
def test_silu_dropout(cupy, shape, dtype, drop):
    x, dy = normal(shape, dtype), normal(shape, dtype, 1)
    mask = None if drop is None else kernels.dropout_mask(x, drop)
    y, cache = kernels.silu_dropout(x, mask)
    found, device_cache = kernels.silu_dropout(cupy.asarray(x), drop)
    compare(found, y)
    compare(
        kernels.silu_dropout_backward(cupy.asarray(dy), device_cache),
        kernels.silu_dropout_backward(dy, cache),
    )


def test_the_reference_is_silu():
    x = normal((4, 7), np.float64)
    np.testing.assert_allclose(kernels.silu_dropout(x, None)[0], kernels.silu(x), rtol=1e-13)
    dy = normal((4, 7), np.float64, 1)
    cache = kernels.silu_dropout(x, None)[1]
    np.testing.assert_allclose(
        kernels.silu_dropout_backward(dy, cache), kernels.silu_backward(dy, x), rtol=1e-12
    )
