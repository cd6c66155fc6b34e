"""Training in a random subspace: what moves, its gradient, and that nothing else moves."""

import numpy as np
import pytest
from gradcheck import Bound, check_gradients, jitter, normal
from target import assert_allclose, assert_array_equal, host, put
from training_tools import LOSS, D, K, X, data, network, plan, table, trained

from deepreservoir.inputs import Batch, Target
from deepreservoir.scaffold import Stream
from deepreservoir.training import Subspace, train


def whole(**given):
    """A network of 275 numbers, all of them trained."""
    return network(adapter="full", bias=True, **given)


def projection(inside):
    """Return P (D, d) as an array of the host."""
    return inside.projection.dense().astype(np.float64)


class AsLayer:
    """A subspace as the checks of layers take it: its gradient is that of a loss <y, dy>."""

    def __init__(self, inside):
        self.inside = inside

    def forward(self, x, on):
        return self.inside.moved().forward(x, on)[0], (x, on) if on.training else None

    def backward(self, dy, cache):
        def product(outputs, targets, weights, n):
            return (outputs * targets).sum(), targets

        x, on = cache
        self.inside.gradient(Batch(x), Target(dy, 1), product, on)

    def check_bound(self, grad, buffers):
        self.inside.check_bound()

    def out_shape(self, shape):
        return self.inside.moved().root.out_shape(shape)


@pytest.mark.parametrize("dimension", [1, 2, 7, 32, 100, 275])
def test_a_pass_is_that_of_the_network_at_its_start_plus_p_z(dimension):
    net, moved = whole(dtype="float64"), whole(dtype="float64")
    start = host(net.theta.copy())
    assert start.shape == (275,)
    inside = Subspace(net, dimension, seed=4)
    z = np.random.default_rng(0).normal(size=dimension)
    inside.theta[:] = put(z)
    moved.theta[:] = put(start + projection(inside) @ z)
    x = put(X.astype(np.float64))
    outputs = inside.evaluate(table(x, np.float64), lambda outputs, index, batch: outputs)
    assert_allclose(outputs, moved.forward(x)[0], rtol=1e-6, atol=1e-6)
    assert_allclose(inside.moved().theta, moved.theta, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("given", [{}, {"dropout": 0.3, "layer_norm": True}, {"adapter": "lora"}])
@pytest.mark.parametrize("dimension", [1, 6, 40])
def test_the_gradient_is_that_of_finite_differences(dimension, given):
    net = network(
        **{"adapter": "full", "bias": True, "activation": "tanh"} | given, dtype="float64"
    )
    jitter(net.theta)
    inside = Subspace(net, dimension, seed=1)
    jitter(inside.theta)
    bound = Bound(AsLayer(inside), inside.params, inside.theta, inside.grad, inside.buffers)
    check_gradients(bound, normal(5, D), needs_dx=False)


@pytest.mark.parametrize("dimension", [1, 3, 16, 64])
def test_columns_have_unit_length_and_are_nearly_orthogonal(dimension):
    p = projection(Subspace(whole(), dimension, seed=0))
    assert p.shape == (275, dimension)
    np.testing.assert_allclose(np.linalg.norm(p, axis=0), 1, rtol=1e-6)
    # Whole blocks of rows are orthogonal; only the last, of fewer, is not.
    order = 1 << (dimension - 1).bit_length()
    rest = (275 % order) / 275
    assert np.abs(p.T @ p - np.eye(dimension)).max() <= rest + 1e-6


def test_all_directions_are_reached_in_the_largest_subspace():
    assert np.linalg.matrix_rank(projection(Subspace(whole(), 275, seed=0))) == 275


def test_training_moves_along_p_alone_and_lowers_the_loss():
    net = whole()
    start = host(net.theta.copy()).astype(np.float64)
    inside = Subspace(net, 20, seed=2)
    outcome = train(inside, data(), LOSS, plan(rate=0.2, epochs=40))
    losses = outcome.history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    change = host(inside.moved().theta).astype(np.float64) - start
    p = projection(inside)
    along = np.linalg.lstsq(p, change, rcond=None)[0]
    assert np.linalg.norm(change) > 0.5
    np.testing.assert_allclose(p @ along, change, atol=1e-5)
    np.testing.assert_allclose(along, host(inside.theta), rtol=1e-3, atol=1e-4)


def test_it_starts_where_the_network_is_and_does_not_decay():
    net = whole()
    start = host(net.theta.copy())
    inside = Subspace(net, 5, seed=0)
    assert_array_equal(inside.theta, np.zeros(5))
    assert_array_equal(inside.moved().theta, start)
    assert_array_equal(inside.params.decay_mask(inside.theta), np.zeros(5))


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    found = [host(trained(Subspace(whole(), 8, seed))[0].theta) for seed in (1, 1, 2)]
    assert found[0].tobytes() == found[1].tobytes() != found[2].tobytes()


def test_the_best_weights_of_a_validation_are_kept():
    scores, seen = iter([0.1, 0.9, 0.2, 0.3, 0.4]), []

    def validate(net):
        seen.append(host(net.theta.copy()))
        return 0.0, next(scores)

    inside, outcome = trained(Subspace(whole(), 8, 1), validate=validate)
    assert outcome.network is inside
    assert outcome.best_score == 0.9
    assert_array_equal(inside.theta, seen[1])


def test_an_adapted_network_keeps_its_frozen_product():
    net = network()
    inside = Subspace(net, 10, seed=0)
    assert inside.betas() == net.betas()
    assert list(inside.frozen_products(table())) == ["layers.0"]
    assert inside.product_bytes(table()) == len(X) * 16 * 4
    outcome = train(inside, data(), LOSS, plan(rate=0.05))
    assert outcome.history["loss"][-1] < outcome.history["loss"][0]
    assert inside.n_trained == 10


@pytest.mark.parametrize("dimension", [0, -1, 276, 2.0, True, "3", None])
def test_a_dimension_that_cannot_be_is_refused(dimension):
    with pytest.raises(ValueError, match=r"between 1 and 275, the number of trained .*got"):
        Subspace(whole(), dimension, seed=0)


def test_a_seed_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="seed"):
        Subspace(whole(), 3, seed=-1)


def test_the_directions_are_drawn_under_a_path_of_their_own():
    inside = Subspace(whole(), 3, seed=7)
    assert inside.projection.spec.stream == Stream(7, "subspace", "scaffold/hadamard")
    assert K == 3  # which with D and the widths makes 275
