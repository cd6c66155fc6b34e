"""The echo-state regressor as its users meet it."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import assert_array_equal, host

from deepreservoir import EchoStateClassifier, EchoStateRegressor
from deepreservoir.esn import IntrinsicPlasticity, Reservoir

RNG = np.random.default_rng(0)
WAVE = np.c_[np.sin(np.arange(800) / 5), np.cos(np.arange(800) / 7)]

# Rows are time: their order is what they mean, so these two cannot hold.
EXPECTED = {
    "check_methods_sample_order_invariance": "rows are time; their order matters",
    "check_methods_subset_invariance": "rows are time; a row depends on those before it",
    "check_sample_weight_equivalence_on_dense_data": "rows are time; none can be left out",
}
PROGRAM = f"""
import warnings
from sklearn.utils.estimator_checks import check_estimator
from deepreservoir import EchoStateRegressor
warnings.simplefilter("ignore")
results = check_estimator(
    EchoStateRegressor(units=50), expected_failed_checks={EXPECTED!r}, on_skip=None, on_fail=None
)
for result in results:
    print(result["check_name"], result["status"])
"""


def test_the_guide_names_the_checks_that_cannot_hold():
    page = Path(__file__).parents[2] / "docs" / "reservoirs.md"
    assert set(re.findall(r"`(check_\w+)`:", page.read_text("utf-8"))) == set(EXPECTED)


def small(**params):
    return EchoStateRegressor(**{"units": 80, "washout": 20, "random_state": 0, **params})


@pytest.mark.slow  # the classifier's run by default
def test_scikit_learns_checks_pass_but_for_those_named():
    pytest.importorskip("array_api_strict")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    results = dict(line.split() for line in run.stdout.strip().splitlines())
    assert {name for name, status in results.items() if status == "xfail"} == set(EXPECTED)
    assert set(results.values()) == {"passed", "xfail"}
    assert len(results) > 30


@pytest.mark.parametrize("readout", ["ridge", "rls", Ridge(1e-6)])
def test_predicts_the_next_step_with_any_readout(readout):
    model = small(readout=readout).fit(WAVE[:600], WAVE[1:601, 0])
    error = model.predict(WAVE[600:-1]) - WAVE[601:, 0]
    assert np.abs(error[50:]).max() < 0.05


def test_forecast_goes_on_from_the_end_of_training_and_of_a_series():
    model = small(ridge=1e-8).fit(WAVE[:599], WAVE[1:600])
    np.testing.assert_allclose(model.forecast(20), WAVE[600:620], atol=0.05)
    np.testing.assert_allclose(model.forecast(20, WAVE[100:500]), WAVE[500:520], atol=0.05)


def test_forecast_with_feedback():
    model = small(feedback=True, ridge=1e-6).fit(WAVE[:599], WAVE[1:600])
    np.testing.assert_allclose(model.forecast(10), WAVE[600:610], atol=0.1)
    assert model.predict(WAVE[:50]).shape == (50, 2)


def test_feedback_along_a_given_series_is_its_own_rows():
    model = small(feedback=True, ridge=1e-6, dtype="float64").fit(WAVE[:599], WAVE[1:600])
    # Training ended on these rows with the same feedback, so both go on alike.
    np.testing.assert_allclose(model.forecast(30, WAVE[:600]), model.forecast(30), atol=1e-9)
    both = model.forecast(10, [WAVE[:600], WAVE[:300]])
    np.testing.assert_allclose(both[0], model.forecast(10), atol=1e-9)
    part, h = model.reservoir_.parts[0], np.zeros(80)
    W = part.recurrent.dense()
    W_in, W_fb, b = host(part.W_in), host(part.W_fb), host(part.b)
    for t, row in enumerate(WAVE[:300]):
        back = row if t else np.zeros(2)  # the output of the step before
        h = np.tanh(W @ h + W_in @ row + W_fb @ back + b)
    first = host(model.readout_.coef) @ h + host(model.readout_.intercept)
    np.testing.assert_allclose(both[1][0], first, atol=1e-9)


def test_many_series_are_forecast_side_by_side_as_each_alone():
    model = small(ridge=1e-8, dtype="float64").fit(WAVE[:599], WAVE[1:600])
    starts = np.stack([WAVE[:300], WAVE[100:400], WAVE[200:500]])
    together = model.forecast(20, starts)
    assert together.shape == (3, 20, 2)
    for i, start in enumerate(starts):
        np.testing.assert_allclose(together[i], model.forecast(20, start), atol=1e-6)
    ragged = model.forecast(5, [WAVE[:300], WAVE[:123]])
    np.testing.assert_allclose(ragged[1], model.forecast(5, WAVE[:123]), atol=1e-6)


@pytest.mark.parametrize("feedback", [False, True])
def test_forecast_on_inputs_that_are_known(feedback):
    u = RNG.normal(size=(900, 3))
    y = np.convolve(u[:, 0], [0.5, 0.3, 0.2])[:900, None]
    model = small(feedback=feedback, washout=50, dtype="float64", units=100, input_scaling=0.2)
    model.fit(u[:700], y[:700])
    with pytest.raises(ValueError, match=r"3. Fit on .* inputs of shape \(10, 3\)"):
        model.forecast(10)
    for start in (None, u[:700]):
        found = model.forecast(50, start, inputs=u[700:750])
        assert found.shape == (50, 1)
        np.testing.assert_allclose(found, y[700:750], atol=0.15)
    both = model.forecast(5, u[:700].reshape(2, 350, 3), inputs=u[700:705])
    assert both.shape == (2, 5, 1)
    with pytest.raises(ValueError, match=r"inputs must have shape \(10, 3\)"):
        model.forecast(10, inputs=u[700:705])
    with pytest.raises(ValueError, match="inputs contains NaN"):
        model.forecast(1, inputs=[[np.nan, 0, 0]])


@pytest.mark.parametrize("n_steps", [0, 2.5, True])
def test_forecast_asks_for_a_whole_number_of_steps(n_steps):
    with pytest.raises(ValueError, match="n_steps must be an integer of at least 1"):
        small().fit(WAVE[:99], WAVE[1:100]).forecast(n_steps)


def test_forecast_before_fit_says_so():
    with pytest.raises(NotFittedError):
        small().forecast(5)


def test_plasticity_tunes_the_units_before_the_readout():
    plain = small().fit(WAVE[:300], WAVE[1:301])
    tuned = small(plasticity=3).fit(WAVE[:300], WAVE[1:301])
    given = small(plasticity=IntrinsicPlasticity(epochs=3)).fit(WAVE[:300], WAVE[1:301])
    assert not np.allclose(tuned.states(WAVE), plain.states(WAVE), atol=1e-3)
    np.testing.assert_array_equal(tuned.predict(WAVE), given.predict(WAVE))
    again = pickle.loads(pickle.dumps(tuned))
    np.testing.assert_array_equal(again.predict(WAVE), tuned.predict(WAVE))
    assert small(plasticity=1, feedback=True).fit(WAVE[:99], WAVE[1:100]).score(WAVE, WAVE) < 1


def test_rows_held_out_choose_the_penalty_and_all_rows_are_fitted():
    path, cut = (1e-8, 1e-3, 1e2), 20 + 400 - 100
    noisy = WAVE + 0.3 * RNG.normal(size=WAVE.shape)
    model = small(ridge=path, validation_fraction=0.25, dtype="float64")
    model.fit(noisy[:420], noisy[1:421])
    for penalty in path:
        alone = small(ridge=penalty, dtype="float64").fit(noisy[:cut], noisy[1 : cut + 1])
        error = alone.predict(noisy[:420])[cut:] - noisy[cut + 1 : 421]
        assert model.readout_.scores[penalty] == pytest.approx((error**2).mean(), rel=1e-4)
    best = min(path, key=model.readout_.scores.get)
    assert model.readout_.penalty == best
    whole = small(ridge=best, dtype="float64").fit(noisy[:420], noisy[1:421])
    np.testing.assert_allclose(model.predict(noisy), whole.predict(noisy), atol=1e-7)


def test_nothing_leaks_from_one_series_into_the_next():
    model = small().fit(WAVE[:300], WAVE[1:301])
    alone = model.predict(WAVE[300:400])
    model.predict(RNG.normal(size=(50, 2)))
    np.testing.assert_array_equal(model.predict(WAVE[300:400]), alone)
    first, second = model.predict([WAVE[:77], WAVE[300:400]])
    np.testing.assert_allclose(second, alone, atol=1e-5)
    assert first.shape == (77, 2)


def test_many_series_of_any_lengths_train_as_their_rows_do():
    lengths = (100, 250, 100)
    X = [WAVE[i : i + n] for i, n in zip((0, 100, 400), lengths, strict=True)]
    Y = [WAVE[i + 1 : i + n + 1] for i, n in zip((0, 100, 400), lengths, strict=True)]
    model = small(dtype="float64").fit(X, Y)
    states = np.concatenate([s[20:] for s in model.states(X)])
    wanted = np.concatenate([y[20:] for y in Y])
    centred = states - states.mean(axis=0)
    coef = np.linalg.solve(
        centred.T @ centred + 1e-6 * np.eye(80), centred.T @ (wanted - wanted.mean(axis=0))
    )
    np.testing.assert_allclose(
        states @ host(model.readout_.coef).T + host(model.readout_.intercept),
        centred @ coef + wanted.mean(axis=0),
        atol=1e-5,
    )
    stack = small().fit(np.stack([X[0], X[2]]), np.stack([Y[0], Y[2]]))
    assert stack.predict(np.stack([X[0], X[2]])).shape == (2, 100, 2)


def test_partial_fit_of_parts_is_a_fit_of_the_whole():
    parts = [(WAVE[a : a + 200], WAVE[a + 1 : a + 201]) for a in (0, 200, 400)]
    whole = small(dtype="float64").fit([x for x, _ in parts], [y for _, y in parts])
    online = small(dtype="float64")
    for x, y in parts:
        online.partial_fit(x, y)
    np.testing.assert_allclose(online.predict(WAVE), whole.predict(WAVE), atol=1e-6)


def test_a_path_of_penalties_is_scored_and_the_best_is_kept():
    model = small(ridge=(1e-8, 1e-2, 1e4)).fit(WAVE[:300], WAVE[1:301])
    assert set(model.readout_.scores) == {1e-8, 1e-2, 1e4}
    assert model.readout_.penalty == min(model.readout_.scores, key=model.readout_.scores.get)


def test_pickle_clone_pipeline_and_search():
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(
        pipeline,
        {"echostateregressor__spectral_radius": [0.5, 0.95]},
        cv=TimeSeriesSplit(3),
        error_score="raise",
    )
    assert search.fit(WAVE[:400], WAVE[1:401]).best_score_ > 0.9
    model = small().fit(WAVE[:300], WAVE[1:301])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.forecast(10), model.forecast(10))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("form", ["stack", "equal list", "unequal list"])
def test_the_score_of_many_series_is_that_of_their_steps_together(form, flat):
    starts, lengths = (0, 150, 300), (90, 90, 120 if form == "unequal list" else 90)
    X = [WAVE[i : i + n] for i, n in zip(starts, lengths, strict=True)]
    Y = [
        WAVE[i + 1 : i + n + 1, 0 if flat else slice(None)]
        for i, n in zip(starts, lengths, strict=True)
    ]
    given = (np.stack(X), np.stack(Y)) if form == "stack" else (X, Y)
    model = small(washout=30, ridge=1e-2).fit(*given)
    truth, guess = np.concatenate(Y), np.concatenate(model.predict(X))
    assert truth.shape == guess.shape
    assert model.score(*given) == pytest.approx(r2_score(truth, guess), abs=1e-6)
    weights = [np.where(np.arange(n) < 30, 0.0, 1.0) for n in lengths]
    kept = np.concatenate(weights) > 0
    assert model.score(*given, sample_weight=weights) == pytest.approx(
        r2_score(truth[kept], guess[kept]), abs=1e-6
    )


def test_many_series_are_cross_validated_and_searched():
    X = [WAVE[i : i + 80 + i % 7] for i in range(0, 600, 100)]
    Y = [WAVE[i + 1 : i + 81 + i % 7] for i in range(0, 600, 100)]
    scores = cross_val_score(small(), X, Y, cv=3)
    assert scores.shape == (3,)
    assert (scores > 0.3).all()
    grid = {"input_scaling": [0.1, 1.0]}
    search = GridSearchCV(small(), grid, cv=3, error_score="raise").fit(
        np.stack([x[:80] for x in X]), np.stack([y[:80] for y in Y])
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="one entry per series of X, 6; got 5"):
        small().fit(X, Y).score(X, Y[:5])


@pytest.mark.parametrize("readout", ["ridge", "rls"])
def test_a_pickle_holds_what_partial_fit_needs_only_after_partial_fit(readout):
    X, Y = WAVE[:300], WAVE[1:301]
    fitted = small(units=200, readout=readout).fit(X, Y)
    pickled = pickle.dumps(fitted)
    assert len(pickled) < 200 * 200 * 8 / 4  # X^T X is not there
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.predict(WAVE), fitted.predict(WAVE))
    with pytest.raises(ValueError, match=r"Fit again .* or call partial_fit before pickling"):
        again.partial_fit(X, Y)
    again.fit(X, Y).partial_fit(X, Y)
    online = small(units=200, readout=readout).partial_fit(X, Y)
    for model in (online, again, fitted.partial_fit(X, Y)):
        copy = pickle.loads(pickle.dumps(model))
        first, second = model.partial_fit(X, Y), copy.partial_fit(X, Y)
        np.testing.assert_array_equal(host(first.readout_.coef), host(second.readout_.coef))


def test_no_two_runs_have_the_same_noise(monkeypatch):
    seeds = []
    block = Reservoir.block

    def spy(self, u, h, feedback=None, noise_seed=None, first=0):
        seeds.append((noise_seed, first))
        return block(self, u, h, feedback, noise_seed, first)

    monkeypatch.setattr(Reservoir, "block", spy)
    X, Y = [WAVE[:50], WAVE[:60]], [WAVE[:50], WAVE[:60]]
    model = small(noise=0.1).fit(X, Y).partial_fit(X, Y)
    pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
    assert len(set(seeds)) == len(seeds) == 6
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        host(again.partial_fit(X, Y).readout_.coef), host(model.partial_fit(X, Y).readout_.coef)
    )
    seeds.clear()
    EchoStateClassifier(20, noise=0.1).fit([*X, *X], ["a", "b", "b", "a"])
    assert len(set(seeds)) == len(seeds) == 2
    seeds.clear()
    model.predict(X)
    assert set(seeds) == {(None, 0)}


def test_the_same_seed_gives_the_same_model():
    first, second = (small(noise=0.01).fit(WAVE[:200], WAVE[1:201]) for _ in range(2))
    assert_array_equal(first.readout_.coef, second.readout_.coef)


@pytest.mark.parametrize("units", [(40, 30), (20, 20, 20)])
@pytest.mark.parametrize("arrangement", ["deep", "grouped"])
def test_several_reservoirs_join_their_states(units, arrangement):
    model = small(units=units, arrangement=arrangement).fit(WAVE[:400], WAVE[1:401])
    assert model.states(WAVE[:50]).shape == (50, sum(units))
    assert model.score(WAVE[400:-1], WAVE[401:]) > 0.9


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"leak_rate": 0}, r"leak_rate must be a number in \(0, 1\]; got 0"),
        ({"spectral_radius": -1}, "spectral_radius must be a number"),
        ({"ridge": -1}, "ridge must be a number"),
        ({"ridge": np.inf}, r"ridge must be a number in \[0, inf\); got inf"),
        ({"units": ()}, r"units must be an integer of at least 1, or a tuple of them.*got \(\)"),
        ({"ridge": ()}, "a sequence of penalties; got an empty one"),
        ({"plasticity": -1}, "plasticity must be an integer of at least 0"),
        ({"plasticity": 1, "activation": "relu"}, "plasticity needs activation='tanh'"),
        ({"validation_fraction": 0.95}, "validation_fraction must be a number in"),
        ({"validation_fraction": 0.2}, "set ridge to a sequence"),
        (
            {"washout": 100},
            "washout must be less than the length of every series, 100; got 100. Lower washout",
        ),
        ({"topology": "star"}, "topology must be one of"),
        ({"readout": "svm"}, "readout must be one of"),
        ({"readout": 3}, "readout must have the methods fit and predict"),
        ({"activation": "sine"}, "activation must be one of"),
        ({"arrangement": "wide"}, "arrangement must be one of"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"random_state": -1}, "random_state must be a non-negative integer"),
        ({"device": "tpu"}, "device must be one of"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_parameters_out_of_range_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        small(**params).fit(WAVE[:100], WAVE[1:101])


def test_a_misspelt_parameter_is_an_error():
    with pytest.raises(TypeError, match="spectral_raduis"):
        EchoStateRegressor(spectral_raduis=0.9)


def test_series_that_do_not_fit_are_named():
    model = small().fit(WAVE[:100], WAVE[1:101])
    with pytest.raises(ValueError, match=r"every series must have 2 features; X\[1\] has 1"):
        model.predict([WAVE[:50], WAVE[:50, :1]])
    with pytest.raises(ValueError, match=r"y\[1\] must have shape"):
        model.fit([WAVE[:50], WAVE[:60]], [WAVE[:50], WAVE[:50]])
    with pytest.raises(ValueError, match="one entry per series of X, 2; got 1"):
        model.fit([WAVE[:50], WAVE[:60]], [WAVE[:50]])
    with pytest.raises(ValueError, match=r"Fit on \(x\[:-1\], x\[1:\]\)"):
        small().fit(WAVE[:100], WAVE[1:101, 0]).forecast(5)


def objects(*arrays):
    found = np.empty(len(arrays), object)
    found[:] = arrays
    return found


ONE = WAVE[:, 0]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([ONE[:50], ONE[:60]], "1-D arrays of different lengths"),
        ([ONE[:50], ONE[:50]], "a list of 1-D arrays"),
        ([WAVE[:50], ONE[:60]], r"as others in X are; X\[1\] has 1 axes"),
        ([ONE[:60], WAVE[:50]], r"X\[0\] has 1 axes"),
        ([WAVE[:50], [[1.0], [1.0, 2.0]]], r"X\[1\] is ragged"),
        (objects(WAVE[:50], WAVE[:60]), r"list\(X\)"),
        (objects(ONE[:50], ONE[:60]), r"list\(X\)"),
    ],
    ids=range(7),
)
def test_series_in_another_form_are_told_how_to_be_reshaped(X, words):
    with pytest.raises(ValueError, match=words) as first:
        small().fit(X, [ONE[:50], ONE[:60]])
    assert "x.reshape(-1, 1) for x in X" in str(first.value)
    with pytest.raises(ValueError, match=words):
        small().fit(WAVE[:100], ONE[:100]).predict(X)
    if "a list of 1-D" not in words:  # for a classifier each is a series
        with pytest.raises(ValueError, match=words):
            EchoStateClassifier(20).fit(X, ["a", "b"])


def test_targets_that_are_none_are_named():
    with pytest.raises(ValueError, match="y must have one entry per series of X, 2; got None"):
        small().fit([WAVE[:50], WAVE[:60]], None)


def test_rows_as_lists_are_one_series():
    by_list = small().fit(WAVE[:99].tolist(), WAVE[1:100].tolist())
    by_array = small().fit(WAVE[:99], WAVE[1:100])
    np.testing.assert_array_equal(by_list.predict(WAVE), by_array.predict(WAVE))
