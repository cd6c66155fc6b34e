"""Batches in parts: the gradient of the whole, and bits that depend on the parts alone."""

from itertools import count
from threading import Barrier

import numpy as np
import pytest
from parts_tools import SHORT, TRAININGS, bits

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    clusters,
    thread_limits,
)
from deepreservoir.clusters import ClusterUnavailable
from deepreservoir.thread_limits import blas_limited
from deepreservoir.training import parts as training_parts
from deepreservoir.training.parts import PartGradient, sum_parts

pytestmark = pytest.mark.host(reason="parts of batches are computed on the CPU")


def fitted(name, **how):
    model, data = TRAININGS[name]()
    return model.fit(*data, **how)


@pytest.mark.parametrize("name", TRAININGS)
def test_one_part_is_the_whole_batch(name):
    with blas_limited(1):
        whole = bits(fitted(name))
    assert bits(fitted(name, parts=1)) == whole


@pytest.mark.parametrize("name", TRAININGS)
def test_parts_are_repeatable_and_differ_from_the_whole(name):
    first = bits(fitted(name, parts=2))
    assert bits(fitted(name, parts=2)) == first
    assert bits(fitted(name, parts=1)) != first


def regression(**given):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((22, 4))
    y = X @ rng.standard_normal((4, 2))
    weights = rng.uniform(0.2, 3, len(X))
    model = DeepReservoirRegressor(
        (9, 7),
        rank=2,
        dropout=0.0,
        adapter_dropout=0.0,
        dtype="float64",
        **(SHORT | {"optimizer": "sgd"} | given),
    )
    return model, (X, y, weights)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_parts_have_the_gradient_of_the_whole_batch(parts):
    """Also of the last batch, of six samples, which the parts do not divide."""
    losses, thetas = [], []
    for how in ({}, {"parts": parts}):
        model, data = regression()
        model.fit(*data, **how)
        losses.append(model.history_["loss"])
        thetas.append(model.network_.theta)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    np.testing.assert_allclose(thetas[1], thetas[0], rtol=1e-10, atol=1e-13)


def test_gradients_and_losses_are_weighted_by_what_they_average_over():
    """Parts of a batch may have different numbers of tokens, or of actions."""
    network = TRAININGS["table"]()[0].fit(*TRAININGS["table"]()[1]).network_
    one, two = np.ones_like(network.theta), np.full_like(network.theta, 2.0)
    parts = [
        PartGradient(one, network.buffers, loss=4.0, n=1.0, samples=2),
        PartGradient(two, network.buffers, loss=8.0, n=3.0, samples=2),
    ]
    assert sum_parts(parts, network) == (7.0, 4.0)
    assert (network.grad == 1.75).all()


def test_running_statistics_move_by_the_mean_over_the_parts():
    model, (X, y) = TRAININGS["images"]()
    model.set_params(augmentation=None, max_iter=1, batch_size=18, dtype="float64")
    found = []
    for parts in (1, 2):
        network = model.fit(X, y, parts=parts).network_
        first = next(iter(network.named_buffers()))
        found.append(network.named_buffers()[first].copy())
    assert first.endswith("running_mean")
    # The first layer sees the same images, whose mean does not depend on how they are divided.
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


def test_a_resampled_scaffold_is_that_of_the_epoch():
    model, data = TRAININGS["table"]()
    model.set_params(resample="epoch")
    with blas_limited(1):
        whole = model.fit(*data).network_
    parts = model.fit(*data, parts=1).network_
    assert parts.seed == whole.seed
    assert parts.theta.tobytes() == whole.theta.tobytes()


# A checkpoint ----------------------------------------------------------------------------


def test_a_checkpoint_belongs_to_a_number_of_parts(tmp_path):
    model, data = TRAININGS["table"]()
    expected = bits(fitted("table", parts=2))

    def fail(state):
        raise RuntimeError("stopped")

    path = tmp_path / "c"
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(*data, checkpoint=path, parts=2, callback=fail)
    with pytest.raises(ValueError, match="belongs to another training run"):
        model.fit(*data, checkpoint=path, parts=4)
    with pytest.raises(ValueError, match="belongs to another training run"):
        model.fit(*data, checkpoint=path)
    assert bits(model.fit(*data, checkpoint=path, parts=2)) == expected
    assert not path.exists()


# Bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "params", "message"),
    [
        ({"parts": 0}, {}, "parts must be an integer of at least 1; got 0"),
        ({"workers": 1.5}, {}, "workers must be an integer of at least 1; got 1.5"),
        ({"parts": 3}, {}, "parts=3 does not divide the batch of 8 samples; use one of 1, 2, 4, 8"),
        ({"workers": 3}, {}, "parts=3 does not divide the batch of 8 samples"),
        ({"parts": 2, "workers": 4}, {}, "workers=4 is more than parts=2"),
        ({"cluster": "tcp://127.0.0.1:1"}, {}, "cluster needs parts"),
        ({"cluster": 8786, "parts": 2}, {}, "address of a Dask scheduler"),
        ({"cluster": "tcp://x:1", "parts": 2, "workers": 2}, {}, "give one of the two"),
        ({"parts": 2}, {"optimizer": "lbfgs"}, "optimizer='lbfgs' has no batches"),
        ({"parts": 2}, {"resample": ("step", 2)}, "resample=.* splits or repeats batches itself"),
    ],
)
def test_divisions_that_cannot_be_are_refused(how, params, message):
    X, y = np.zeros((8, 2)), np.arange(8) % 2
    model = DeepReservoirClassifier((4,), rank=1, batch_size=8, max_iter=1, **params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **how)
    assert not hasattr(model, "network_")


def test_parts_and_gradient_accumulation_do_not_go_together():
    model, data = TRAININGS["patches"]()
    with pytest.raises(ValueError, match="set gradient_accumulation=1; got 2"):
        model.set_params(gradient_accumulation=2).fit(*data, parts=2)


def test_a_cluster_that_cannot_be_reached_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(clusters, "_SECONDS", 0.5)
    model, data = TRAININGS["table"]()
    with pytest.raises(
        ClusterUnavailable, match=r"no Dask scheduler responded at tcp://127\.0\.0\.1:1"
    ):
        model.fit(*data, parts=2, cluster="tcp://127.0.0.1:1")
    assert not hasattr(model, "network_")


@pytest.mark.parametrize("name", TRAININGS)
def test_threads_change_no_bit(name, monkeypatch):
    expected = bits(fitted(name, parts=4))
    for module in (thread_limits, training_parts):
        monkeypatch.setattr(module, "n_threads", lambda: 3)
    seen, calls, meeting = set(), count(), Barrier(2, timeout=60)
    part = training_parts.PartsComputer._part

    def watched(computer, network, *args):
        seen.add(id(network))
        if next(calls) < 2:
            meeting.wait()  # so that two threads have a part at the same time
        return part(computer, network, *args)

    monkeypatch.setattr(training_parts.PartsComputer, "_part", watched)
    assert bits(fitted(name, parts=4)) == expected
    assert len(seen) > 1
