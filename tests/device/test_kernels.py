"""Every kernel gives what its NumPy reference gives, in any order of threads, on any grid."""

import importlib
import pkgutil

import cpu_kernels
import numpy as np
import pytest

from deepreservoir import kernels
from deepreservoir.kernels import cuda
from deepreservoir.optim import Adam, AdamW

DTYPES = (np.float32, np.float64)
# One row, one column, odd sizes, none; more columns than the lanes that a block stages.
SHAPES = [(1, 1), (1, 7), (5, 16), (6, 33), (3, 300), (2, 4113), (0, 5)]
DROP = kernels.Drop(threshold=20_000, key=(7 << 100) + (1 << 63) + 5, substream=(1 << 40) + 3)

pytestmark = pytest.mark.usefixtures("thread_order")
every_type = pytest.mark.parametrize("dtype", DTYPES)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def normal(shape, dtype, seed=0):
    return (2 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def compare(found, expected):
    """Equal to a few roundings; absolutely so near zero, where sums may cancel."""
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        eps = np.finfo(b.dtype).eps
        np.testing.assert_allclose(a.get(), b, rtol=20 * eps, atol=20 * eps)


def on_device(cupy, arguments):
    return [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]


# All of them --------------------------------------------------------------------------------


def test_every_kernel_is_listed_under_its_own_name_and_builds():
    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"deepreservoir.kernels.{module.name}")
    listed = cuda.all_kernels()
    assert len({kernel.name for kernel in listed}) == len(listed) > 30
    for kernel in listed:
        if cpu_kernels.compiler():
            assert cpu_kernels.CpuModule(kernel.source).names == [kernel.name]


def test_two_kernels_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'adam_float' is used twice"):
        cuda.Kernel("adam_float", "")


def test_an_array_that_is_not_in_c_order_is_refused(cupy):
    theta = [cupy.zeros(8)[::2] for _ in range(5)]
    with pytest.raises(ValueError, match="argument 0 of kernel adam_double must be in C order"):
        step(*theta, decoupled=True)


def test_a_type_that_no_kernel_is_for_is_refused(cupy):
    with pytest.raises(TypeError, match="supports float32 and float64; got int64"):
        kernels.log_softmax(cupy.zeros((2, 3), np.int64))


# Nonlinearities -------------------------------------------------------------------------------


@every_type
@every_shape
@pytest.mark.parametrize("name", kernels.ACTIVATIONS)
def test_bias_activation_dropout(cupy, name, shape, dtype):
    x, dy, bias = normal(shape, dtype), normal(shape, dtype, 1), normal(shape[1], dtype, 2)
    for b, drop in ((None, None), (bias, None), (None, DROP), (bias, DROP)):
        host, device = (x, b, dy), on_device(cupy, (x, b, dy))
        compare(both_passes(*device, name, drop), both_passes(*host, name, drop))


def both_passes(x, bias, dy, name, drop):
    mask = None if drop is None else kernels.dropout_mask(x, drop)
    y, kept = kernels.bias_activation_dropout(x, bias, name, mask)
    return y, kernels.bias_activation_dropout_backward(dy, name, kept)


@every_type
@every_shape
@pytest.mark.parametrize("threshold", [0, 1, 6554, 65_535])
@pytest.mark.usefixtures("grid")
def test_masks_are_the_same_bits(cupy, threshold, shape, dtype):
    drop = DROP._replace(threshold=threshold)
    x = normal(shape, dtype)
    found = kernels.masked(cupy.asarray(x), kernels.dropout_mask(cupy.asarray(x), drop))
    expected = kernels.masked(x, kernels.dropout_mask(x, drop))
    assert found.get().tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", kernels.ACTIVATIONS)
def test_what_is_no_number_stays_none(cupy, name):
    x = cupy.asarray(np.array([[np.nan, 1.0]]))
    y, _ = kernels.bias_activation_dropout(x, x[0], name, None)
    assert np.isnan(y.get()).tolist() == [[True, False]]


def test_arrays_in_any_order_and_a_bias_of_another_type(cupy):
    x, bias = normal((6, 10), np.float64), normal(10, np.float32)
    expected = np.tanh(x[::2].T[:, ::-1] + bias[:3])
    view = cupy.asarray(x)[::2].T[:, ::-1]
    found, _ = kernels.bias_activation_dropout(view, cupy.asarray(bias[:3]), "tanh", None)
    compare([found], [expected])


# Softmax --------------------------------------------------------------------------------------


@every_type
@every_shape
@pytest.mark.usefixtures("grid")
def test_log_softmax(cupy, shape, dtype):
    x = 5 * normal(shape, dtype)
    compare([kernels.log_softmax(cupy.asarray(x))], [kernels.log_softmax(x)])


