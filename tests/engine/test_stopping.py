"""How a training run ends: best weights kept, patience, Ctrl-C, and losses that diverge."""

import numpy as np
import pytest
from target import assert_allclose, assert_array_equal, host, xp
from training_tools import (
    LOSS,
    K,
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

from deepreservoir.losses import SquaredError
from deepreservoir.optim import LBFGS, SGD, AdamW
from deepreservoir.training import TrainingDiverged, interruptions_raised, validator

STEPS = 3  # an epoch
STOP = KeyboardInterrupt


# The best weights ------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "best"),
    [((1, 3, 2, 0), 1), ((3, 1, 2, 0), 0), ((0, 1, 2, 3), 3), ((1, 2, 2, 1), 1)],
)
def test_the_weights_of_the_best_score_are_kept(scores, best):
    validate = Scripted(*scores)
    net, outcome = trained(epochs=4, validate=validate)
    assert_array_equal(net.theta, validate.thetas[best])
    assert outcome.best_score == scores[best]
    assert outcome.history["validation_score"] == list(scores)
    assert outcome.history["validation_loss"] == [-score for score in scores]


def test_a_real_validation_keeps_the_weights_that_its_history_calls_best():
    x, y = toy(40, seed=1)
    validate = validator(
        table(x), y, LOSS, lambda outputs: float((host(outputs).argmax(1) == y).mean())
    )
    net, outcome = trained(epochs=15, rate=0.1, validate=validate)
    scores = outcome.history["validation_score"]
    assert scores[-1] < max(scores)  # else the last weights would do as well
    loss, score = validate(net)
    assert score == outcome.best_score == max(scores)
    assert loss == outcome.history["validation_loss"][scores.index(score)]


def test_without_validation_the_last_weights_are_kept():
    recorder = Recorder()
    net, outcome = trained(optimiser=recorder)
    assert_array_equal(net.theta, recorder.thetas[-1])
    assert outcome.best_score is None


def test_a_score_that_is_not_a_number_is_never_the_best():
    validate = Scripted(float("nan"), 1.0, float("nan"), 0.0)
    net, outcome = trained(epochs=4, validate=validate)
    assert outcome.best_score == 1.0
    assert_array_equal(net.theta, validate.thetas[1])


# Patience ------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "patience", "tol", "epochs"),
    [
        ((1, 2, 2, 2, 9), 2, 0.0, 4),
        ((1, 2, 2, 3, 3, 3, 9), 2, 0.0, 6),
        ((5, 1, 9, 9), 1, 0.0, 2),
        ((5, 1, 2, 9), 2, 0.0, 3),
        ((1.0, 1.5, 2.0, 9), 2, 0.6, 3),
        ((1.0, 1.5, 2.5, 3.0, 3.5, 9), 2, 0.6, 5),
    ],
)
def test_it_stops_after_so_many_epochs_that_improve_by_no_more_than_tol(
    scores, patience, tol, epochs
):
    validate = Scripted(*scores)
    net, outcome = trained(epochs=len(scores), patience=patience, tol=tol, validate=validate)
    assert outcome.reason == "converged"
    assert len(validate.thetas) == epochs
    assert {len(entries) for entries in outcome.history.values()} == {epochs}
    best = int(np.argmax(scores[:epochs]))
    assert_array_equal(net.theta, validate.thetas[best])


def test_patience_that_is_not_used_up_leaves_the_budget():
    _, outcome = trained(epochs=3, patience=3, validate=Scripted(3, 2, 1))
    assert outcome.reason == "budget"


def test_of_equal_scores_the_lowest_loss_is_kept():
    validate = Scripted((1, 0.9), (2, 0.8), (2, 0.5), (2, 0.6), (1, 0.1))
    net, outcome = trained(epochs=5, validate=validate)
    assert_array_equal(net.theta, validate.thetas[2])
    assert outcome.best_score == 2


