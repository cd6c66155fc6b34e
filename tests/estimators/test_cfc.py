"""Closed-form continuous-time estimators as their users meet them."""

import numpy as np
import pytest
from series_tools import classifier, irregular, regressor

from deepreservoir import (
    irregular_series,
    load,
    save,
)

pytestmark = pytest.mark.host(reason="tests/device/test_cfc_devices.py compares device and host")


@pytest.fixture(scope="module")
def data():
    return irregular()


def padded(X, times):
    """Return series as one array (n, time, channels), with NaN beyond their ends."""
    longest = max(map(len, X))
    values = np.full((len(X), longest, X[0].shape[1]), np.nan)
    stamps = np.zeros((len(X), longest))
    for i, (x, t) in enumerate(zip(X, times, strict=True)):
        values[i, : len(x)], stamps[i, : len(t)] = x, t
    return values, stamps


# Learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
def test_learns_from_values(adapter):
    X, times, _ = irregular(120)
    y = np.random.default_rng(1).uniform(size=120) < 0.5
    X = [x + 4 * label for x, label in zip(X, y, strict=True)]
    model = classifier(max_iter=15, adapter=adapter).fit(X[:80], y[:80], times=times[:80])
    assert model.score(X[80:], y[80:], times=times[80:]) > 0.85
    assert model.classes_.tolist() == [False, True]
    assert model.network_.config.n_outputs == 2  # a logit for each of two classes


def test_learns_from_times_alone():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 120)
    times = [np.cumsum(random.uniform(1, 2, 8) * (1 + 2 * label)) for label in y]
    X = np.ones((120, 8, 1))
    model = classifier(max_iter=15).fit(X[:80], y[:80], times=times[:80])
    assert model.score(X[80:], y[80:], times=times[80:]) > 0.9
    assert model.score(X[80:], y[80:]) < 0.7


def test_three_classes_and_labels_that_are_strings(data):
    X, times, y = data
    names = np.array(["low", "high", "other"])[np.where(np.arange(len(y)) < 8, 2, y)]
    model = classifier().fit(X, names, times=times)
    assert set(model.predict(X, times=times)) <= set(names)
    assert model.decision_function(X, times).shape == (len(X), 3)
    np.testing.assert_allclose(model.predict_proba(X, times).sum(axis=1), 1)


def test_probabilities_of_two_classes(data):
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    margin = model.decision_function(X, times)
    assert margin.shape == (len(X),)
    np.testing.assert_allclose(
        model.predict_proba(X, times)[:, 1], 1 / (1 + np.exp(-margin)), rtol=1e-9
    )
    np.testing.assert_array_equal(model.predict(X, times), (margin > 0).astype(int))


def test_regression_of_several_numbers(data):
    X, times, _ = irregular(200)
    y = np.array([[np.nanmean(x[:, 0]), 100 * x[-1, 0] + len(x)] for x in X])
    model = regressor(max_iter=60, units=16, rank=4).fit(X, y, times=times)
    assert model.predict(X, times).shape == (200, 2)
    assert model.score(X, y, times=times) > 0.7
    assert regressor().fit(X, y[:, 0]).predict(X).shape == (200,)


# Forms of X ------------------------------------------------------------------------------


def frames(X, times, pd):
    return [
        pd.DataFrame(x, columns=["a", "b"], index=pd.Index(t, name="hours"))
        for x, t in zip(X, times, strict=True)
    ]


def test_every_form_of_x_is_read_alike(data):
    pd = pytest.importorskip("pandas")
    X, times, y = data
    expected = classifier().fit(X, y, times=times).predict_proba(X, times)
    values, stamps = padded(X, times)
    forms = {
        "array": (values, stamps),
        "frames": (frames(X, times, pd), None),
        "checked": (irregular_series(X, times), None),
        "lists": ([x.tolist() for x in X], [t.tolist() for t in times]),
    }
    for form, at in forms.values():
        model = classifier().fit(form, y, times=at)
        np.testing.assert_array_equal(model.predict_proba(form, at), expected)
    assert model.n_features_in_ == 2


def test_dates_are_seconds(data):
    pd = pytest.importorskip("pandas")
    X, times, y = data
    whole = [np.floor(1000 * t).astype(int) for t in times]
    start = pd.Timestamp("2026-03-01", tz="Europe/Berlin")
    dated = [
        pd.DataFrame(x, columns=["a", "b"], index=start + pd.to_timedelta(t, unit="ms"))
        for x, t in zip(X, whole, strict=True)
    ]
    model = classifier(time_scale=1.0).fit(dated, y)
    seconds = [t / 1000 for t in whole]
    np.testing.assert_allclose(
        model.predict_proba(X, seconds), model.predict_proba(dated), rtol=1e-9
    )
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="the columns b, a, but CfCClassifier is expecting a, b"):
        model.predict([frame[["b", "a"]] for frame in dated])