@every_type
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 10), (3, 700)], ids=str)
@pytest.mark.usefixtures("grid")
def test_softmax_cross_entropy(cupy, shape, weighted, class_weighted, smoothing, dtype):
    n, k = shape
    rng = np.random.default_rng(0)
    arguments = (
        normal(shape, dtype),
        rng.integers(0, k, n),
        rng.random(n).astype(dtype) if weighted else None,
        smoothing,
        (0.5 + rng.random(k)).astype(dtype) if class_weighted else None,
    )
    found = kernels.softmax_cross_entropy(*on_device(cupy, arguments))
    compare(found, [np.asarray(part) for part in kernels.softmax_cross_entropy(*arguments)])


def test_cross_entropy_is_finite_far_out(cupy):
    outputs = np.array([[1e4, 0.0, -1e4], [0.0, 1e4, 0.0]], np.float32)
    arguments = outputs, np.array([0, 0], np.int32)  # targets of any integer type
    found = kernels.softmax_cross_entropy(*on_device(cupy, arguments))
    compare(found, [np.asarray(part) for part in kernels.softmax_cross_entropy(*arguments)])


# Layer normalisation ------------------------------------------------------------------------------


@every_type
@every_shape
@pytest.mark.usefixtures("grid")
def test_layer_norm(cupy, shape, dtype):
    x, dy = 3 + normal(shape, dtype), normal(shape, dtype, 1)
    weight, bias = normal(shape[1], dtype, 2), normal(shape[1], dtype, 3)
    arguments = x, dy, weight, bias
    compare(norm_passes(*on_device(cupy, arguments)), norm_passes(*arguments))


def norm_passes(x, dy, weight, bias):
    y, xhat, inverse = kernels.layer_norm(x, weight, bias, eps=0.1)
    return y, xhat, inverse, *kernels.layer_norm_backward(dy, xhat, inverse, weight)


@every_type
@every_shape
@pytest.mark.usefixtures("grid")
@pytest.mark.parametrize("has_gain", [True, False])
def test_rms_norm(cupy, shape, dtype, has_gain):
    x, dy = normal(shape, dtype), normal(shape, dtype, 1)
    arguments = x, dy, normal(shape[1], dtype, 2) if has_gain else None
    compare(rms_passes(*on_device(cupy, arguments)), rms_passes(*arguments))


def rms_passes(x, dy, gain):
    y, inverse = kernels.rms_norm(x, gain, eps=0.1)
    return y, inverse, kernels.rms_norm_backward(dy, x, inverse, gain)


@every_type
@every_shape
@pytest.mark.usefixtures("grid")
def test_silu_product(cupy, shape, dtype):
    arguments = [normal(shape, dtype, seed) for seed in range(3)]
    compare(gated_passes(*on_device(cupy, arguments)), gated_passes(*arguments))


def gated_passes(gate, value, dout):
    return kernels.silu_product(gate, value), *kernels.silu_product_backward(dout, gate, value)


# Adam -----------------------------------------------------------------------------------------


def step(theta, grad, m, v, mask, decoupled, number=3, weight_decay=0.1):
    adam = (AdamW if decoupled else Adam)(weight_decay=weight_decay)
    adam.apply(theta, grad, [m, v], adam.scalars(number, 0.01), mask)


@every_type
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("n", [0, 1, 255, 1000])
@pytest.mark.usefixtures("grid")
def test_adam(cupy, n, decoupled, weight_decay, dtype):
    rng = np.random.default_rng(0)
    theta, grad, m, v = (normal(n, dtype, seed) for seed in range(4))
    host = [theta, grad, m, v * v, (rng.random(n) < 0.5).astype(dtype)]
    device = on_device(cupy, [array.copy() for array in host])
    for number in (1, 2, 3):
        step(*host, decoupled, number, weight_decay)
        step(*device, decoupled, number, weight_decay)
    compare(device, host)


# Sums by index ---------------------------------------------------------------------------------


@every_type
@pytest.mark.parametrize("n", [0, 1, 40])
@pytest.mark.usefixtures("grid")
def test_rows_are_added_by_index(cupy, n, dtype):
    index = np.random.default_rng(0).integers(0, 7, n)
    host = [normal((9, 5), dtype), index, normal((n, 5), dtype, 1)]
    device = on_device(cupy, [array.copy() for array in host])
    kernels.add_rows_(*host)
    kernels.add_rows_(*device)
    compare(device[:1], host[:1])
    assert (host[0][7:] == normal((9, 5), dtype)[7:]).all()