def test_a_validation_loss_that_falls_counts_as_an_improvement():
    scores = [(1, 0.9 - 0.1 * epoch) for epoch in range(5)]
    validate = Scripted(*scores, *[(1, 0.5)] * 5)
    _, outcome = trained(epochs=10, patience=2, tol=0.05, validate=validate)
    assert outcome.reason == "converged"
    assert len(outcome.history["loss"]) == 5 + 2


@pytest.mark.parametrize(("least", "epochs"), [(0, 1 + 2), (7, 1 + 3), (9, 1 + 3), (10, 1 + 4)])
def test_patience_in_epochs_is_extended_to_a_number_of_steps(least, epochs):
    """An epoch is three steps."""
    validate = Scripted(*[0.0] * 20)
    _, outcome = trained(epochs=20, patience=2, patience_steps=least, validate=validate)
    assert len(outcome.history["loss"]) == epochs


def test_without_validation_the_training_loss_is_watched():
    _, outcome = trained(epochs=20, patience=3, tol=100.0)
    assert outcome.reason == "converged"
    assert len(outcome.history["loss"]) == 1 + 3  # the first epoch improves on nothing


def test_a_loss_that_goes_down_is_not_stopped():
    _, outcome = trained(epochs=20, patience=1, shuffle=False, batch_size=N)
    loss = outcome.history["loss"]
    assert (np.diff(loss) < 0).all()
    assert outcome.reason == "budget"


# Ctrl-C -------------------------------------------------------------------------------------------


def raise_at(number, error=STOP):
    def at(call):
        if call == number:
            raise error

    return at


def assert_usable(net, outcome):
    assert outcome.reason == "interrupted"
    assert xp.isfinite(net.theta).all()
    assert xp.isfinite(net.outputs(X)).all()


@pytest.mark.parametrize("call", [0, 1, STEPS, 2 * STEPS + 1])
def test_an_interrupt_inside_a_step_leaves_the_weights_of_the_last_whole_step(call):
    recorder, start = Recorder(), network().theta
    net, outcome = trained(optimiser=recorder, rate=0.1, loss=Watched(raise_at(call)))
    assert_usable(net, outcome)
    assert_array_equal(net.theta, recorder.thetas[-1] if call else start)
    assert len(recorder.thetas) == outcome.state.step == call
    assert len(outcome.history["loss"]) == call // STEPS


def test_an_interrupt_inside_validation_keeps_the_best_weights_so_far():
    validate = Scripted(1.0, 2.0, 0.0, STOP)
    net, outcome = trained(epochs=9, validate=validate)
    assert_usable(net, outcome)
    assert_array_equal(net.theta, validate.thetas[1])
    assert outcome.best_score == 2.0


def test_an_interrupt_inside_the_first_validation_keeps_the_weights_it_was_given():
    validate = Scripted(STOP)
    net, outcome = trained(epochs=9, validate=validate)
    assert_usable(net, outcome)
    assert_array_equal(net.theta, validate.thetas[0])
    assert outcome.best_score is None


@pytest.mark.parametrize("scores", [(STOP,), (2.0, 1.0, STOP)])
def test_an_interrupted_history_has_one_entry_an_epoch_under_every_name(scores):
    _, outcome = trained(epochs=9, validate=Scripted(*scores))
    lengths = {name: len(entries) for name, entries in outcome.history.items()}
    assert len(set(lengths.values())) == 1, lengths


@pytest.mark.parametrize("call", [0, 1, STEPS + 1])
def test_an_interrupt_while_averaging_keeps_the_average_so_far(call):
    recorder = Recorder()
    net, outcome = trained(
        optimiser=recorder, rate=0.3, ema_decay=0.5, loss=Watched(raise_at(call))
    )
    assert_usable(net, outcome)
    if call == 0:
        assert_array_equal(net.theta, network().theta)
    else:
        shares = 0.5 ** np.arange(call - 1, -1, -1.0)
        expected = shares @ np.array(recorder.thetas, np.float64) / shares.sum()
        assert_allclose(net.theta, expected, rtol=1e-4, atol=1e-6)


