"""Compiled loops: equal to the passes of NumPy, bit by bit or up to rounding."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from deepreservoir import Network, kernels  # noqa: E402
from deepreservoir.kernels import compiled  # noqa: E402
from deepreservoir.kernels.compiled import options  # noqa: E402
from deepreservoir.kernels.draw import random_words  # noqa: E402
from deepreservoir.layers import Pass, Step  # noqa: E402
from deepreservoir.models import PlainCNNConfig, ViTConfig  # noqa: E402

pytestmark = pytest.mark.host(reason="numba's loops are the host's")


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(compiled, "SMALLEST", 0)
    monkeypatch.setattr(compiled, "SMALLEST_EXACT", 0)


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def flat(values):
    if isinstance(values, np.ndarray):
        return [values]
    return [array for value in values for array in flat(value)]


def both(function, *args):
    """Return the arrays that a function of copies of its arguments gives, in both ways."""
    results = []
    for available in (True, False):
        copies = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiled, "available", lambda available=available: available)
            if not available:
                patch.setattr(compiled, "loops", None)  # not even asked for
            results.append(flat(function(*copies)))
    return zip(*results, strict=True)


def assert_close(pairs, **tolerances):
    for fast, reference in pairs:
        assert fast.dtype == reference.dtype
        np.testing.assert_allclose(fast, reference, **({"rtol": 1e-5, "atol": 1e-5} | tolerances))


SIZES = [  # h, w, c, kernel, stride, padding
    (5, 6, 3, 3, 1, 1),
    (7, 5, 2, 3, 2, 1),
    (1, 1, 2, 3, 1, 1),
    (8, 7, 1, 5, 3, 2),
    (4, 4, 1, 2, 1, 2),
    (2, 2, 2, 2, 1, 3),
    (5, 4, 16, 2, 3, 0),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_patches_are_the_same_bits(sizes):
    h, w, c, *window = sizes
    x = normal(2, h, w, c)
    for fast, reference in both(kernels.patches, x, *window):
        np.testing.assert_array_equal(fast, reference)
    assert_close(both(kernels.patches_adjoint, kernels.patches(x, *window), (h, w), *window))


@pytest.mark.parametrize("shrink", [0.0, -0.01])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("n", [1, 37, 300_000])  # the last is divided over threads
def test_a_step_of_adam_has_the_same_bits(n, decay, shrink):
    theta, grad, m, v = (normal(n, seed=i) for i in range(4))
    mask = (np.arange(n) % 3 == 0).astype(np.float32)

    def step(*arrays):
        kernels.adam_(*arrays, (1e-3, 1e-8, shrink), 0.9, 0.999, decay)
        return arrays

    for fast, reference in both(step, theta, grad, m, v * v, mask):
        assert fast.dtype == np.float32
        np.testing.assert_array_equal(fast, reference)
    assert (theta != step(theta.copy(), grad, m, v * v, mask)[0]).mean() > 0.99


def test_patches_of_part_of_a_buffer():
    x, out = normal(3, 4, 4, 2), np.full((5, 4, 4, 18), 7, np.float32)
    kernels.patches(x, 3, 1, 1, out=out[:3])
    np.testing.assert_array_equal(out[:3], kernels.patches(x.astype(float), 3, 1, 1))
    assert (out[3:] == 7).all()


@pytest.mark.parametrize("repeats", [1, 3])
def test_batch_normalisation_and_relu(repeats):
    rows, dy = 5 + normal(7, 4 * repeats), normal(7, 4 * repeats, seed=1)
    mean, slope, shift, by_x, constant = (np.tile(row, repeats) for row in normal(5, 4, seed=2))
    shift -= 5 * slope
    assert_close(both(kernels.pixel_moments, rows, 4))

    def passes(rows, dy):
        y, dx = np.empty_like(rows), np.empty_like(rows)
        kernels.affine_relu(rows, slope, shift, y)
        sums = kernels.relu_sums(rows, dy, mean, slope, shift, dx)
        kernels.norm_gradient_(rows, dy, slope, shift, by_x, constant, dx)
        return y, sums, dx

    assert_close(both(passes, rows, dy), atol=5e-5)


def test_gelu_and_its_slope():
    x = np.concatenate([normal(1000), np.float32([-40, -9, -0.0, 0, 1e-20, 9, 40, 1e10])])
    assert_close(both(kernels.gelu, x), atol=5e-7)

    def passes(x):
        x = x.reshape(-1, 4)
        y, cache = kernels.bias_activation_dropout(x, None, "gelu", None)
        return y, kernels.bias_activation_dropout_backward(x[::-1].copy(), "gelu", cache)

    assert_close(both(passes, x), rtol=2e-6, atol=2e-6)


def test_layer_normalisation():
    x, dy = 3 + normal(9, 10), normal(9, 10, seed=1)
    weight, bias = normal(2, 10, seed=2)

    def passes(x, dy):
        y, xhat, inverse = kernels.layer_norm(x, weight, bias, 1e-5)
        return y, xhat, inverse, kernels.layer_norm_backward(dy, xhat, inverse, weight)

    assert_close(both(passes, x, dy))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention(causal, masked):
    q, k, v, dout = 3 * normal(4, 2, 7, 3, 4)
    mask = np.array([[True] * 5 + [False] * 2, [False] * 7]) if masked else None

    def passes(q, k, v, dout):
        out, log_sums = kernels.softmax_attention(q, k, v, mask, causal)
        grads = kernels.softmax_attention_backward(dout, q, k, v, out, log_sums, mask, causal)
        return out, log_sums, grads

    assert_close(both(passes, q, k, v, dout), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        PlainCNNConfig((8, 8, 3), 4, depth=8, width=4, rank=2),
        ViTConfig((8, 8, 3), 4, patch_size=4, width=8, depth=2, heads=2, rank=2),
    ],
    ids=lambda config: type(config).__name__,
)
def test_networks_have_the_same_gradients(config):
    x = normal(6, 8, 8, 3)

    def passes(x):
        network = Network(config, 0)
        y, cache = network.forward(x, Pass(Step(0, 0)))
        network.backward(y, cache)
        return y, network.grad

    assert_close(both(passes, x), rtol=1e-3, atol=1e-4)


def test_nan_is_not_lost():
    x = normal(4, 6)
    x[1, 2] = np.nan
    assert np.isnan(kernels.gelu(x)).sum() == 1
    rows, ones = np.empty_like(x), np.ones(6, np.float32)
    kernels.affine_relu(x, ones, ones, rows)
    assert np.isnan(rows).sum() == 1
    y, *_ = kernels.layer_norm(x, ones, ones, 1e-5)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[2]).all()


def test_other_types_and_small_arrays_stay_with_numpy(monkeypatch):
    assert compiled.suits(normal(4))
    assert not compiled.suits(normal(4, dtype=np.float64))
    assert not compiled.suits(normal(4, 4).T)
    monkeypatch.setattr(compiled, "SMALLEST", 5)
    assert not compiled.suits(normal(4))


def test_without_a_folder_for_machine_code_loops_are_compiled_in_memory(monkeypatch):
    given = []

    def njit(**options):
        given.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(options.numba, "njit", njit)
    assert options.compiled(len) is len
    assert [options.get("cache", False) for options in given] == [True, False]
    assert given[1]["nogil"]


def test_what_is_left_out_of_attention_is_exactly_zero():
    """Tiny numbers in place of zeros would make products with them denormal, and slow."""
    scores = np.zeros((3, 40), np.float32)
    scores[:, 20:] = -1e30
    scores[1, :20] = np.linspace(-200, 0, 20)
    p = scores.copy()
    sums = np.empty((3, 1), np.float32)
    compiled.loops().exponentials(p, p.max(axis=1), sums.reshape(-1))
    assert (p[:, 20:] == 0).all()
    tiny = np.finfo(np.float32).tiny
    assert ((p == 0) | (p >= tiny)).all()
    q = scores.copy()
    compiled.loops().probabilities(q, np.log(sums[:, 0]))
    assert (q[:, 20:] == 0).all()
    assert ((q == 0) | (q >= tiny)).all()


# Dense layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", [0, 5, 2**64 - 2, 2**64 - 1, (9 << 64) + 2**64 - 3])
@pytest.mark.parametrize("n", [1, 3, 4, 8, 9, 100, 4096])
def test_random_words_are_those_of_numpy(n, counter):
    key, out = 123456789123456789123456789123, np.empty(n, np.uint64)
    words = [np.uint64(value >> shift & 2**64 - 1) for value in (counter, key) for shift in (0, 64)]
    compiled.dense_loops().random_words(*words, out)
    expected = np.random.Philox(key=key, counter=counter).random_raw(n)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("counter", [3 << 64, 3 << 128])  # the loop's counters have 128 bits
def test_a_stream_is_the_same_with_and_without_the_loop(counter):
    for fast, reference in both(random_words, 77, counter, 5000):
        np.testing.assert_array_equal(fast, reference)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("threshold", [None, 0, 20_000, 65_000])
@pytest.mark.parametrize("shape", [(1, 1), (3, 16), (40, 17), (700, 30), (2, 9000)])
def test_relu_and_dropout_have_the_bits_of_numpy(shape, threshold, with_bias):
    x = normal(*shape)
    x.flat[: 3 * (x.size > 8)] = np.nan, np.inf, -np.inf
    drop = None if threshold is None else kernels.Drop(threshold, 2**100 + 7, 2**63 + 5)
    bias = normal(shape[1], seed=1) if with_bias else None

    def passes(x, dy):
        with np.errstate(invalid="ignore"):  # infinity times zero, in NumPy
            y, cache = kernels.bias_activation_dropout(x, bias, "relu", drop)
            return y, kernels.bias_activation_dropout_backward(dy, "relu", cache)

    for fast, reference in both(passes, x, normal(*shape, seed=2)):
        assert fast.dtype == reference.dtype == np.float32
        np.testing.assert_array_equal(fast, reference)


def test_a_mask_that_was_drawn_before_is_applied():
    x, drop = normal(30, 20), kernels.Drop(30_000, 5, 1)
    mask = kernels.dropout_mask(x, drop)
    y, cache = kernels.bias_activation_dropout(x, None, "relu", mask)
    within, cache_within = kernels.bias_activation_dropout(x, None, "relu", drop)
    np.testing.assert_array_equal(y, within)
    gradients = [
        kernels.bias_activation_dropout_backward(x, "relu", kept) for kept in (cache, cache_within)
    ]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("rank", [1, 3, 4, 8, 11, 16, 17])
@pytest.mark.parametrize("beta", [0.5, np.array([1.5], np.float32)], ids=["fixed", "learned"])
@pytest.mark.parametrize("full", [False, True], ids=["plain", "bias, dots and overwritten"])
def test_the_two_paths_of_a_layer(full, beta, rank):
    base, z, B = normal(9, 33), normal(9, rank, seed=1), normal(33, rank, seed=2)
    bias, dotted = normal(33, seed=3), normal(9, 33, seed=4)

    def passes(base):
        y, dots = kernels.combine(base, beta, z, B.T)
        return (y, base) if dots is None else None

    def with_all(base):
        y, dots = kernels.combine(base, beta, z, B.T, bias, dotted, overwrite=True)
        assert y is base
        return y, np.asarray(dots.sum())

    assert_close(both(with_all if full else passes, base), atol=1e-4)


def test_the_two_paths_of_a_layer_over_threads():
    base, z, m = normal(300, 1024), normal(300, 8, seed=1), normal(8, 1024, seed=2)
    dotted = normal(300, 1024, seed=3)
    whole = kernels.combine(base, 1.5, z, m, dotted=dotted)
    with kernels.work_in_shares():
        shared = kernels.combine(base, 1.5, z, m, dotted=dotted)
    for one, other in zip(whole, shared, strict=True):
        np.testing.assert_array_equal(one, other)


def test_loops_with_the_bits_of_numpy_do_not_import_numba_for_small_arrays(monkeypatch):
    small, large = np.zeros(2000, np.float32), np.zeros(40_000, np.float32)
    monkeypatch.setattr(compiled, "SMALLEST", 1 << 15)
    assert compiled.suits_exactly(small)
    monkeypatch.setattr(compiled, "SMALLEST_EXACT", 1 << 11)
    assert not compiled.suits_exactly(small)
    monkeypatch.setattr(compiled, "ready", lambda: False)
    assert not compiled.suits_exactly(small)
    assert compiled.suits_exactly(large)
    assert not compiled.suits_exactly(large, alone=False)
    assert not compiled.suits_exactly(large.astype(float))
