"""Element-wise passes on the host: the bits of the plain formulas, from fewer passes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deepreservoir import kernels
from deepreservoir.kernels.activations import ACTIVATIONS
from deepreservoir.kernels.draw import random_words

DTYPES = [np.float32, np.float64]


def arrays(dtype, shape=(17, 48)):
    random = np.random.default_rng(0)
    x, dy = (random.standard_normal(shape).astype(dtype) for _ in range(2))
    x[0, :4] = 0.0, -0.0, np.inf, -np.inf
    dy[1, :2] = 0.0, -0.0
    return x, random.standard_normal(shape[1]).astype(dtype), dy


def same_bits(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("biased", [False, True])
def test_relu_with_dropout_has_the_bits_of_the_plain_formulas(dtype, biased):
    x, bias, dy = arrays(dtype)
    mask = kernels.dropout_mask(x, kernels.Drop(9_000, 5, 1))
    y, cache = kernels.bias_activation_dropout(x, bias if biased else None, "relu", mask)
    before = x + bias if biased else x
    with np.errstate(invalid="ignore"):  # an infinity may be dropped
        same_bits(y, np.maximum(before, 0) * mask)
    dx = kernels.bias_activation_dropout_backward(dy, "relu", cache)
    same_bits(dx, dy * mask * (before > 0))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("training", [False, True])
def test_neither_the_input_nor_what_backward_needs_is_overwritten(name, training):
    x, bias, dy = arrays(np.float64)
    x[0, :4] = 1.0
    mask = kernels.dropout_mask(x, kernels.Drop(30_000, 5, 1))
    kept = [array.copy() for array in (x, bias, mask, dy)]
    y, cache = kernels.bias_activation_dropout(x, None, name, mask, training)
    plain, plain_cache = kernels.bias_activation_dropout(x, None, name, None, training)
    same_bits(y, plain * mask)
    if training:
        dx = kernels.bias_activation_dropout_backward(dy, name, cache)
        expected = kernels.bias_activation_dropout_backward(dy * mask, name, plain_cache)
        np.testing.assert_array_equal(dx, expected)
    for array, before in zip((x, bias, mask, dy), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 16, 37])
def test_a_mask_is_the_scale_where_a_lane_reaches_the_threshold(dtype, width):
    like = np.empty((5, width), dtype)
    drop = kernels.Drop(20_000, 3, 7)
    kept = kernels.lane_rows(3, 0, 5, width, 7) >= 20_000
    same_bits(kernels.dropout_mask(like, drop), kept * np.array(drop.scale, dtype))


COUNTERS = [0, 1, 2**64 - 1, 2**64, (2**63 + 5) << 64, 2**255 + 2**130 + 9]


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("key", [0, 2**64 + 3, 2**128 - 1])
def test_words_are_those_of_numpy(counter, key):
    for n in (0, 1, 7, 64):  # a part of a block must not be left over for the next call
        expected = np.random.Philox(key=key, counter=counter).random_raw(n)
        np.testing.assert_array_equal(random_words(key, counter, n), expected)


def test_threads_do_not_disturb_each_other():
    def draw(i):
        return [random_words(i, j << 64, 1000) for j in range(50)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(draw, range(8)))
    for i, drawn in enumerate(found):
        for j, words in enumerate(drawn):
            expected = np.random.Philox(key=i, counter=j << 64).random_raw(1000)
            np.testing.assert_array_equal(words, expected)
