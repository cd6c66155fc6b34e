"""A fit that fails leaves the model as it was, or unfitted: never old weights under new labels."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateClassifier,
    EchoStateRegressor,
    SeedGatedClassifier,
    TrainingDiverged,
    fit_many,
)
from deepreservoir.backend import to_host

X = np.random.default_rng(0).normal(size=(100, 4))
OLD, NEW = np.where(X[:, 0] > 0, "b", "a"), np.where(X[:, 0] < 0, "d", "c")
TASK = np.arange(100) % 2
BROKEN = {"learning_rate_init": 1e38}
PARAMS = {"rank": 2, "max_iter": 5, "optimizer": "sgd", "batch_size": 20, "random_state": 0}


def contents(model):
    """Return the fitted attributes, and the arrays that training changes in place."""
    state = dict(vars(model))
    parts = {name: state.pop(name, None) for name in model.get_params()}
    if "network_" in state:
        network = state["network_"]
        parts |= {
            "theta": to_host(network.theta).copy(),
            "buffers": to_host(network.buffers).copy(),
        }
    if state.get("_state") is not None:
        saved = state.pop("_state")
        parts |= {"step": saved.step, "moments": [to_host(m).copy() for m in saved.moments]}
    return state.keys(), {k: v for k, v in parts.items() if k not in model.get_params()}


def assert_same(before, after):
    assert before[0] == after[0]
    np.testing.assert_equal(before[1], after[1])


def classifier(**params):
    return DeepReservoirClassifier((8,), **{**PARAMS, **params})


def regressor(**params):
    return DeepReservoirRegressor((8,), **{**PARAMS, **params})


# Each case: a fitted model, a call that fails, and arguments of predict.
def _diverges(model, *data, call="fit", **kwargs):
    model.set_params(**BROKEN)
    with pytest.raises(TrainingDiverged):
        getattr(model, call)(*data, **kwargs)


def _new_labels():
    return classifier().fit(X, OLD), lambda m: _diverges(m, X, NEW)


def _new_scale():
    return regressor().fit(X, X[:, 0]), lambda m: _diverges(m, X, X[:, 0] * 1000 + 5)


def _new_width():
    def fails(model):
        with pytest.raises(ValueError, match="rank must be"):
            model.set_params(rank=99).fit(X[:, :3], OLD)

    return classifier().fit(X, OLD), fails


def _warm_start():
    model = classifier(warm_start=True).fit(X, OLD)
    return model, lambda m: _diverges(m, X, OLD)


def _partial_fit():
    model = classifier().partial_fit(X, OLD, classes=["a", "b"])
    return model, lambda m: _diverges(m, X, OLD, call="partial_fit")


def _partial_fit_of_a_regressor():
    model = regressor().partial_fit(X, X[:, 0])
    return model, lambda m: _diverges(m, X, X[:, 0], call="partial_fit")


def _early_stopping():
    model = regressor(early_stopping=True).fit(X, X[:, 0])
    return model, lambda m: _diverges(m, X, -X[:, 0])


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize(
    "case",
    [
        _new_labels,
        _new_scale,
        _new_width,
        _warm_start,
        _partial_fit,
        _partial_fit_of_a_regressor,
        _early_stopping,
    ],
    ids=lambda case: case.__name__.strip("_"),
)
def test_a_failed_fit_leaves_the_fitted_model(case):
    model, fails = case()
    before, predictions = contents(model), model.predict(X)
    fails(model)
    assert_same(before, contents(model))
    np.testing.assert_array_equal(model.predict(X), predictions)


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_partial_fit_continues_after_a_failure_with_the_same_bits():
    failing, other = (classifier().partial_fit(X, OLD, classes=["a", "b"]) for _ in range(2))
    _diverges(failing, X, OLD, call="partial_fit")
    failing.set_params(**{name: getattr(other, name) for name in BROKEN})
    for model in (failing, other):
        model.partial_fit(X, OLD)
    assert failing.network_.theta.tobytes() == other.network_.theta.tobytes()


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_a_failed_first_fit_leaves_an_unfitted_model():
    for model, call, data in (
        (classifier(**BROKEN), "fit", (X, OLD)),
        (classifier(**BROKEN), "partial_fit", (X, OLD, ["a", "b"])),
        (SeedGatedClassifier((8,), **{**PARAMS, **BROKEN}), "fit", (X, OLD, TASK)),
    ):
        with pytest.raises(TrainingDiverged):
            getattr(model, call)(*data)
        assert vars(model).keys() == vars(clone(model)).keys()
        with pytest.raises(NotFittedError):
            model.predict(X)


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_a_failed_fit_leaves_the_tasks_of_a_seed_gated_model():
    model = SeedGatedClassifier((8,), **PARAMS).fit(X, OLD, TASK)
    before, predictions = contents(model), model.predict(X, TASK)
    _diverges(model, X[:, :3], NEW, TASK + 7)
    assert_same(before, contents(model))
    np.testing.assert_array_equal(model.predict(X, TASK), predictions)


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_models_fitted_side_by_side_all_stay_as_they_were():
    fitted, unfitted = classifier().fit(X, OLD), classifier(rank=1, **BROKEN)
    predictions = fitted.predict(X)
    with pytest.raises(TrainingDiverged):
        fit_many([fitted, unfitted], X[:, :3], NEW)
    np.testing.assert_array_equal(fitted.predict(X), predictions)
    assert vars(unfitted).keys() == vars(clone(unfitted)).keys()


# Echo-state networks -------------------------------------------------------------------------

SERIES = np.sin(np.arange(300) / 5).reshape(20, 15)
KINDS = np.array(["a", "b"])[np.arange(20) % 2]


class Unsolvable(Exception):
    """Raised by a solver in place of a decomposition."""


@pytest.fixture
def unsolvable(monkeypatch):
    """Return a function after whose call no readout can be solved, until `undo`."""

    def solve(*args):
        raise Unsolvable

    def start():
        monkeypatch.setattr("deepreservoir.esn.readout.solve_positive", solve)

    start.undo = monkeypatch.undo
    return start


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_an_echo_state_regressor(call, unsolvable):
    model, other = (EchoStateRegressor(20, random_state=0).fit(X, X[:, 0]) for _ in range(2))
    predictions = model.predict(X)
    unsolvable()
    with pytest.raises(Unsolvable):
        getattr(model, call)(X[:, :3] if call == "fit" else X[::-1], X[:, 1])
    unsolvable.undo()
    np.testing.assert_array_equal(model.predict(X), predictions)
    np.testing.assert_array_equal(
        model.forecast(3, X, inputs=X[:3]), other.forecast(3, X, inputs=X[:3])
    )
    for each in (model, other):
        each.partial_fit(X, X[:, 2])
    np.testing.assert_array_equal(model.predict(X), other.predict(X))


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_an_echo_state_classifier(call, unsolvable):
    params = {"units": 10, "ridge": 1e-3, "random_state": 0}
    model, other = (EchoStateClassifier(**params).fit(SERIES, KINDS) for _ in range(2))
    predictions = model.predict(SERIES)
    unsolvable()
    with pytest.raises(Unsolvable):
        getattr(model, call)(SERIES[:, :9] if call == "fit" else SERIES, KINDS[::-1])
    unsolvable.undo()
    np.testing.assert_array_equal(model.predict(SERIES), predictions)
    for each in (model, other):
        each.partial_fit(SERIES, KINDS)
    np.testing.assert_array_equal(model.predict_proba(SERIES), other.predict_proba(SERIES))


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_failed_first_fit_leaves_an_unfitted_echo_state_network(call, unsolvable):
    unsolvable()
    for model, data in (
        (EchoStateRegressor(20, random_state=0), (X, X[:, 0])),
        (EchoStateClassifier(10, ridge=1.0, random_state=0), (SERIES, KINDS)),
    ):
        classes = {"classes": ["a", "b"]} if call == "partial_fit" and len(data[0]) == 20 else {}
        with pytest.raises(Unsolvable):
            getattr(model, call)(*data, **classes)
        assert vars(model).keys() == vars(clone(model)).keys()
