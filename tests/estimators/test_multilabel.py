"""Multi-label targets: indicator matrices, one probability per label."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from deepreservoir import DeepReservoirClassifier, fit_many, load, predict_many, save
from deepreservoir.losses import BinaryCrossEntropy

X, Y = make_multilabel_classification(n_samples=150, n_classes=4, n_features=10, random_state=0)
X = X / X.max(axis=0)


PLAIN = {"activation": "relu", "dropout": 0.0, "adapter_dropout": 0.0, "ema_decay": None}


def model(**params):
    defaults = {"rank": 2, "max_iter": 60, "random_state": 0, "batch_size": 25, **PLAIN}
    return DeepReservoirClassifier((32,), **{**defaults, "learning_rate_init": 0.01, **params})


def test_each_label_has_a_probability_and_a_prediction():
    fitted = model(max_iter=150).fit(X, Y)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == Y.shape
    assert (probabilities.sum(axis=1) > 1.01).any()
    labels = fitted.predict(X)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, probabilities > 0.5)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), probabilities)
    unsmoothed = model(max_iter=5, label_smoothing=0.0).fit(X, Y)
    sigmoids = 1 / (1 + np.exp(-unsmoothed.decision_function(X)))
    np.testing.assert_allclose(sigmoids, unsmoothed.predict_proba(X))
    np.testing.assert_array_equal(fitted.classes_, np.arange(4))
    assert (fitted.n_outputs_, fitted.out_activation_) == (4, "logistic")
    always = (Y.mean(axis=0) > 0.5) == Y
    assert (labels == Y).mean() > always.mean() + 0.1
    assert get_tags(fitted).classifier_tags.multi_label


def test_a_label_is_learned_as_if_it_were_the_only_one():
    # Without hidden layers the labels share nothing.
    def fitted(y):
        params = {"optimizer": "lbfgs", "dtype": "float64", "tol": 1e-9, "max_iter": 2000}
        params["label_smoothing"] = 0.0
        return DeepReservoirClassifier((), **params, weight_decay=0.01, random_state=0).fit(X, y)

    together, alone = fitted(Y), fitted(Y[:, 2])
    np.testing.assert_allclose(
        together.predict_proba(X)[:, 2], alone.predict_proba(X)[:, 1], atol=1e-4
    )


def test_the_loss_is_summed_over_the_labels():
    outputs, targets = np.random.default_rng(0).normal(size=(3, 4)), Y[:3].astype(float)
    value, gradient = BinaryCrossEntropy()(outputs, targets)
    each = [BinaryCrossEntropy()(outputs[:, [i]], targets[:, [i]]) for i in range(4)]
    np.testing.assert_allclose(value, sum(v for v, _ in each))
    np.testing.assert_allclose(gradient, np.hstack([g for _, g in each]))


@pytest.mark.parametrize(
    "form",
    [np.asarray, lambda y: y.astype(bool), lambda y: y.astype(float), pd.DataFrame,
     scipy.sparse.csr_matrix, lambda y: y.tolist()],
    ids=["int", "bool", "float", "frame", "sparse", "list"],
)  # fmt: skip
def test_the_matrix_may_have_any_form(form):
    expected = model(max_iter=3).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(model(max_iter=3).fit(X, form(Y)).predict_proba(X), expected)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y * 2 - 1, "indicator matrix, 1 for the labels.* got values such as"),
        (Y * 2, "indicator matrix, 1 for the labels"),
        (Y + np.arange(4), "1d array|multiclass-multioutput"),
    ],
    ids=["signs", "twos", "classes"],
)
def test_other_matrices_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        model().fit(X, y)


def test_class_weights_are_refused_and_sample_weights_count():
    with pytest.raises(ValueError, match="class_weight weights the classes of samples with one"):
        model(class_weight="balanced").fit(X, Y)
    weights = np.random.default_rng(0).integers(0, 3, size=150)
    repeated = np.repeat(np.arange(150), weights)
    one = model(batch_size=1000, max_iter=5).fit(X, Y, sample_weight=weights)
    other = model(batch_size=1000, max_iter=5).fit(X[repeated], Y[repeated])
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_files_and_pickles_keep_it(tmp_path):
    fitted = model(max_iter=5, label_smoothing=0.1).fit(X, Y)
    for again in (load(save(fitted, tmp_path / "m")), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(again.classes_, np.arange(4))
        again.set_params(early_stopping=False).partial_fit(X, Y)
        with pytest.raises(ValueError, match=r"must have 4 columns, .*; got 3"):
            again.partial_fit(X, Y[:, :3])
        with pytest.raises(ValueError, match="indicator matrix with 4 columns, as before"):
            again.partial_fit(X, Y[:, 0])


def test_partial_fit_takes_the_numbers_of_the_columns():
    fitted = model()
    with pytest.raises(ValueError, match="classes must be given on the first call"):
        fitted.partial_fit(X, Y)
    fitted.partial_fit(X[:30], Y[:30], classes=[0, 1, 2, 3])
    fitted.partial_fit(X[30:], Y[30:], classes=range(4))
    assert fitted.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="must have 3 columns"):
        model().partial_fit(X, Y, classes=[0, 1, 2])


def test_early_stopping_holds_out_rows_without_strata():
    fitted = model(early_stopping=True, max_iter=10).fit(X, Y)
    assert len(fitted.validation_scores_) == fitted.n_iter_
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)


def test_models_are_fitted_and_predict_side_by_side():
    models = [model(max_iter=3, rank=r) for r in (1, 2)]
    together = fit_many([clone(m) for m in models], X, Y)
    for one, other in zip(models, together, strict=True):
        assert one.fit(X, Y).network_.theta.tobytes() == other.network_.theta.tobytes()
    names = np.arange(150) % 2
    labels = predict_many(dict(enumerate(together)), X, names)
    expected = np.where((names == 0)[:, None], *(m.predict(X) for m in together))
    np.testing.assert_array_equal(labels, expected)


def test_it_works_in_a_search_over_pipelines():
    pipeline = make_pipeline(StandardScaler(), model(max_iter=5))
    search = GridSearchCV(pipeline, {"deepreservoirclassifier__rank": [1, 2]}, cv=2).fit(X, Y)
    assert search.predict(X).shape == Y.shape


def test_exports_give_probabilities_of_labels(tmp_path):
    ort = pytest.importorskip("onnxruntime")
    from deepreservoir import export_onnx

    fitted = model(max_iter=5).fit(X, Y)
    path = export_onnx(fitted, tmp_path / "m.onnx")
    label, probabilities = ort.InferenceSession(path).run(None, {"X": X.astype(np.float32)})
    np.testing.assert_allclose(probabilities, fitted.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(label, fitted.predict(X))
