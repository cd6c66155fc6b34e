"""Training: reproducible, in whole epochs, with the projection kept, averaged and clipped."""

import numpy as np
import pytest
import scipy.sparse
from target import assert_allclose, assert_array_equal, host, put
from training_tools import (
    LOSS,
    N,
    Recorder,
    Scripted,
    Watched,
    X,
    Y,
    data,
    network,
    table,
    toy,
    trained,
)

from deepreservoir.layers import Step
from deepreservoir.optim import Cosine
from deepreservoir.training import FrozenProducts, validator

STEPS = 3  # an epoch: 32, 32 and 6 rows


# Reproducible ------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"dropout": 0.3, "adapter_dropout": 0.2}], ids=str)
def test_the_same_seed_gives_the_same_adapter_bit_for_bit(given):
    first, outcome = trained(network(**given), seed=1)
    second, again = trained(network(**given), seed=1)
    other, _ = trained(network(**given), seed=2)
    assert_array_equal(second.theta, first.theta)
    assert again.history == outcome.history
    assert not np.array_equal(host(other.theta), host(first.theta))


def test_without_shuffling_or_dropout_the_seed_changes_nothing():
    first, _ = trained(seed=1, shuffle=False)
    second, _ = trained(seed=2, shuffle=False)
    assert_array_equal(second.theta, first.theta)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_the_loss_goes_down(adapter):
    _, outcome = trained(network(adapter=adapter, hidden_layer_sizes=(64,)), epochs=60)
    loss = outcome.history["loss"]
    assert outcome.reason == "budget"
    assert len(loss) == 60
    assert loss[-1] < 0.7 * loss[0]


def test_going_on_with_the_state_equals_one_run():
    given = {"dropout": 0.3, "adapter_dropout": 0.2}
    whole, outcome = trained(network(**given), epochs=6)
    parts, first = trained(network(**given), epochs=2)
    assert first.state.step == 2 * STEPS
    _, second = trained(parts, epochs=4, state=first.state)
    assert second.state.step == outcome.state.step == 6 * STEPS
    assert_array_equal(parts.theta, whole.theta)
    assert first.history["loss"] + second.history["loss"] == outcome.history["loss"]


def test_the_bar_changes_nothing_and_shows_the_loss(capsys):
    quiet, _ = trained()
    assert capsys.readouterr().err == ""
    shown, outcome = trained(verbose=True)
    assert_array_equal(shown.theta, quiet.theta)
    assert f"loss={outcome.history['loss'][-1]:.3g}" in capsys.readouterr().err


# Rows, weights and steps ------------------------------------------------------------


def numbered():
    """The toy problem with targets that also say which row they are of."""
    return data(targets=Y + 3 * np.arange(N))


def test_every_row_is_seen_once_an_epoch_and_the_last_batch_is_what_is_left():
    loss = Watched()
    trained(of=numbered(), loss=loss, epochs=2)
    assert [len(batch) for batch in loss.targets] == [32, 32, 6] * 2
    orders = np.concatenate(loss.targets).reshape(2, N) // 3
    for order in orders:
        assert_array_equal(np.sort(order), np.arange(N))
    assert not np.array_equal(*orders)
    assert not np.array_equal(orders[0], np.arange(N))


def test_without_shuffling_rows_come_in_their_order():
    loss = Watched()
    trained(of=numbered(), loss=loss, epochs=2, shuffle=False)
    orders = np.concatenate(loss.targets).reshape(2, N) // 3
    assert_array_equal(orders, [np.arange(N)] * 2)


