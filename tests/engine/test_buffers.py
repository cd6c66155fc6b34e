"""Buffers, such as running statistics: one set per scaffold, kept with the weights they are of."""

import copy
import pickle

import numpy as np
import pytest
from target import assert_array_equal, host, xp
from toy_architecture import ToySeedGatedClassifier, ToyStatistics, ToyStatisticsClassifier
from training_tools import LOSS, Scripted, X, Y, data, plan, table, trained

from deepreservoir.network import Network
from deepreservoir.training import Resample, train
from deepreservoir.training import checkpoint as checkpoints

STEPS = 3  # an epoch


def network(**given):
    return Network(ToyStatistics(n_features=6, n_outputs=3, **given), seed=3)


class Recording(Scripted):
    """A validation that keeps the buffers that it saw too."""

    def __init__(self, *scores):
        super().__init__(*scores)
        self.buffers = []

    def __call__(self, net):
        self.buffers.append(host(net.buffers.copy()))
        return super().__call__(net)


def count(net):
    return host(net.named_buffers()["layers.0.centred.count"]).item()


# What a network has ------------------------------------------------------------


def test_buffers_are_not_trained_parameters():
    net = network()
    assert list(net.named_buffers()) == ["layers.0.centred.mean", "layers.0.centred.count"]
    assert not set(net.named_buffers()) & set(net.named_parameters())
    assert (net.buffers.shape, net.buffers.dtype) == ((9,), np.float32)
    assert net.theta.size == net.n_trained == net.config.n_params == net.params.size


def test_they_start_at_their_declared_values_whatever_the_weights():
    for net in (network(), Network(network().config, 3, theta=network().theta)):
        assert host(net.buffers).tolist() == [0.25] * 8 + [0.0]


def test_given_buffers_are_copied_in_and_another_length_is_refused():
    given = xp.arange(9, dtype=np.float32)
    net = Network(network().config, 3, buffers=given)
    assert_array_equal(net.buffers, np.arange(9))
    given[:] = 0
    assert host(net.buffers).any()
    with pytest.raises(ValueError, match=r"must have shape \(9,\)"):
        Network(network().config, 3, buffers=xp.zeros(8, np.float32))


def test_outputs_read_them_and_do_not_write_to_them():
    net = network()
    before = host(net.outputs(X))
    assert count(net) == 0
    net.named_buffers()["layers.0.centred.mean"][:] = 2
    assert not np.allclose(host(net.outputs(X)), before)


@pytest.mark.parametrize("rebuild", [lambda n: pickle.loads(pickle.dumps(n)), copy.deepcopy])
def test_a_rebuilt_network_has_them_as_its_own(rebuild):
    net, _ = trained(network())
    again = rebuild(net)
    assert_array_equal(again.buffers, net.buffers)
    again.buffers[:] = 0
    assert count(net) == 5 * STEPS


# One set per scaffold ------------------------------------------------------------


def test_another_scaffold_begins_with_a_copy():
    net, _ = trained(network())
    other = net.with_scaffold(8)
    assert_array_equal(other.buffers, net.buffers)
    train(other, data(), LOSS, plan(epochs=1))
    assert (count(net), count(other)) == (5 * STEPS, 6 * STEPS)
    means = [host(n.named_buffers()["layers.0.centred.mean"]) for n in (net, other)]
    assert not np.allclose(*means)