def test_rows_of_a_matrix_are_series_of_one_channel():
    X = np.random.default_rng(0).normal(size=(40, 6))
    y = (X.mean(axis=1) > 0).astype(int)
    model = classifier().fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict(X[:, :, None]))
    assert model.n_features_in_ == 1


def test_times_matter_and_their_unit_does_not(data):
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    assert (model.predict_proba(X) != model.predict_proba(X, times)).any()
    hours = [t / 3600 for t in times]
    again = classifier().fit(X, y, times=hours)
    np.testing.assert_allclose(
        again.predict_proba(X, hours), model.predict_proba(X, times), rtol=1e-4
    )
    # One vector of times for all series.
    values = np.random.default_rng(0).normal(size=(20, 5, 1))
    common = classifier().fit(values, y[:20], times=[0, 1, 3, 4, 9])
    assert common._reader.time_unit == 9 / 4


# The result of a series is its own ---------------------------------------------------------


def test_neither_padding_nor_other_series_change_a_result(data):
    X, times, y = data
    model = classifier(dtype="float64").fit(X, y, times=times)
    together = model.predict_proba(X, times)
    for i in range(12):
        alone = model.predict_proba(X[i : i + 1], times[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-12)
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = model.predict_proba([X[i] for i in order], [times[i] for i in order])
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-12)
    values, stamps = padded(X, times)
    values = np.concatenate([values, np.full((len(X), 30, 2), np.nan)], axis=1)
    stamps = np.concatenate([stamps, np.full((len(X), 30), np.nan)], axis=1)
    np.testing.assert_allclose(model.predict_proba(values, stamps), together, rtol=1e-12)


def test_labels_of_float32_networks_do_not_depend_on_the_batch(data):
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    labels = model.predict(X, times)
    alone = [model.predict(X[i : i + 1], times[i : i + 1])[0] for i in range(len(X))]
    np.testing.assert_array_equal(alone, labels)


# Scaling and filling -----------------------------------------------------------------------


def test_scaling_knows_training_series_only(data):
    X, times, y = data
    series = irregular_series(X, times)
    weights = np.ones(len(X))
    weights[:10] = 0
    model = classifier().fit(series, y, sample_weight=weights)
    expected = np.nanmean(np.concatenate(X[10:]), axis=0)
    np.testing.assert_allclose(model._reader.mean, expected, rtol=1e-12)
    np.testing.assert_allclose(model._reader.scale, np.nanstd(np.concatenate(X[10:]), axis=0))
    # Series that are held out do not affect it either: a huge one changes nothing but the score.
    stopping = classifier(early_stopping=True, validation_fraction=0.2).fit(series, y)
    means = stopping._reader.mean
    assert (means != np.nanmean(np.concatenate(X), axis=0)).all()
    from deepreservoir.estimators.base.data import split_rows

    trained_on, held_out = split_rows(len(X), 0.2, stopping._drawn[2], y)
    own = np.nanmean(np.concatenate([X[i] for i in trained_on]), axis=0)
    np.testing.assert_allclose(means, own, rtol=1e-12)
    assert len(held_out) == 12


@pytest.mark.parametrize(
    ("options", "width"),
    [
        ({}, 4),
        ({"masks": False}, 2),
        ({"forward_fill": False}, 4),
        ({"standardize": False}, 4),
        ({"clip": 0.5}, 4),
    ],
    ids=str,
)
def test_options_of_reading(data, options, width):
    X, times, y = data
    model = classifier(**options).fit(X, y, times=times)
    assert model.network_.config.n_inputs == width
    series = irregular_series(X, times)
    columns = model._reader.columns(series)
    assert columns.shape == (len(series.values), width)
    first = columns[: len(X[0])]
    observed = ~np.isnan(X[0])
    values = np.where(observed, X[0], np.nan)
    if options.get("forward_fill", True):
        for t in range(1, len(values)):
            values[t] = np.where(np.isnan(values[t]), values[t - 1], values[t])
    if options.get("standardize", True):
        values = (values - np.nanmean(np.concatenate(X), axis=0)) / np.nanstd(
            np.concatenate(X), axis=0
        )
    limit = options.get("clip", np.inf)
    values = np.clip(np.nan_to_num(values), -limit, limit)
    np.testing.assert_allclose(first[:, :2], values, atol=1e-12)
    if width == 4:
        np.testing.assert_array_equal(first[:, 2:], observed)


def test_a_channel_without_observations_is_zero(data):
    X, times, y = data
    empty = [np.column_stack([x, np.full(len(x), np.nan)]) for x in X]
    model = classifier().fit(empty, y, times=times)
    assert model._reader.columns(irregular_series(empty))[:, 2].tolist() == [0] * sum(map(len, X))