def test_rows_targets_weights_and_products_stay_together():
    # At a learning rate of zero the mean over an epoch is the loss of the whole set.
    weights = np.random.default_rng(0).uniform(0.5, 1.5, N)
    net = network()
    expected, _ = LOSS(net.outputs(X), put(Y), put(weights))
    _, outcome = trained(net, data(weights=weights), rate=0.0, epochs=2)
    assert outcome.history["loss"] == pytest.approx([float(expected)] * 2, rel=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_rows_not_batches():
    loss = Watched()
    _, outcome = trained(of=numbered(), loss=loss, epochs=1)
    assert outcome.history["loss"][0] == pytest.approx(np.dot(loss.values, [32, 32, 6]) / N)


def test_a_truncated_last_batch_moves_the_weights():
    recorder = Recorder()
    trained(optimiser=recorder, rate=0.1, epochs=1)
    assert len(recorder.thetas) == STEPS
    assert not np.array_equal(recorder.thetas[2], recorder.thetas[1])


def test_a_batch_larger_than_the_set_is_the_whole_set():
    recorder, whole = Recorder(), Recorder()
    trained(optimiser=recorder, batch_size=10 * N, epochs=2)
    trained(optimiser=whole, batch_size=N, epochs=2)
    assert len(recorder.thetas) == 2
    assert_array_equal(recorder.thetas[-1], whole.thetas[-1])


def test_each_step_starts_from_a_gradient_of_zero():
    net, recorder = network(), Recorder()
    net.grad[:] = 100.0
    trained(net, optimiser=recorder, epochs=2)
    fresh = Recorder()
    trained(optimiser=fresh, epochs=2)
    assert_array_equal(recorder.grads, fresh.grads)


def test_sparse_rows_train_as_dense_ones():
    dense = X * (X > 0)
    first, _ = trained(of=data(dense))
    second, _ = trained(of=data(scipy.sparse.csr_matrix(dense)))
    assert_array_equal(second.theta, first.theta)


def test_every_step_has_an_index_of_its_own_that_goes_on_with_the_state():
    net, seen = network(dropout=0.5), []
    forward = net.body.forward
    net.body.forward = lambda x, on: seen.append(on.step) or forward(x, on)
    _, outcome = trained(net, epochs=2, seed=7)
    trained(net, epochs=1, seed=8, state=outcome.state)
    assert seen == [Step(7, i) for i in range(6)] + [Step(8, i) for i in range(6, 9)]


# Rate, clipping, averaging ------------------------------------------------------------


def test_the_schedule_counts_steps_from_the_start_of_the_run():
    first, second = Recorder(), Recorder()
    schedule = Cosine(2 * STEPS)
    net, outcome = trained(optimiser=first, rate=0.5, schedule=schedule, epochs=2)
    trained(net, optimiser=second, rate=0.5, schedule=schedule, epochs=2, state=outcome.state)
    expected = [0.5 * schedule(step) for step in range(2 * STEPS)]
    assert first.rates == second.rates == pytest.approx(expected)


def test_the_history_has_rate_and_betas_of_each_epoch():
    net, outcome = trained(epochs=4, rate=0.02)
    assert set(outcome.history) == {"loss", "learning_rate", "beta"}
    assert outcome.history["learning_rate"] == [0.02] * 4
    betas = outcome.history["beta"]
    assert [set(entry) for entry in betas] == [{"layers.0", "layers.1"}] * 4
    assert betas[-1] == net.betas()
    assert betas[0] != betas[-1]


def test_clipping_limits_the_norm_of_every_gradient():
    free, clipped = Recorder(), Recorder()
    trained(optimiser=free)
    limit = 0.5 * min(np.linalg.norm(grad) for grad in free.grads)
    trained(optimiser=clipped, clip_norm=float(limit))
    norms = [np.linalg.norm(grad) for grad in clipped.grads]
    assert_allclose(norms, limit, rtol=1e-5)
    assert_allclose(
        clipped.grads[0], free.grads[0] * (limit / np.linalg.norm(free.grads[0])), rtol=1e-5
    )


def geometric_mean_of(thetas, decay):
    shares = decay ** np.arange(len(thetas) - 1, -1, -1.0)
    return shares @ np.asarray(thetas, np.float64) / shares.sum()


def test_averaged_weights_are_the_ones_kept():
    recorder = Recorder()
    net, _ = trained(optimiser=recorder, rate=0.3, ema_decay=0.8)
    expected = geometric_mean_of(recorder.thetas, 0.8)
    assert_allclose(net.theta, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(host(net.theta), recorder.thetas[-1], rtol=1e-2)


def test_averaged_weights_are_the_ones_validated_and_training_goes_on_without_them():
    validate, recorder, plain = Scripted(1.0, 2.0, 0.0), Recorder(), Recorder()
    net, _ = trained(optimiser=recorder, rate=0.3, ema_decay=0.8, epochs=3, validate=validate)
    trained(optimiser=plain, rate=0.3, epochs=3)
    assert_array_equal(recorder.thetas, plain.thetas)
    for epoch, theta in enumerate(validate.thetas, start=1):
        expected = geometric_mean_of(recorder.thetas[: epoch * STEPS], 0.8)
        assert_allclose(theta, expected, rtol=1e-4, atol=1e-6)
    assert_array_equal(net.theta, validate.thetas[1])


# The first layer's product ------------------------------------------------------------


def count_products(net):
    """Return a list that will hold the number of rows of each product with the first scaffold."""
    rows, scaffold = [], net.scaffolds["layers.0"]
    product = scaffold.matmul
    scaffold.matmul = lambda x: rows.append(len(x)) or product(x)
    return rows


SIZE = N * 16 * 4  # bytes of the product: rows, first width, float32


def test_the_product_is_computed_once_where_it_fits():
    net = network()
    rows = count_products(net)
    trained(net, projection_limit=SIZE)
    assert rows == [N]


def test_the_product_is_computed_every_step_where_it_would_not_fit():
    net = network()
    rows = count_products(net)
    trained(net, projection_limit=SIZE - 1, epochs=4)
    assert rows == [32, 32, 6] * 4


def test_the_product_is_not_kept_for_a_single_epoch():
    net = network()
    rows = count_products(net)
    trained(net, epochs=1)
    assert rows == [32, 32, 6]


@pytest.mark.parametrize(
    "given",
    [{}, {"adapter": "none"}, {"adapter": "dora"}, {"adapter_dropout": 0.3}, {"beta": "fixed"}],
    ids=str,
)
def test_the_kept_product_changes_nothing_but_the_last_digits(given):
    kept, _ = trained(network(**given), optimiser=Recorder(0.9), rate=0.05)
    fresh, _ = trained(network(**given), optimiser=Recorder(0.9), rate=0.05, projection_limit=0)
    assert not np.allclose(host(kept.theta), host(network(**given).theta), rtol=1e-2)
    assert_allclose(kept.theta, fresh.theta, rtol=1e-3, atol=1e-5)


def test_the_frozen_product_is_the_scaffolds_over_all_chunks():
    net, inputs = network(), table(toy(2500)[0])
    products = FrozenProducts(inputs, 2500 * 16 * 4).of(net)
    expected = host(inputs.take(np.arange(2500)).x) @ net.scaffolds["layers.0"].dense().T
    assert list(products) == ["layers.0"]
    assert_allclose(products["layers.0"], expected, rtol=1e-4, atol=1e-5)
    assert products["layers.0"].dtype == np.float32
    assert FrozenProducts(inputs, 2500 * 16 * 4 - 1).of(net) == {}


def test_products_are_made_once_and_are_not_those_of_another_scaffold():
    net = network()
    rows, products = count_products(net), FrozenProducts(table(), SIZE)
    assert products.of(net) is products.of(net)
    assert rows == [N]
    assert products.of(net.with_scaffold(8)) == {}


def test_there_is_no_product_where_the_first_weights_are_trained():
    net = network(adapter="full")
    assert FrozenProducts(table(), 1 << 30).of(net) == {}
    assert net.product_bytes(table()) == 0


# Validation ------------------------------------------------------------


def test_a_validator_gives_loss_and_score_of_held_out_rows():
    x, y = toy(20, seed=1)
    net = network()
    validate = validator(table(x), y, LOSS, score=lambda outputs: float(outputs.sum()))
    outputs = net.outputs(x)
    assert validate(net) == (float(LOSS(outputs, put(y))[0]), float(outputs.sum()))


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_score_is_computed_from_outputs_that_are_not_finite(value):
    def score(outputs):
        raise AssertionError("the metric was called")

    x, y = toy(20, seed=1)
    net = network()
    net.theta[:] = value
    loss, metric = validator(table(x), y, LOSS, score)(net)
    assert not np.isfinite(loss)
    assert np.isnan(metric)
