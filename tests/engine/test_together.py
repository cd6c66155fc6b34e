"""Networks trained side by side come out as if each had been trained alone."""

import numpy as np
import pytest
from target import host
from training_tools import LOSS, X, Y, data, network, plan, table

from deepreservoir.models import MLPConfig
from deepreservoir.network import Network
from deepreservoir.optim import SGD
from deepreservoir.training import (
    FrozenProducts,
    Resample,
    Training,
    TrainingDiverged,
    interruptions_raised,
    train,
    train_together,
    validator,
)

SHAPES = [
    {"rank": 1},
    {"rank": 3, "b_init": "kaiming", "dropout": 0.2},
    {"rank": 2, "adapter": "dora", "dropout": 0.2, "head": "lora"},
    {"rank": 4, "adapter_dropout": 0.1, "layer_norm": True},
]


def networks(shapes=SHAPES):
    first = network(**shapes[0])
    return [first] + [_sharing(first, shape) for shape in shapes[1:]]


def _sharing(first, shape):
    config = MLPConfig(**{"n_features": 6, "n_outputs": 3, "hidden_layer_sizes": (16, 8)} | shape)
    return Network(config, seed=3, scaffolds=first.scaffolds, device=first.device)


def accuracy(outputs):
    return float((host(outputs).argmax(1) == Y).mean())


def validate(net, products=None):
    inputs = table(X, net.dtype)
    return validator(inputs, Y, LOSS, accuracy, products or FrozenProducts(inputs, 1 << 20))


@pytest.mark.parametrize("validated", [False, True])
def test_each_gets_the_bits_of_training_alone(validated):
    plans = [plan(rate=rate) for rate in (0.01, 0.02, 0.005, 0.01)]
    alone = [network(**shape) for shape in SHAPES]
    outcomes = [
        train(net, data(), LOSS, p, validate=validate(net) if validated else None)
        for net, p in zip(alone, plans, strict=True)
    ]
    together = networks()
    shared = FrozenProducts(table(X, together[0].dtype), 1 << 20)
    trainings = [
        Training(net, LOSS, p, validate(net, shared) if validated else None)
        for net, p in zip(together, plans, strict=True)
    ]
    found = train_together(trainings, data())
    for one, other, a, b in zip(alone, together, outcomes, found, strict=True):
        np.testing.assert_array_equal(host(one.theta), host(other.theta))
        assert a.history == b.history
        assert (a.reason, a.best_score) == (b.reason, b.best_score)


def test_one_that_has_converged_stops_and_the_others_go_on():
    nets = networks(SHAPES[:2])
    plans = [plan(rate=1e-12, patience=2, tol=1e-3), plan(rate=0.05, patience=2)]
    trainings = [Training(net, LOSS, p) for net, p in zip(nets, plans, strict=True)]
    still, going = train_together(trainings, data())
    assert (still.reason, len(still.history["loss"])) == ("converged", 3)
    assert (going.reason, len(going.history["loss"])) == ("budget", 5)


def test_all_may_stop_early():
    nets = networks([{"rank": 1}, {"rank": 2}])
    slow = plan(rate=1e-12, patience=1, tol=1e-3, epochs=50)
    outcomes = train_together([Training(net, LOSS, slow) for net in nets], data())
    assert [len(outcome.history["loss"]) for outcome in outcomes] == [2, 2]


def test_ctrl_c_leaves_usable_networks():
    nets = networks(SHAPES[:2])
    calls = []

    def interrupt(net):
        calls.append(net)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0, 0.5

    trainings = [Training(net, LOSS, plan(), interrupt) for net in nets]
    outcomes = train_together(trainings, data())
    assert [outcome.reason for outcome in outcomes] == ["interrupted"] * 2
    assert all(np.isfinite(host(net.theta)).all() for net in nets)
    calls.clear()
    with interruptions_raised(), pytest.raises(KeyboardInterrupt):
        train_together(trainings, data())


def test_one_that_diverges_is_told_of():
    nets = networks(SHAPES[:2])
    plans = [plan(), plan(optimiser=SGD(), rate=1e12)]
    with pytest.raises(TrainingDiverged, match="the loss became"):
        train_together([Training(n, LOSS, p) for n, p in zip(nets, plans, strict=True)], data())


@pytest.mark.parametrize(
    ("name", "plans"),
    [
        ("epochs", (plan(), plan(epochs=4))),
        ("batch_size", (plan(), plan(batch_size=16))),
        ("seed", (plan(), plan(seed=1))),
        ("shuffle", (plan(), plan(shuffle=False))),
        ("resampled", (plan(), plan(resample=Resample("epoch")))),
    ],
)
def test_trainings_that_do_not_go_together_are_refused(name, plans):
    trainings = [Training(n, LOSS, p) for n, p in zip(networks(SHAPES[:2]), plans, strict=True)]
    before = [host(t.network.theta).copy() for t in trainings]
    with pytest.raises(ValueError, match=name):
        train_together(trainings, data())
    for t, theta in zip(trainings, before, strict=True):
        np.testing.assert_array_equal(host(t.network.theta), theta)


def test_networks_on_scaffolds_of_their_own_are_refused():
    nets = [network(rank=1), network(rank=2)]
    with pytest.raises(ValueError, match="share their first frozen weights"):
        train_together([Training(net, LOSS, plan()) for net in nets], data())
