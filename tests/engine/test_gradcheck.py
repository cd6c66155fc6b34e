"""The gradient checker itself: it passes a right layer and fails each kind of wrong one."""

import numpy as np
import pytest
from gradcheck import bind, check_gradients, normal
from target import assert_array_equal, device, host, put, xp

from deepreservoir import DeepReservoirClassifier, MLPConfig, Network
from deepreservoir import check_gradients as check_gradients_of
from deepreservoir.layers import INFERENCE, Dense, TokenEmbedding


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
        return y, cache.copy() if on.training else None

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


class _Assigns(Dense):
    def backward(self, dy, cache):
        dx = super().backward(dy, cache)
        self.dbias = dy.sum(axis=0)
        return dx


class _ReturnsNoCache(Dense):
    def forward(self, x, on=INFERENCE):
        return super().forward(x, on)[0]


class _AlwaysReturnsACache(Dense):
    def forward(self, x, on=INFERENCE):
        return super().forward(x, on)[0], x


class _StoresInput(Dense):
    def forward(self, x, on=INFERENCE):
        self.stored = x
        return super().forward(x, on)

    def backward(self, dy, cache):
        return super().backward(dy, self.stored)


class _StoresForDx(Dense):
    """Only the gradient of x depends on what is stored."""

    def forward(self, x, on=INFERENCE):
        self.stored = x
        return super().forward(x, on)

    def backward(self, dy, cache):
        return super().backward(dy, cache) * (1 + abs(self.stored - cache).max())


class _SaysAnotherWidth(Dense):
    def out_shape(self, shape):
        return (*shape[:-1], 99)


class _SaysFewerAxes(Dense):
    def out_shape(self, shape):
        return shape[:1]


def test_a_right_layer_passes():
    check_gradients(bind(Dense("head", 4, 3)), normal(5, 4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (_WrongFactor, "head.weight .*largest error"),
        (_WrongInputGradient, "gradient of x"),
        (_Overwrites, "second backward pass"),
        (_ConsumesCache, "second backward pass"),
        (_WritesToParameters, "wrote to the parameters"),
        (_NoGradient, "no parameter has a gradient"),
        (_ForgetsDx, "no gradient of x"),
        (_ReturnsNoCache, "_ReturnsNoCache must return a pair, the output and the cache"),
        (_AlwaysReturnsACache, "returns a cache outside training"),
        (_StoresInput, "forward pass of another x .*: _StoresInput must store nothing"),
        (_StoresForDx, "forward pass of another x .*: _StoresForDx must store nothing"),
        (_SaysAnotherWidth, r"out_shape of _Says.* returns \(5, 99\), .* the shape \(5, 3\)"),
        (_SaysFewerAxes, r"out_shape of _Says.* returns \(5,\), .* the shape \(5, 3\)"),
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
    with pytest.raises(AssertionError, match="must skip the gradient of x"):
        check_gradients(bind(Dense("head", 4, 3)), normal(5, 4), needs_dx=False)


def test_failure_prints_both_gradients_entry_by_entry():
    bound = bind(_WrongFactor("head", 2, 1))
    with pytest.raises(AssertionError) as failure:
        check_gradients(bound, normal(3, 2))
    text = str(failure.value)
    assert text.count("backward:") == text.count("differences: ") == 2
    assert "head.bias (1,)" in text
    assert repr(np.zeros((1, 2)))[:7] in text


def test_a_gradient_that_is_assigned_fails():
    with pytest.raises(ValueError, match=r"_Assigns has assigned .* to self.dbias .*\+="):
        check_gradients(bind(_Assigns("head", 4, 3)), normal(5, 4))


def test_layers_and_networks_are_checked_as_they_are():
    x = normal(5, 4)
    check_gradients_of(Dense("head", 4, 3), x)
    network = Network(MLPConfig(4, 3, (8,), rank=2, dtype="float64"), seed=0, device=device)
    before = host(network.theta.copy())
    check_gradients_of(network, x)
    assert_array_equal(network.theta, before)
    with pytest.raises(AssertionError, match=r"head.weight .*largest error"):
        check_gradients_of(_WrongFactor("head", 4, 3), x)
    with pytest.raises(ValueError, match="in float64, but the network is of float32"):
        check_gradients_of(Network(MLPConfig(4, 3, (8,)), seed=0, device=device), x)


def test_inputs_may_be_lists_of_any_float_or_codes():
    x = host(normal(5, 4))
    if xp is np:
        check_gradients_of(Dense("head", 4, 3), x.tolist())
    check_gradients_of(Dense("head", 4, 3), put(x.astype(np.float32)))
    check_gradients_of(TokenEmbedding("tokens", 7, 3), put(np.arange(6).reshape(2, 3)))


def test_what_is_not_finite_is_refused():
    x = host(normal(4, 5)).copy()
    x[0, :2] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"x must be finite.* 2 of its 20 entries are NaN or inf"):
        check_gradients_of(Dense("h", 5, 3), put(x))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Dense, "got the class Dense"),
        (
            DeepReservoirClassifier(),
            "of a fitted estimator; got a DeepReservoirClassifier",
        ),
        (None, "got a NoneType"),
    ],
)
def test_what_is_no_layer_is_refused(given, words):
    with pytest.raises(TypeError, match=f"must be a Layer, .*{words}"):
        check_gradients_of(given, normal(4, 5))
