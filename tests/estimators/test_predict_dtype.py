"""The type in which perceptrons compute their predictions, and when their weights are merged."""

import copy
import json
import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    SeedGatedClassifier,
    TrainingDiverged,
    attach,
    container,
    export_onnx,
    load,
    predict_many,
    save,
)

on_host = pytest.mark.host(reason="a device predicts in the type of its network")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 20)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
SETTINGS = {"hidden_layer_sizes": (32, 16), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return DeepReservoirClassifier(**SETTINGS).fit(X, LABELS)


@pytest.fixture
def model(fitted):
    return copy.deepcopy(fitted)


def logits(model, X, dtype=np.float64):
    """Logits without merged weights."""
    return model.network_.outputs(X, dtype)


@on_host
def test_float64_is_the_default_and_rows_are_independent(model):
    rows = model.predict_proba(X.astype(np.float64))
    assert rows.dtype == np.float64
    alone = np.concatenate([model.predict_proba(row[None].astype(np.float64)) for row in X[:20]])
    np.testing.assert_allclose(alone, rows[:20], rtol=1e-13)
    decision = model.decision_function(X.astype(np.float64))
    np.testing.assert_allclose(decision, logits(model, X), rtol=1e-10, atol=1e-12)


@on_host
def test_float32_is_chosen_before_or_after_the_fit(model):
    expected = model.predict_proba(X)
    model.set_params(predict_dtype="float32")
    found = model.predict_proba(X)
    assert found.dtype == np.float32
    assert (found != expected).any()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    again = DeepReservoirClassifier(**SETTINGS, predict_dtype="float32").fit(X, LABELS)
    np.testing.assert_array_equal(again.predict_proba(X), found)
    assert again.predict_proba(X.astype(np.float64)).dtype == np.float64
    model.set_params(predict_dtype="float64")
    np.testing.assert_array_equal(model.predict_proba(X), expected)


@on_host
def test_the_choice_does_not_change_the_training(model):
    other = clone(model).set_params(predict_dtype="float32").fit(X, LABELS)
    np.testing.assert_array_equal(other.network_.theta, model.network_.theta)
    assert other.history_ == model.history_


def test_another_dtype_is_refused(model):
    message = "predict_dtype must be one of .*float32.*float64.*; got 'float16'"
    with pytest.raises(ValueError, match=message):
        DeepReservoirClassifier(predict_dtype="float16").fit(X, LABELS)
    with pytest.raises(ValueError, match=message):
        model.set_params(predict_dtype="float16").predict(X)


def test_regressors_and_sparse_rows(model):
    y = X[:, 0] * 3 + 5
    regressor = DeepReservoirRegressor(**SETTINGS, predict_dtype="float32").fit(X, y)
    exact = clone(regressor).set_params(predict_dtype="float64").fit(X, y)
    np.testing.assert_allclose(regressor.predict(X), exact.predict(X), rtol=1e-4, atol=1e-4)
    sparse = scipy.sparse.csr_matrix(X)
    np.testing.assert_array_equal(regressor.predict(sparse), regressor.predict(X))


@on_host
def test_every_task_of_a_gated_classifier_is_merged():
    task = np.arange(len(X)) % 2
    model = SeedGatedClassifier((16,), max_iter=2, random_state=0).fit(X, LABELS, task)
    found = model.decision_function(X.astype(np.float64), task)
    for name, network in model.networks_.items():
        rows = task == name
        np.testing.assert_allclose(found[rows], network.outputs(X[rows], np.float64), rtol=1e-9)


@on_host
def test_predictions_follow_all_changes_of_the_parameters(model):
    before = model.predict_proba(X)
    model.partial_fit(X, LABELS)
    trained = model.predict_proba(X)
    assert (trained != before).any()
    model.network_.theta[:] = 0.5 * model.network_.theta
    found = model.decision_function(X.astype(np.float64))
    np.testing.assert_allclose(found, logits(model, X), rtol=1e-9, atol=1e-12)
    model.set_params(warm_start=True, max_iter=1).fit(X, LABELS)
    found = model.decision_function(X.astype(np.float64))
    np.testing.assert_allclose(found, logits(model, X), rtol=1e-9, atol=1e-12)


def test_a_failed_partial_fit_restores_predictions(model):
    before = model.predict_proba(X)
    with pytest.raises(TrainingDiverged):
        model.set_params(learning_rate_init=1e38).partial_fit(X, LABELS)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_predicting_changes_neither_pickle_nor_file_nor_graph(model, tmp_path):
    pytest.importorskip("onnx")

    def everything(name):
        save(model, tmp_path / name)
        export_onnx(model, tmp_path / f"{name}.onnx")
        return [
            pickle.dumps(model),
            (tmp_path / name).read_bytes(),
            (tmp_path / f"{name}.onnx").read_bytes(),
        ]

    before = everything("before")
    model.predict(X)
    assert everything("after") == before


def test_files_keep_the_choice_and_older_ones_get_float64(model, tmp_path):
    model.set_params(predict_dtype="float32")
    path = save(model, tmp_path / "m.safetensors")
    found = load(path)
    assert found.predict_dtype == "float32"
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    contents = container.read(path)
    assert json.dumps(contents.document["params"]).count("predict_dtype") == 1
    del contents.document["params"]["predict_dtype"]
    container.write(tmp_path / "older.safetensors", contents)
    assert load(tmp_path / "older.safetensors").predict_dtype == "float64"


def test_attached_models_keep_their_adapters_alone(model, tmp_path):
    path = save(model, tmp_path / "m.safetensors")
    found = attach(model, path)
    assert found.network_.attached
    assert not model.network_.attached
    assert found.network_.for_predictions(np.float64) is found.network_
    np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=1e-6)
    names = np.where(np.arange(len(X)) % 2, "a", "b")
    labels = predict_many({"a": model, "b": found}, X, names)
    np.testing.assert_array_equal(labels, model.predict(X))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_entries_that_are_not_finite_are_refused(model, bad):
    rows = X[:3].copy()
    rows[1, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.predict(rows)


def test_finite_rows_whose_sum_overflows_are_accepted(model):
    rows = X[:2].copy()
    rows[0, :2] = 3e38
    with np.errstate(over="ignore", invalid="ignore"):
        assert model.predict(rows).shape == (2,)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (X[:2, :5], "5 features"),
        (X[:0], "minimum of 1"),
        (X[0], "Expected 2D array"),
        (np.full((2, 20), "a"), "numeric|convert"),
    ],
)
def test_rows_of_another_form_are_refused(model, rows, message):
    with pytest.raises(ValueError, match=message):
        model.predict(rows)


def test_rows_in_other_layouts_and_types_get_the_same_predictions(model):
    expected = model.predict_proba(X.astype(np.float64))
    other = [np.asfortranarray(X, np.float64), X.astype(np.float64)[:, ::-1][:, ::-1], X.tolist()]
    for rows in other:
        np.testing.assert_allclose(model.predict_proba(rows), expected, rtol=1e-12)


def test_an_array_warns_where_names_of_features_were_seen():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(20)])
    model = DeepReservoirClassifier((8,), max_iter=1, random_state=0).fit(frame, LABELS)
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)


def test_models_side_by_side_predict_in_one_type(model):
    other = copy.deepcopy(model).set_params(predict_dtype="float32")
    with pytest.raises(ValueError, match="in one type; got float32 and float64"):
        predict_many({0: model, 1: other}, X[:2], [0, 1])
    model.set_params(predict_dtype="float32")
    labels = predict_many({0: model, 1: other}, X, np.arange(len(X)) % 2)
    np.testing.assert_array_equal(labels, model.predict(X))
