"""One adapter trained on several scaffolds: whose batch is when, what it sees, what it adds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from target import host, put
from training_tools import LOSS, Recorder, Watched, X, Y, data, network, plan, table

from deepreservoir.layers import Pass, Step
from deepreservoir.training import (
    Gate,
    Resample,
    TrainingSet,
    drawn,
    limits,
    train,
    train_gated,
    validate_gates,
)
from deepreservoir.training.seed_gating import GatedBatches, turns

PARTS = (np.arange(40), np.arange(40, 70))


def gates(net=None, own=False, **given):
    """Two tasks: 40 rows and 30 rows."""
    net = network(**given) if net is None else net
    networks = [net, net.with_scaffold(8)]
    if own:
        whole = data()
        return [Gate(n, whole, part) for n, part in zip(networks, PARTS, strict=True)]
    return [Gate(n, data(X[p], Y[p])) for n, p in zip(networks, PARTS, strict=True)]


# Whose turn it is -----------------------------------------------------------------------


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 10**6), st.booleans())
def test_every_batch_comes_once_and_tasks_are_spread_evenly(steps, key, shuffle):
    found = turns(steps, 7, key, shuffle)
    assert sorted(found) == [(task, i) for task, n in enumerate(steps) for i in range(n)]
    total, seen = sum(steps), [0] * len(steps)
    for place, (task, number) in enumerate(found, 1):
        assert number == seen[task]  # a task's own batches keep their order
        seen[task] += 1
        for count, n in zip(seen, steps, strict=True):
            assert abs(count - place * n / total) <= 1 + len(steps)


@given(st.integers(1, 5), st.integers(1, 20), st.integers(0, 1000))
def test_tasks_of_one_size_come_once_a_round(tasks, rounds, key):
    found = np.array(turns([rounds] * tasks, 0, key))
    for r, part in enumerate(np.split(found, rounds)):
        assert sorted(part[:, 0]) == list(range(tasks))
        assert (part[:, 1] == r).all()


def test_rounds_have_an_order_of_their_own_by_seed_and_epoch():
    orders = {tuple(turns([8, 8, 8], seed, key)) for seed in (0, 1) for key in (0, 24, 48)}
    assert len(orders) == 6
    assert turns([8, 8], 3, 5) == turns([8, 8], 3, 5)
    assert [task for task, _ in turns([3, 3], 0, 0, shuffle=False)] == [0, 1] * 3


# Training -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"ema_decay": 0.9, "clip_norm": 1.0}])
def test_one_task_is_trained_as_without_gates(options):
    one, other = (network(dropout=0.2) for _ in range(2))
    expected = train(one, data(), LOSS, plan(**options))
    found = train_gated([Gate(other, data())], LOSS, plan(**options))
    np.testing.assert_array_equal(host(one.theta), host(other.theta))
    assert found.history == expected.history
    assert found.reason == expected.reason


def test_a_step_is_the_gradient_of_one_task_on_its_own_scaffold():
    """Two batches an epoch, 40 rows and 30 of them, against passes by hand; masks by step."""
    recorder, options = Recorder(), {"dropout": 0.3, "adapter_dropout": 0.1}
    train_gated(
        gates(**options), LOSS, plan(optimiser=recorder, batch_size=64, epochs=3, shuffle=False)
    )
    first = network(**options)
    hands = [first, first.with_scaffold(8)]
    for index in range(6):
        task = index % 2
        first.grad.fill(0)
        part = PARTS[task]
        outputs, cache = hands[task].forward(put(X[part]), Pass(Step(0, index)))
        _, gradient = LOSS(outputs, put(Y[part]))
        hands[task].backward(gradient, cache)
        np.testing.assert_allclose(
            recorder.grads[index], host(first.grad), rtol=2e-4, atol=1e-6, err_msg=str(index)
        )
        first.theta[:] = put(recorder.thetas[index])


def test_both_tasks_are_learned_and_the_same_seed_gives_the_same_bits():
    found = []
    for _ in range(2):
        net = network(dropout=0.1)
        outcome = train_gated(gates(net), LOSS, plan(epochs=60))
        found.append(host(net.theta))
        assert outcome.network is net
        assert outcome.history["loss"][-1] < 0.5 * outcome.history["loss"][0]
    np.testing.assert_array_equal(*found)
    for gate in gates(net):
        right = host(gate.network.outputs(gate.data.inputs)).argmax(1) == host(gate.data.y)
        assert right.mean() > 0.85


def test_the_loss_of_an_epoch_is_that_of_all_rows():
    watched = Watched()
    outcome = train_gated(gates(), watched, plan(epochs=1, batch_size=16))
    sizes = [len(targets) for targets in watched.targets]
    assert sum(sizes) == 70
    mean = np.average(watched.values, weights=sizes)
    assert outcome.history["loss"] == [pytest.approx(mean)]


# Rows of others ---------------------------------------------------------------------------


def seen_rows(own, epochs, n=70, **options):
    """Return, by epoch, which rows the only task was shown: their number is their target."""
    watched = Watched()
    whole = TrainingSet(table(X[:n]), put(np.arange(n)))
    gate = Gate(network(), whole, np.array(own))
    train_gated([gate], watched, plan(epochs=epochs, batch_size=16, **options))
    per_epoch = gate.steps(16)
    assert len(watched.targets) == epochs * per_epoch
    return [
        np.concatenate(watched.targets[i : i + per_epoch])
        for i in range(0, epochs * per_epoch, per_epoch)
    ]


def test_an_epoch_takes_all_own_rows_and_as_many_others_drawn_anew():
    own = np.arange(10, 30)
    epochs = seen_rows(own, 4)
    others = []
    for rows in epochs:
        counts = Counter(rows.tolist())
        assert set(counts.values()) == {1}
        assert set(own) <= set(counts)
        assert len(counts) == 40
        others.append(frozenset(counts) - set(own))
    assert len(set(others)) == 4
    assert len(frozenset.union(*others)) > 40  # of 50, by now


def test_all_others_are_taken_where_there_are_fewer():
    for rows in seen_rows(np.arange(60), 2):
        assert sorted(rows) == list(range(70))
    ordered = seen_rows(np.arange(60), 1, shuffle=False)[0]
    assert ordered.tolist() == list(range(70))


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 9))
def test_what_is_drawn_is_there_and_drawn_once(n, count, key):
    rows = np.arange(100, 100 + n)
    found = drawn(rows, count, 3, key)
    assert len(found) == min(n, count)
    assert len(set(found.tolist())) == len(found)
    assert set(found.tolist()) <= set(rows.tolist())


# Frozen products ----------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True])
def test_products_of_the_first_layer_are_those_of_each_task_s_scaffold(own):
    parts = gates(own=own)
    batches = GatedBatches(parts, plan(batch_size=16))
    batches.begin(0)
    networks = set()
    for step in range(batches.steps):
        batch = batches.batch(step, step)
        assert batch.network is not None
        assert list(batch.products) == ["layers.0"]
        expected = batch.network.scaffolds["layers.0"].matmul(batch.batch.x)
        np.testing.assert_allclose(
            host(batch.products["layers.0"]), host(expected), rtol=1e-5, atol=1e-5
        )
        networks.add(id(batch.network))
    assert len(networks) == 2


def test_products_share_one_limit():
    parts = gates()
    pairs = [(gate.network, gate.data.inputs) for gate in parts]
    bytes_of = [4 * 16 * n for n in (40, 30)]
    assert limits(pairs, sum(bytes_of)) == bytes_of
    assert limits(pairs, sum(bytes_of) - 1) == [bytes_of[0], 0]
    assert limits(pairs, bytes_of[1]) == [0, bytes_of[1]]  # what fits is kept
    assert limits(pairs, 0) == [0, 0]
    batches = GatedBatches(parts, plan(batch_size=64, projection_limit=bytes_of[1], shuffle=False))
    batches.begin(0)
    assert [list(batches.batch(i, i).products) for i in range(2)] == [[], ["layers.0"]]


def test_products_change_nothing_but_rounding():
    thetas = []
    for limit in (0, 1 << 20):
        net = network(dtype="float64")
        train_gated(gates(net), LOSS, plan(projection_limit=limit))
        thetas.append(host(net.theta))
    # Where a gradient is nearly zero, AdamW divides its rounding by itself.
    np.testing.assert_allclose(*thetas, rtol=1e-6, atol=1e-7)


# Validation, ends, refusals --------------------------------------------------------------------


def test_validation_is_of_every_task_on_its_network_by_its_share():
    first, second = (gate.network for gate in gates())
    seen = []

    def judge(loss, score):
        return lambda net: (seen.append(net), (loss, score))[1]

    validate = validate_gates([(first, judge(1.0, 0.5), 0.75), (second, judge(3.0, 1.0), 0.25)])
    assert validate(first) == (1.5, 0.625)
    assert seen == [first, second]


def test_the_weights_of_the_best_epoch_are_kept():
    parts, scores, thetas = gates(), iter([0.1, 0.9, 0.3]), []

    def validate(net):
        thetas.append(host(net.theta.copy()))
        return 0.0, next(scores)

    outcome = train_gated(parts, LOSS, plan(epochs=3), validate=validate)
    assert outcome.best_score == 0.9
    np.testing.assert_array_equal(host(parts[1].network.theta), thetas[1])


def test_ctrl_c_leaves_usable_networks():
    def stop(call):
        if call == 4:
            raise KeyboardInterrupt

    parts = gates()
    outcome = train_gated(parts, Watched(stop), plan())
    assert outcome.reason == "interrupted"
    for gate in parts:
        assert np.isfinite(host(gate.network.outputs(put(X)))).all()


def test_networks_that_share_no_adapter_are_refused():
    apart = [Gate(network(), data()), Gate(network(), data())]
    with pytest.raises(ValueError, match=r"must share one adapter.*with_scaffold"):
        train_gated(apart, LOSS, plan())
    with pytest.raises(ValueError, match="cannot be resampled"):
        train_gated(gates(), LOSS, plan(resample=Resample("epoch")))