def test_each_task_has_its_own():
    task = np.array(["a", "b"])[np.arange(len(Y)) // 50]  # 50 and 20 rows
    model = ToySeedGatedClassifier(max_iter=3, batch_size=10, random_state=0).fit(X, Y, task)
    assert {name: count(net) for name, net in model.networks_.items()} == {"a": 15.0, "b": 6.0}
    again = pickle.loads(pickle.dumps(model))
    for name, net in model.networks_.items():
        assert_array_equal(again.networks_[name].buffers, net.buffers)
    np.testing.assert_array_equal(again.predict_proba(X, task), model.predict_proba(X, task))


# Training ------------------------------------------------------------


def test_a_training_writes_them_once_a_step():
    for recomputed in (False, True):
        net, _ = trained(network(recomputed=recomputed))
        assert count(net) == 5 * STEPS


def test_recomputing_changes_no_bit():
    kept, recomputed = (trained(network(recomputed=r), seed=1)[0] for r in (False, True))
    assert_array_equal(recomputed.theta, kept.theta)
    assert_array_equal(recomputed.buffers, kept.buffers)


def test_those_of_the_best_weights_are_kept():
    validate = Recording(1.0, 3.0, 2.0, 0.0)
    net, outcome = trained(network(), epochs=4, validate=validate)
    assert outcome.network is net
    assert_array_equal(net.buffers, validate.buffers[1])
    assert_array_equal(net.theta, validate.thetas[1])
    assert count(net) == 2 * STEPS


@pytest.mark.parametrize("options", [{}, {"resample": Resample("epoch")}], ids=str)
def test_the_network_of_the_outcome_has_those_of_the_best_epoch(options):
    validate = Recording(0.0, 2.0, 1.0)
    _, outcome = trained(network(), epochs=3, validate=validate, **options)
    assert_array_equal(outcome.network.buffers, validate.buffers[1])


def test_averaging_weights_leaves_them_alone():
    plain, _ = trained(network(), rate=0.1)
    averaged, _ = trained(network(), rate=0.1, ema_decay=0.5)
    assert_array_equal(averaged.buffers, plain.buffers)
    assert not np.allclose(host(averaged.theta), host(plain.theta))


def test_the_averaged_weights_are_validated_with_the_last_buffers():
    validate, plain = Recording(0.0, 1.0), Recording(0.0, 1.0)
    trained(network(), epochs=2, rate=0.1, ema_decay=0.5, validate=validate)
    trained(network(), epochs=2, rate=0.1, validate=plain)
    assert_array_equal(validate.buffers, plain.buffers)


def test_they_go_on_where_scaffolds_change_by_epoch():
    _, outcome = trained(network(), epochs=3, resample=Resample("epoch"))
    assert count(outcome.network) == 3 * STEPS


@pytest.mark.parametrize("when", ["step", "microbatch"])
def test_scaffolds_that_change_within_an_epoch_are_refused(when):
    net = network()
    start = host(net.theta.copy())
    message = f"resample='{when}' changes the scaffold within an epoch, but the network keeps run"
    with pytest.raises(ValueError, match=message):
        trained(net, resample=Resample(when, 2))
    assert_array_equal(net.theta, start)
    with pytest.raises(ValueError, match=message):
        ToyStatisticsClassifier(resample=(when, 2), random_state=0).fit(X, Y)


def test_equal_samples_are_not_merged_where_a_layer_reads_the_whole_batch():
    twice = np.concatenate([X, X[:35]]), np.concatenate([Y, Y[:35]])
    once, repeated = (
        ToyStatisticsClassifier(max_iter=2, batch_size=200, random_state=0).fit(*rows)
        for rows in ((X, Y), twice)
    )
    assert not np.allclose(host(once.network_.buffers), host(repeated.network_.buffers), rtol=1e-3)


def test_frozen_products_change_nothing_but_the_last_digits():
    kept, _ = trained(network())
    fresh, _ = trained(network(), projection_limit=0)
    assert list(kept.frozen_products(table())) == ["layers.0"]
    np.testing.assert_allclose(host(kept.buffers), host(fresh.buffers), rtol=1e-3, atol=1e-5)


# Checkpoints ------------------------------------------------------------


class _Killed(Exception):
    pass


@pytest.mark.host(reason="checkpoints are files")
@pytest.mark.parametrize("step", [1, 8, 9, 13])
@pytest.mark.parametrize(
    "params",
    [{}, {"early_stopping": True, "n_iter_no_change": 9}, {"resample": "epoch"}],
    ids=str,
)
def test_a_killed_training_goes_on_with_them_to_the_same_bits(tmp_path, monkeypatch, params, step):
    def model():
        return ToyStatisticsClassifier(batch_size=16, max_iter=4, random_state=0, **params)

    whole, written = model().fit(X, Y), []

    def save_and_die(self, progress, save=checkpoints.Checkpoint.save):
        save(self, progress)
        written.append(float(progress.arrays["buffers"][-1]))
        if len(written) == step:
            raise _Killed

    path = tmp_path / "c"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", save_and_die)
        with pytest.raises(_Killed):
            model().fit(X, Y, checkpoint=path)
    assert written == list(range(1, step + 1))
    found = model().fit(X, Y, checkpoint=path)
    assert_array_equal(found.network_.buffers, whole.network_.buffers)
    assert_array_equal(found.network_.theta, whole.network_.theta)
    assert found.history_ == whole.history_
