"""GELU in blocks of float32: against the definition in float64, at block boundaries and limits."""

import numpy as np
import pytest
from scipy.special import ndtr

from deepreservoir import kernels
from deepreservoir.kernels import gelu
from deepreservoir.kernels.activations import (
    ACTIVATIONS,
    bias_activation_dropout,
    bias_activation_dropout_backward,
)

pytestmark = pytest.mark.host(reason="a device computes it in one kernel")


def expected(x):
    """Return GELU and slope in float64."""
    x = x.astype(np.float64)
    return x * ndtr(x), ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize("n", [1, 65_535, 65_536, 65_537, 200_001])
def test_float32_has_the_accuracy_of_its_rounding(n):
    x = np.linspace(-15, 15, n, dtype=np.float32)
    value, slope = expected(x)
    found, derivative = ACTIVATIONS["gelu"].with_slope(x)
    assert found.dtype == derivative.dtype == np.float32
    np.testing.assert_allclose(found, value, rtol=3e-7, atol=6e-7)
    np.testing.assert_allclose(derivative, slope, rtol=0, atol=6e-7)
    np.testing.assert_array_equal(gelu(x), found)


def test_far_from_zero_it_is_the_identity_or_zero():
    x = np.float32([-1e18, -50, 50, 1e18])
    np.testing.assert_array_equal(gelu(x), np.float32([0, 0, 50, 1e18]))
    np.testing.assert_array_equal(ACTIVATIONS["gelu"].with_slope(x)[1], [0, 0, 1, 1])
    assert np.isnan(gelu(np.float32([np.nan])))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pass_without_a_backward_pass_has_the_same_values(dtype):
    x = np.random.default_rng(0).standard_normal((30, 7)).astype(dtype)[:, ::-1]
    y, cache = bias_activation_dropout(x, None, "gelu", None)
    alone, _ = bias_activation_dropout(x, None, "gelu", None, training=False)
    np.testing.assert_allclose(alone, y, rtol=1e-6, atol=1e-7)
    dy = np.ones_like(x)
    slope = bias_activation_dropout_backward(dy, "gelu", cache)
    np.testing.assert_allclose(slope, expected(x)[1], rtol=1e-6, atol=6e-7)
    np.testing.assert_allclose(kernels.gelu_backward(dy, x), slope, rtol=1e-6, atol=1e-7)
