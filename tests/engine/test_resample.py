"""Training on scaffolds that change: which are drawn, what they see, what is kept."""

from itertools import pairwise

import numpy as np
import pytest
from target import host
from training_tools import LOSS, Recorder, X, Y, data, network, plan, table, trained

from deepreservoir.layers import Pass, Step
from deepreservoir.training import Plan, Resample, train


def resampled(when, count=1, **given):
    return trained(resample=Resample(when, count), **given)


@pytest.mark.parametrize(
    "resample", [Resample("epoch"), Resample("step", 2), Resample("microbatch", 3)]
)
def test_the_same_seed_gives_the_same_adapter_and_it_is_learned(resample):
    one, first = trained(resample=resample, epochs=30)
    other, _ = trained(resample=resample, epochs=30)
    np.testing.assert_array_equal(host(one.theta), host(other.theta))
    assert first.history["loss"][-1] < first.history["loss"][0]
    still, _ = trained(epochs=30)
    assert (host(one.theta) != host(still.theta)).any()


def test_one_scaffold_an_epoch():
    net, outcome = resampled("epoch", epochs=3)
    seeds = [Resample("epoch").seed(3, epoch) for epoch in range(3)]
    assert len(set(seeds)) == 3
    # It ends on the scaffold of its last epoch, with the adapter of the network that was given.
    assert outcome.network.seed == seeds[2]
    assert outcome.network.theta is net.theta
    # The first epoch is on the network's own: so far it is training on a scaffold that stays.
    first, still = Recorder(), Recorder()
    trained(resample=Resample("epoch"), optimiser=first, epochs=2)
    trained(optimiser=still, epochs=2)
    close = [
        np.allclose(host(a), host(b), rtol=1e-4, atol=1e-6)
        for a, b in zip(first.thetas, still.thetas, strict=True)
    ]
    assert close[:3] == [True] * 3
    assert not close[-1]


def test_the_scaffold_of_the_best_epoch_is_kept():
    scores = iter([0.1, 0.9, 0.3, 0.2])
    seen = []

    def validate(net):
        seen.append(net.seed)
        return 0.0, next(scores)

    _, outcome = resampled("epoch", epochs=4, validate=validate)
    seeds = [3, *(Resample("epoch").seed(3, epoch) for epoch in (1, 2, 3))]
    assert seen == seeds
    assert outcome.network.seed == seeds[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gradients_of_the_scaffolds_of_a_step_are_averaged(count):
    """One step of plain descent, against the gradients of as many networks by hand."""
    recorder = Recorder()
    trained(resample=Resample("step", count), optimiser=recorder, epochs=1, batch_size=len(Y))
    expected = np.zeros_like(host(network().theta))
    for index in range(count):
        net = network().with_scaffold(Resample("step").seed(3, index))
        net.theta[:] = network().theta
        net.grad.fill(0)
        outputs, cache = net.forward(table().take(np.arange(len(Y))).x, Pass(Step(0, index)))
        _, gradient = LOSS(outputs, data().y)
        net.backward(gradient, cache)
        expected += host(net.grad) / count
    np.testing.assert_allclose(recorder.grads[0], expected, rtol=2e-4, atol=1e-6)


def test_the_parts_of_a_batch_see_a_scaffold_each():
    """Their mean loss has the gradient of each part on its own scaffold, by its share of rows."""
    recorder = Recorder()
    weights = np.linspace(0.5, 1.5, len(Y)).astype(np.float32)
    of = data(weights=weights)
    trained(
        of=of, resample=Resample("microbatch", 4), optimiser=recorder, epochs=1,
        batch_size=len(Y), shuffle=False,
    )  # fmt: skip
    expected = np.zeros_like(host(network().theta))
    bounds = np.linspace(0, len(Y), 5).astype(int)
    for index, (start, stop) in enumerate(pairwise(bounds)):
        net = network().with_scaffold(Resample("microbatch", 4).seed(3, index))
        net.theta[:] = network().theta
        net.grad.fill(0)
        part = np.arange(start, stop)
        outputs, cache = net.forward(of.inputs.take(part).x, Pass(Step(0, index)))
        _, gradient = LOSS(outputs, of.y[part], of.weights[part])
        net.backward(gradient * (len(part) / len(Y)), cache)
        expected += host(net.grad)
    np.testing.assert_allclose(recorder.grads[0], expected, rtol=2e-4, atol=1e-6)


def test_a_batch_smaller_than_its_parts_has_as_many_as_rows():
    few = data(X[:2], Y[:2])
    net, outcome = trained(of=few, resample=Resample("microbatch", 8), epochs=2)
    assert np.isfinite(host(net.theta)).all()
    assert len(outcome.history["loss"]) == 2


def test_seeds_of_drawn_scaffolds_depend_on_seed_and_index_alone():
    seeds = [Resample("step", 2).seed(seed, index) for seed in (0, 1) for index in range(100)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert Resample("epoch").seed(0, 5) == Resample("microbatch", 4).seed(0, 5)


def test_a_plan_says_nothing_of_it_unless_asked():
    net = network()
    outcome = train(net, data(), LOSS, Plan(plan().optimiser, 0.01, epochs=1))
    assert outcome.network is net
