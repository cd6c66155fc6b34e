"""Dropout masks are keyed by seed, path and step, and drop the share they were asked to."""

import numpy as np
import pytest
from gradcheck import normal
from target import assert_allclose, assert_array_equal, host, xp

from deepreservoir import kernels
from deepreservoir.layers import Activation, AdaptedDense, Pass, Step
from deepreservoir.layers.dropout import dropout_mask
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network

LIKE = xp.zeros((200, 100), np.float32)


def mask_of(like, rate, path, step):
    """The entries of a mask; on a device a mask has none until it is applied."""
    on = step if isinstance(step, Pass) else Pass(step)
    return kernels.masked(xp.ones_like(like), dropout_mask(like, rate, path, on))


def test_the_same_key_gives_the_same_mask():
    mask = mask_of(LIKE, 0.3, "layers.0", Step(4, 9))
    assert_array_equal(mask, mask_of(LIKE, 0.3, "layers.0", Step(4, 9)))


@pytest.mark.parametrize(
    ("path", "step"),
    [("layers.0", Step(4, 10)), ("layers.1", Step(4, 9)), ("layers.0", Step(5, 9))],
)
def test_another_step_path_or_seed_gives_a_mask_of_its_own(path, step):
    mask = mask_of(LIKE, 0.5, "layers.0", Step(4, 9)) > 0
    other = mask_of(LIKE, 0.5, path, step) > 0
    # Independent masks agree on half of the entries, with a deviation of 0.0035.
    assert abs((mask == other).mean() - 0.5) < 5 * 0.5 / LIKE.size**0.5


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5, 0.9])
def test_the_share_dropped_is_close_to_the_rate(rate):
    mask = host(mask_of(LIKE, rate, "layers.0", Step(0, 0)))
    deviation = (rate * (1 - rate) / LIKE.size) ** 0.5
    assert abs((mask == 0).mean() - rate) <= 5 * deviation
    by_column = (mask == 0).mean(axis=0)
    assert np.abs(by_column - rate).max() <= 6 * deviation * LIKE.shape[1] ** 0.5


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate, dtype):
    mask = host(mask_of(LIKE.astype(dtype), rate, "layers.0", Step(0, 0)))
    assert mask.dtype == dtype
    kept = np.unique(mask[mask > 0])
    assert kept.size == 1
    # The rate is rounded to a multiple of 2**-16, by at most half of one.
    assert abs(1 / kept[0] - (1 - rate)) <= 2**-17 + 1e-7


def test_masks_do_not_depend_on_how_many_rows_a_batch_has():
    whole = mask_of(LIKE, 0.5, "layers.0", Step(0, 3))
    assert_array_equal(mask_of(LIKE[:7], 0.5, "layers.0", Step(0, 3)), whole[:7])


def test_the_layer_multiplies_by_its_mask():
    x, step = normal(20, 10), Step(1, 2)
    y, _ = Activation("tanh", "layers.0", dropout=0.4).forward(x, Pass(step))
    assert_allclose(y, xp.tanh(x) * mask_of(x, 0.4, "layers.0", step), rtol=1e-14)


def test_each_layer_of_a_network_has_its_own_masks():
    config = MLPConfig(10, 2, (10, 10), dropout=0.5, adapter_dropout=0.5)
    network = Network(config, seed=0)
    pairs = network.body.layers
    assert [pair.activation.path for pair in pairs] == ["layers.0", "layers.1"]
    masks, ones = [], xp.ones((50, 10), np.float32)
    for pair in pairs:
        _, dense = pair.dense.forward(ones, Pass(Step(0, 0)))
        _, activation = pair.activation.forward(ones, Pass(Step(0, 0)))
        masks += [dense[2], activation[-1]]
    masks = [host(kernels.masked(ones, mask)) for mask in masks]
    assert len({mask.tobytes() for mask in masks}) == len(masks) == 4


def test_adapter_dropout_leaves_the_scaffolds_path_alone():
    network = Network(MLPConfig(10, 2, (10,), adapter_dropout=0.5), seed=0)
    x = normal(5, 10).astype(np.float32)
    # B starts at zero, so all that training could show is the scaffold's path.
    assert_array_equal(network.forward(x, Pass(Step(0, 0)))[0], network.forward(x)[0])
    network.named_parameters()["layers.0.B"][:] = 1
    outputs = host(network.forward(x, Pass(Step(0, 0)))[0]), host(network.forward(x)[0])
    assert not np.allclose(*outputs)


def test_without_dropout_a_training_pass_draws_no_mask():
    network = Network(MLPConfig(10, 2, (10,), bias=True), seed=0)
    x = normal(5, 10).astype(np.float32)
    (pair,) = network.body.layers
    assert_array_equal(network.forward(x, Pass(Step(0, 0)))[0], network.forward(x)[0])
    y, dense = pair.dense.forward(x, Pass(Step(0, 0)))
    assert dense[2] is None
    assert pair.activation.forward(y, Pass(Step(0, 0)))[1][-1] is None


@pytest.mark.parametrize(
    ("options", "owner"), [({}, Activation), ({"layer_norm": True}, AdaptedDense)]
)
def test_the_bias_is_added_by_the_activation_that_follows_it(options, owner):
    config = MLPConfig(n_features=4, n_outputs=2, hidden_layer_sizes=(6, 5), bias=True, **options)
    owners = [
        type(layer)
        for layer in Network(config, seed=0).body.walk()
        for slot in layer.own_slots()
        if slot.path in ("layers.0.bias", "layers.1.bias")
    ]
    assert owners == [owner, owner]
