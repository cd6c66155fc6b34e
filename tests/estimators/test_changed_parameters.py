"""Parameters that are changed after a fit: the next training takes them, predictions do not."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.neighbors import KNeighborsRegressor
from target import assert_allclose, assert_array_equal, host, put

from deepreservoir import (
    CausalLanguageModel,
    CfCClassifier,
    DecisionTransformer,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateClassifier,
    EchoStateRegressor,
    GINClassifier,
    Graph,
    SeedGatedClassifier,
    TextTransformerClassifier,
    ViTClassifier,
    load,
    save,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 4))
Y = (X[:, 0] + RNG.standard_normal(120) > 0).astype(int)
R = X[:, 0] + 0.1 * RNG.standard_t(1, 120)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0, "warm_start": True}


def copied(model, **params):
    return pickle.loads(pickle.dumps(model)).set_params(**params)


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("kind", "y", "changed"),
    [
        (DeepReservoirClassifier, Y, {"class_weight": {0: 1, 1: 1000.0}}),
        (DeepReservoirClassifier, Y, {"label_smoothing": 0.9}),
        (DeepReservoirClassifier, np.c_[Y, 1 - Y], {"label_smoothing": 0.9}),
        (DeepReservoirRegressor, R, {"loss": "huber", "huber_delta": 0.01}),
    ],
)
def test_continued_training_takes_the_parameters_that_are_set_now(how, kind, y, changed, tmp_path):
    base = kind(**SMALL).fit(X, y)
    same, other = copied(base), copied(base, **changed)
    loaded = load(save(copied(base, **changed), tmp_path / "model.safetensors"))
    for model in (same, other, loaded):
        getattr(model, how)(X, y)
    outputs = [host(model.network_.outputs(X)) for model in (same, other, loaded)]
    assert np.abs(outputs[1] - outputs[0]).max() > 1e-4
    np.testing.assert_array_equal(outputs[2], outputs[1])


CODES = [[label, 2, 3] for label in Y[:20].tolist()]
STEPS = {"observations": X[:8], "actions": X[:8, :2] / 9, "rewards": np.ones(8)}
PATH = Graph(np.ones((3, 1), int), np.array([[0, 1], [1, 2]]))
TINY = {"width": 8, "depth": 1, "heads": 2, "rank": 1, "max_iter": 2, "random_state": 0}
READERS = [
    (CausalLanguageModel(**TINY, vocabulary_size=9), (CODES,), {"vocabulary_size": 8}),
    (CausalLanguageModel(**TINY, vocabulary_size=9), (CODES,), {"end_token": 8}),
    (TextTransformerClassifier(**TINY, vocabulary_size=9), (CODES, Y[:20]), {"vocabulary_size": 8}),
    (DecisionTransformer(**TINY | {"heads": 1}), ([STEPS],), {"max_steps": 100}),
    (DecisionTransformer(**TINY | {"heads": 1}), ([STEPS],), {"return_scale": 100.0}),
    (CfCClassifier(8, 8, max_iter=2), (X[:20, :, None], Y[:20]), {"standardize": False}),
    (CfCClassifier(8, 8, max_iter=2), (X[:20, :, None], Y[:20]), {"time_scale": 3.0}),
    (ViTClassifier(2, **TINY), (X.reshape(120, 2, 2), Y), {"standardize": False}),
    (GINClassifier(8, 1, max_iter=2), ([PATH, PATH], [0, 1]), {"node_categories": (9,)}),
]


@pytest.mark.host(reason="what readers are made with")
@pytest.mark.parametrize(
    ("model", "samples", "changed"),
    READERS,
    ids=[f"{type(model).__name__}-{next(iter(changed))}" for model, _, changed in READERS],
)
def test_training_does_not_continue_with_another_reader(model, samples, changed, tmp_path):
    (name,) = changed
    fitted = clone(model).fit(*samples)
    loaded = load(save(fitted, tmp_path / "model.safetensors"))
    for each in (fitted, copied(fitted), loaded):
        each.partial_fit(*samples)
        before = host(each.network_.theta).copy()
        each.set_params(**changed)
        for again in (each.partial_fit, each.set_params(warm_start=True).fit):
            with pytest.raises(ValueError, match=f"training can only continue .*: {name}: .* -> "):
                again(*samples)
        np.testing.assert_array_equal(host(each.network_.theta), before)
    changed_before = load(save(fitted, tmp_path / "changed.safetensors"))
    with pytest.raises(ValueError, match=f"training can only continue .*: {name}: .* -> "):
        changed_before.partial_fit(*samples)
    for each in (fitted, loaded, changed_before):
        each.set_params(warm_start=False).fit(*samples)


def test_a_class_weight_that_is_set_later_decides_the_predictions():
    model = DeepReservoirClassifier(**SMALL).fit(X, Y)
    model.set_params(class_weight={0: 1, 1: 1000.0}, max_iter=100).fit(X, Y)
    assert model.predict(X).mean() > 0.9


@pytest.mark.parametrize("kind", [DeepReservoirClassifier, SeedGatedClassifier])
@pytest.mark.parametrize("y", [Y, Y + 2 * (X[:, 1] > 0)])
def test_probabilities_of_a_file_are_those_of_the_fit(kind, y, tmp_path):
    params = {"label_smoothing": 0.2} | {k: v for k, v in SMALL.items() if k != "warm_start"}
    model = kind(**params).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(label_smoothing=0.0)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    loaded = load(save(model, tmp_path / "changed.safetensors"))
    np.testing.assert_array_equal(loaded.predict_proba(X), before)
    assert loaded.label_smoothing == 0


@pytest.mark.parametrize("feedback", [False, True])
def test_feedback_is_that_of_the_fitted_reservoir(feedback, tmp_path):
    series = np.sin(np.arange(300) / 8)[:, None]
    model = EchoStateRegressor(30, washout=20, feedback=feedback, random_state=0)
    model.partial_fit(series[:-1], series[1:])
    changed = copied(model, feedback=not feedback)
    expected = model.forecast(20), model.predict(series), model.states(series)
    found = changed.forecast(20), changed.predict(series), changed.states(series)
    loaded = load(save(changed, tmp_path / "model.safetensors"))
    again = loaded.forecast(20), loaded.predict(series), loaded.states(series)
    for one, two, three in zip(expected, found, again, strict=True):
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(three, one)
    model.partial_fit(series[:-1], series[1:])
    changed.partial_fit(series[:-1], series[1:])
    assert_array_equal(changed.readout_.coef, model.readout_.coef)


def test_predictions_are_those_of_the_fitted_readout():
    series = [RNG.standard_normal((20, 2)) + label for label in Y[:30]]
    fitted = [
        EchoStateClassifier(20, random_state=0, readout=readout).fit(series, Y[:30])
        for readout in ("ridge", LogisticRegression())
    ]
    for model, other in zip(fitted, (LogisticRegression(), "ridge"), strict=True):
        changed = copied(model, readout=other)
        np.testing.assert_array_equal(changed.predict(series), model.predict(series))
        np.testing.assert_array_equal(changed.predict_proba(series), model.predict_proba(series))


@pytest.mark.parametrize("readout", ["ridge", SklearnRidge()])
def test_trained_parameters_of_a_reservoir_are_those_of_its_readout(readout):
    model = EchoStateRegressor(10, readout=readout, random_state=0)
    assert not hasattr(model, "n_trained_params_")
    assert model.fit(X, R).n_trained_params_ == 11
    assert model.fit(X, np.c_[R, R, R]).n_trained_params_ == 33
    other = model.set_params(readout=KNeighborsRegressor()).fit(X, R)
    assert not hasattr(other, "n_trained_params_")


def test_partial_fit_refuses_a_foreign_readout_before_any_training():
    model = EchoStateRegressor(10, readout=SklearnRidge())
    for _ in range(2):
        with pytest.raises(ValueError, match="partial_fit needs readout='ridge'"):
            model.partial_fit(X, R)
        assert not hasattr(model, "reservoir_")


def series(n):
    return np.random.default_rng(n).normal(size=(2, 60, 2))


def test_partial_fit_of_a_reservoir_takes_the_penalty_that_is_set_now():
    x = series(0)
    model = EchoStateRegressor(20, random_state=0, ridge=1e-3)
    model.partial_fit(put(x[0]), put(x[0].cumsum(0)))
    model.set_params(ridge=(0.1, 10.0)).partial_fit(put(x[1]), put(x[1].cumsum(0)))
    wanted = EchoStateRegressor(20, random_state=0, ridge=(0.1, 10.0))
    wanted.fit(put(x), put(x.cumsum(1)))
    assert model.readout_.penalty == wanted.readout_.penalty
    assert_allclose(model.readout_.coef, wanted.readout_.coef, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changed",
    [{"ridge": "x"}, {"washout": -1}, {"validation_fraction": 0.2}, {"readout": "rls"}],
    ids=repr,
)
def test_partial_fit_of_a_reservoir_checks_its_parameters_every_time(changed):
    x = series(0)
    model = EchoStateRegressor(20, random_state=0).partial_fit(put(x[0]), put(x[0]))
    with pytest.raises(ValueError, match=next(iter(changed))):
        model.set_params(**changed).partial_fit(put(x[1]), put(x[1]))
    if "validation_fraction" not in changed:
        classes = EchoStateClassifier(20, random_state=0, ridge=1.0)
        classes.partial_fit(put(x), put(np.arange(2)), classes=[0, 1])
        with pytest.raises(ValueError, match=next(iter(changed))):
            classes.set_params(**changed).partial_fit(put(x), put(np.arange(2)))


def test_partial_fit_does_not_forget_what_a_readout_of_scikit_learn_has_learned():
    x = series(0)
    model = EchoStateRegressor(20, random_state=0, readout=SklearnRidge()).fit(x[0], x[0])
    with pytest.raises(ValueError, match="readout='ridge' cannot continue a training"):
        model.set_params(readout="ridge").partial_fit(x[1], x[1])
