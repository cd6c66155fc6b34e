"""Probabilities of classifiers that were trained on smoothed labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepreservoir import DeepReservoirClassifier, export_onnx
from deepreservoir.estimators.base.label_smoothing import LEAST_SHARE, without_smoothing
from deepreservoir.kernels import log_softmax

SHARES = st.floats(0.01, 0.9)


@given(arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=SHARES), SHARES)
def test_probabilities_are_those_that_were_smoothed(p, smoothing):
    p = p / p.sum(axis=1, keepdims=True)
    q = (1 - smoothing) * p + smoothing / p.shape[1]
    kept = (1 - smoothing) * p > LEAST_SHARE * q
    if not kept.all():
        return
    found = np.exp(without_smoothing(np.log(q), smoothing))
    np.testing.assert_allclose(found, p, rtol=1e-9)


@given(arrays(float, (3, 4), elements=st.floats(-800, 800)), SHARES)
def test_probabilities_are_positive_ordered_and_sum_to_one(logits, smoothing):
    log_q = log_softmax(logits)
    log_p = without_smoothing(log_q, smoothing)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=1e-12)
    order = np.argsort(log_q, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(log_p, order, axis=1), axis=1) >= 0).all()


def test_two_classes_keep_the_order_of_samples():
    z = np.linspace(-40, 40, 2001)
    log_q = log_softmax(np.stack([np.zeros_like(z), z], axis=1))
    log_p = without_smoothing(log_q, 0.1)
    assert (np.diff(log_p[:1001, 1]) > 0).all()
    assert (np.diff(log_p[1000:, 0]) < 0).all()


def test_without_smoothing_nothing_changes():
    log_q = log_softmax(np.array([[0.0, 3.0]]))
    assert without_smoothing(log_q, 0.0) is log_q
    kept = without_smoothing(log_q.astype(np.float32), 0.1)
    assert kept.dtype == np.float32


@pytest.fixture(scope="module")
def noise():
    """Features that say nothing, and labels of which one in twenty is rare."""
    generator = np.random.default_rng(0)
    return generator.standard_normal((2000, 3)), (np.arange(2000) % 20 == 0).astype(int)


@pytest.mark.parametrize("extra", [0, 1], ids=["two classes", "three classes"])
def test_a_rare_class_is_as_probable_as_it_is_frequent(noise, extra):
    X, y = noise
    y = y + 2 * extra * (np.arange(len(y)) % 2)  # the rare ones are even rows
    model = DeepReservoirClassifier((16,), rank=2, max_iter=80, random_state=0).fit(X, y)
    assert model.label_smoothing == 0.1
    rates = np.bincount(y) / len(y)
    assert np.abs(model.predict_proba(X).mean(axis=0) - rates).max() < 0.01
    logits = model.decision_function(X)
    if extra == 0:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    smoothed = np.exp(log_softmax(logits)).mean(axis=0)
    assert smoothed[rates.argmin()] - rates.min() > 0.02  # the mean of what was trained
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_each_label_of_an_indicator_matrix_is_as_probable_as_it_is_frequent(noise):
    X, y = noise
    Y = np.stack([y, np.arange(len(y)) % 2], axis=1)
    model = DeepReservoirClassifier((16,), rank=2, max_iter=80, random_state=0).fit(X, Y)
    p = model.predict_proba(X)
    assert np.abs(p.mean(axis=0) - Y.mean(axis=0)).max() < 0.01
    np.testing.assert_array_equal(model.predict(X), p > 0.5)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "labels"])
def test_onnx_has_the_same_probabilities(kind, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    X = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    if kind == "labels":
        y = np.stack([y, X[:, 1] > 1], axis=1).astype(int)
    elif kind == "three classes":
        y += X[:, 1] > 0
    model = DeepReservoirClassifier((16,), max_iter=60, random_state=0).fit(X, y)
    session = runtime.InferenceSession(str(export_onnx(model, tmp_path / "m.onnx")))
    (found,) = session.run(["probabilities"], {"X": X})
    p = model.predict_proba(X)
    assert (p < 0.002).any()  # where only a share of the smoothed probability is kept
    assert (p > 0.5).any()
    np.testing.assert_allclose(found, p, atol=2e-6)