def test_an_interrupted_run_can_go_on():
    net, first = trained(loss=Watched(raise_at(STEPS + 1)))
    _, second = trained(net, epochs=2, state=first.state)
    assert second.reason == "budget"
    assert second.state.step == STEPS + 1 + 2 * STEPS


@pytest.mark.parametrize("optimiser", [AdamW(), LBFGS()])
def test_an_interrupt_is_raised_where_work_around_the_training_asks_for_it(optimiser):
    with interruptions_raised(), pytest.raises(STOP):
        trained(optimiser=optimiser, loss=Watched(raise_at(1)))
    assert trained(loss=Watched(raise_at(1)))[1].reason == "interrupted"


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError):
        trained(loss=Watched(raise_at(1, ZeroDivisionError())))


# Divergence ------------------------------------------------------------

# Divergence overflows on its way; the error under test is the one that training raises.
overflows = pytest.mark.filterwarnings("ignore::RuntimeWarning")
ONE_HOT = np.eye(K, dtype=np.float32)[Y]


class _BreaksAt(Watched):
    def __init__(self, call, value):
        super().__init__()
        self.call, self.value = call, value

    def __call__(self, outputs, targets, weights=None, n=None):
        value, gradient = super().__call__(outputs, targets, weights, n)
        return (self.value if len(self.targets) == self.call else value), gradient


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("call", "where"), [(1, (1, 1)), (3, (1, 3)), (5, (2, 2))])
def test_divergence_names_value_epoch_step_and_remedy(value, call, where):
    with pytest.raises(TrainingDiverged) as error:
        trained(rate=0.25, loss=_BreaksAt(call, value))
    expected = (
        f"the loss became {value} at epoch {where[0]}, step {where[1]}: lower "
        "learning_rate_init (now 0.25, try 0.025) or set max_grad_norm=1.0"
    )
    assert str(error.value) == expected


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_divergence_of_the_validation_loss_is_an_error_too(value):
    losses = iter([0.5, value])
    with pytest.raises(TrainingDiverged) as error:
        trained(rate=0.25, epochs=4, validate=lambda net: (next(losses), 0.0))
    assert str(error.value) == (
        f"the validation loss became {value} at epoch 2, step 3: lower learning_rate_init "
        "(now 0.25, try 0.025) or set max_grad_norm=1.0"
    )


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"clip_norm": 1.0}, r"\(now 0.25, try 0.025\)$"),
        ({"optimiser": AdamW(weight_decay=10.0)}, r"try 0.025\) or weight_decay \(now 10\)$"),
    ],
)
def test_a_remedy_that_cannot_help_is_not_named(options, remedy):
    with pytest.raises(TrainingDiverged, match=remedy):
        trained(rate=0.25, loss=_BreaksAt(1, np.inf), **options)


@overflows
def test_a_huge_learning_rate_is_told_to_come_down():
    with pytest.raises(TrainingDiverged, match=r"epoch \d+, step \d+: lower learning_rate_init"):
        trained(
            of=data(targets=ONE_HOT),
            loss=SquaredError(),
            optimiser=SGD(),
            rate=1e6,
            epochs=50,
        )


@overflows
def test_unscaled_inputs_are_told_to_be_scaled():
    with pytest.raises(TrainingDiverged, match=r"the inputs reach .*e\+0[45].*StandardScaler"):
        trained(
            of=data(3e4 * X, targets=ONE_HOT),
            loss=SquaredError(),
            optimiser=SGD(),
            rate=0.1,
            epochs=50,
        )


@overflows
@pytest.mark.parametrize("epochs", [1, 2])
def test_an_update_that_overflows_is_told_even_where_it_is_the_last(epochs):
    # One step per epoch; the first loss is finite, the weights after it are not.
    with pytest.raises(TrainingDiverged, match=r"epoch \d+, step 1"):
        trained(rate=float("1e39"), batch_size=N, epochs=epochs, optimiser=SGD())
