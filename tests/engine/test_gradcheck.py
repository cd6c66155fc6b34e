"""The gradient checker itself: it passes a right layer and fails each kind of wrong one."""

import numpy as np
import pytest
from gradcheck import bind, check_gradients, normal
from target import xp

from deepreservoir.layers import INFERENCE, Dense


class _WrongFactor(Dense):
    def backward(self, dy, cache):
        return super().backward(1.001 * dy, cache)


class _WrongInputGradient(Dense):
    def backward(self, dy, cache):
        return 1.001 * super().backward(dy, cache)


class _Overwrites(Dense):
    def backward(self, dy, cache):
        self.dweight[...] = dy.T @ cache
        self.dbias += dy.sum(axis=0)
        return dy @ self.weight


class _WritesToInput(Dense):
    def forward(self, x, on=INFERENCE):
        x += 1
        return super().forward(x, on)


class _WritesToOutputGradient(Dense):
    def backward(self, dy, cache):
        dy += 1
        return super().backward(dy, cache)


class _ConsumesCache(Dense):
    def forward(self, x, on=INFERENCE):
        y, cache = super().forward(x, on)
        return y, cache.copy()

    def backward(self, dy, cache):
        dx = super().backward(dy, cache)
        cache *= 0
        return dx


class _WritesToParameters(Dense):
    def backward(self, dy, cache):
        dx = super().backward(dy, cache)
        self.bias += 1
        return dx


class _NoGradient(Dense):
    def backward(self, dy, cache):
        return dy @ self.weight


class _ForgetsDx(Dense):
    def backward(self, dy, cache):
        super().backward(dy, cache)


def test_a_right_layer_passes():
    check_gradients(bind(Dense("head", 4, 3)), normal(5, 4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (_WrongFactor, "head.weight .*largest error"),
        (_WrongInputGradient, "gradient of x"),
        (_Overwrites, "second use of the cache"),
        (_ConsumesCache, "second use of the cache"),
        (_WritesToParameters, "wrote to the parameters"),
        (_NoGradient, "no parameter has a gradient"),
        (_ForgetsDx, "dx is missing"),
    ],
)
def test_a_wrong_layer_fails(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_gradients(bind(wrong("head", 4, 3)), normal(5, 4))


@pytest.mark.parametrize("wrong", [_WritesToInput, _WritesToOutputGradient])
def test_inputs_cannot_be_written_to(wrong):
    # A device has no arrays that are read-only: there, what was written shows afterwards.
    error, message = (ValueError, "read-only") if xp is np else (AssertionError, "a pass wrote")
    with pytest.raises(error, match=message):
        check_gradients(bind(wrong("head", 4, 3)), normal(5, 4))


def test_a_dx_that_should_have_been_skipped_fails():
    with pytest.raises(AssertionError, match="must skip dx"):
        check_gradients(bind(Dense("head", 4, 3)), normal(5, 4), needs_dx=False)


def test_failure_prints_both_gradients_entry_by_entry():
    bound = bind(_WrongFactor("head", 2, 1))
    with pytest.raises(AssertionError) as failure:
        check_gradients(bound, normal(3, 2))
    text = str(failure.value)
    assert text.count("backward:") == text.count("differences: ") == 2
    assert "head.bias (1,)" in text
    assert repr(np.zeros((1, 2)))[:7] in text