# Weights, stopping, continuing ---------------------------------------------------------------


def test_weights(data):
    X, times, y = data
    plain = classifier(max_iter=1).fit(X, y, times=times)
    kept = np.arange(len(X)) % 3 > 0
    some = classifier(max_iter=1).fit(
        [x for x, k in zip(X, kept, strict=True) if k],
        y[kept],
        times=[t for t, k in zip(times, kept, strict=True) if k],
    )
    weighted = classifier(max_iter=1).fit(X, y, sample_weight=kept.astype(float), times=times)
    np.testing.assert_array_equal(weighted.network_.theta, some.network_.theta)
    heavy = classifier(max_iter=1, class_weight={0: 1, 1: 20}).fit(X, y, times=times)
    balanced = classifier(max_iter=1, class_weight="balanced").fit(X, y, times=times)
    assert (heavy.network_.theta != plain.network_.theta).any()
    assert heavy.decision_function(X, times).mean() > plain.decision_function(X, times).mean()
    assert (balanced.network_.theta != plain.network_.theta).any()


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc"])
def test_early_stopping(data, scoring):
    X, times, y = data
    model = classifier(early_stopping=True, scoring=scoring, validation_fraction=0.3)
    model.fit(X, y, times=times)
    assert len(model.history_["validation_score"]) == 4
    assert all(0 <= score <= 1 for score in model.history_["validation_score"])


def test_roc_auc_is_the_one_of_scikit_learn(data):
    from sklearn.metrics import roc_auc_score

    from deepreservoir.estimators import SoftmaxLabels

    outputs = np.random.default_rng(0).normal(size=(30, 2))
    y = np.arange(30) % 2
    targets = SoftmaxLabels(scoring="roc_auc")
    encoded = targets.encode(y)
    expected = roc_auc_score(y, outputs[:, 1] - outputs[:, 0])
    assert targets.score(outputs, encoded, None) == expected
    with pytest.raises(ValueError, match="scoring='roc_auc' is for two classes; got 3 classes"):
        SoftmaxLabels(scoring="roc_auc").encode(np.arange(30) % 3)
    with pytest.raises(ValueError, match="scoring must be one of 'accuracy', 'roc_auc'"):
        classifier(scoring="auc").fit(*data[::2])


def test_it_goes_on(data, tmp_path):
    X, times, y = data
    model = classifier(warm_start=True).fit(X, y, times=times)
    again = load(save(model, tmp_path / "model.safetensors"))
    for each in (model, again):
        each.fit(X, y, times=times)
    np.testing.assert_array_equal(model.network_.theta, again.network_.theta)
    assert (model.n_iter_, len(model.loss_curve_)) == (4, 8)

    parts = classifier()
    for part in (slice(0, 30), slice(30, 60)):
        parts.partial_fit(X[part], y[part], classes=[0, 1], times=times[part])
    assert len(parts.loss_curve_) == 2
    numbers = regressor().partial_fit(X[:30], y[:30], times=times[:30])
    numbers.partial_fit(X[30:], y[30:], times=times[30:])
    assert len(numbers.loss_curve_) == 2


def test_a_checkpoint_continues_with_the_same_bits(data, tmp_path, monkeypatch):
    from deepreservoir.training import checkpoint as module

    X, times, y = data
    whole = classifier().fit(X, y, times=times)
    path = tmp_path / "run.checkpoint"

    class Killed(BaseException):
        pass

    saved = module.Checkpoint.save

    def killed_after(self, progress):
        saved(self, progress)
        raise Killed

    monkeypatch.setattr(module.Checkpoint, "due", property(lambda self: True))
    with monkeypatch.context() as patch:
        patch.setattr(module.Checkpoint, "save", killed_after)
        with pytest.raises(Killed):
            classifier().fit(X, y, checkpoint=path, times=times)
    assert path.exists()
    resumed = classifier().fit(X, y, checkpoint=path, times=times)
    np.testing.assert_array_equal(resumed.network_.theta, whole.network_.theta)


def test_an_evaluation_set_is_recorded_and_a_callback_ends_training():
    X, times, y = irregular()
    held_out = irregular_series(X[40:], times[40:])
    model = classifier(max_iter=9)
    model.fit(
        X[:40],
        y[:40],
        times=times[:40],
        eval_set=(held_out, y[40:]),
        callback=lambda end: end.epoch == 3,
    )
    assert len(model.history_["validation_score"]) == model.n_iter_ < 9
    score = model.score(X[40:], y[40:], times=times[40:])
    assert model.history_["validation_score"][-1] == pytest.approx(score)
