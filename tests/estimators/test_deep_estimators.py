"""The two estimators as their users meet them."""

import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor
from deepreservoir.scaffold import FAMILIES


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, random_state=0)


@pytest.fixture(scope="module")
def two_digits(digits):
    X_train, X_test, y_train, y_test = digits
    train, test = y_train < 2, y_test < 2
    names = np.array(["zero", "one"])
    return X_train[train], X_test[test], names[y_train[train]], names[y_test[test]]


# Without what regularises the default networks, a few epochs are enough.
PLAIN = {
    "activation": "relu", "dropout": 0.0, "adapter_dropout": 0.0, "weight_decay": 0.01,
    "warmup": 0.0, "ema_decay": None, "label_smoothing": 0.0,
}  # fmt: skip


def small(**params):
    defaults = {"hidden_layer_sizes": (48, 24), "rank": 4, "max_iter": 20, "random_state": 0}
    defaults |= {"learning_rate_init": 0.01} | PLAIN
    return DeepReservoirClassifier(**{**defaults, **params})


@pytest.mark.slow
def test_learns_digits_well_above_its_controls(digits):
    X_train, X_test, y_train, y_test = digits
    model = DeepReservoirClassifier(random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.96
    model.network_ = model.network_.with_scaffold(model.scaffold_seed_ + 1)
    assert model.score(X_test, y_test) < 0.5


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_every_adapter_learns(digits, adapter):
    X_train, X_test, y_train, y_test = digits
    model = small(adapter=adapter).fit(X_train, y_train)
    assert model.score(X_test, y_test) > (0.6 if adapter == "none" else 0.9)


# What runs on a device depends on the kind of a family and not on its table.
OF_EACH_KIND = ("normal", "binary", "orthogonal", "spectral_radius", "hadamard", "kronecker")
EVERY_FAMILY = [
    pytest.param(name, marks=() if name in OF_EACH_KIND else pytest.mark.long_in_the_shim)
    for name in FAMILIES
    if name != "zero"
]


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_every_family_learns_with_unit_gain(digits, family):
    X_train, X_test, y_train, y_test = digits
    model = small(scaffold=family).fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.85
    assert model.network_.digests().keys() == {"layers.0", "layers.1"}


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "gelu", "layer_norm": True, "scaling": "rslora", "lora_alpha": 4},
        {"hidden_layer_sizes": (64, 64), "residual": True, "activation": "tanh"},
        {"dropout": 0.1, "adapter_dropout": 0.1, "bias": True, "activation": "silu"},
        {"head": "lora", "b_init": "kaiming"},
        {"head": "lora+bias", "beta": "fixed"},
        {"beta": 0.5, "optimizer": "sgd", "learning_rate_init": 0.05, "max_grad_norm": 1.0},
        {"optimizer": "adam", "schedule": "exponential", "warmup": 0.1, "ema_decay": 0.9},
        {"label_smoothing": 0.1, "class_weight": "balanced", "schedule": "constant"},
        {"storage": "streamed", "scaffold": "laplace"},
        {"storage": "packed", "scaffold": "binary", "scaffold_scale": "family"},
        {"dtype": "float64", "projection_cache": 0},
        {"early_stopping": True, "n_iter_no_change": 5, "batch_size": 32},
    ],
    ids=lambda options: ",".join(options),
)
def test_options_reach_training(digits, options):
    X_train, X_test, y_train, y_test = digits
    assert small(**options).fit(X_train, y_train).score(X_test, y_test) > 0.8


def test_same_seed_gives_the_same_adapter_bit_for_bit(digits):
    X_train, _, y_train, _ = digits
    options = {"dropout": 0.2, "early_stopping": True, "max_iter": 5}
    first, second = (small(**options).fit(X_train, y_train).network_.theta for _ in range(2))
    assert first.tobytes() == second.tobytes()
    other = small(**options, scaffold_seed=1).fit(X_train, y_train)
    assert other.network_.theta.tobytes() != first.tobytes()


def test_fitted_attributes_say_what_is_there(digits):
    X_train, _, y_train, _ = digits
    model = small(scaffold_seed=7).fit(X_train, y_train)
    d, k = X_train.shape[1], 10
    assert model.n_scaffold_params_ == d * 48 + 48 * 24
    adapters = 4 * (d + 48) + 4 * (48 + 24)
    biases, betas = 48 + 24, 2
    assert model.n_trained_params_ == adapters + biases + betas + (24 * k + k)
    assert model.n_trained_params_ == model.network_.theta.size
    assert model.scaffold_seed_ == 7
    assert list(model.classes_) == list(range(10))
    assert model.n_features_in_ == d
    assert set(model.betas_) == {"layers.0", "layers.1"}
    assert len(model.history_["loss"]) == model.n_iter_ == 20
    assert model.stop_reason_ == "budget"


def test_feature_names_are_kept_and_held_to(digits):
    pandas = pytest.importorskip("pandas")
    X_train, _, y_train, _ = digits
    frame = pandas.DataFrame(X_train, columns=[f"pixel{i}" for i in range(64)])
    model = small(max_iter=2).fit(frame, y_train)
    assert model.feature_names_in_[0] == "pixel0"
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"pixel0": "other"}))


def test_binary_labels_may_be_words(two_digits):
    X_train, X_test, y_train, y_test = two_digits
    model = small().fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.98
    assert model.decision_function(X_test).shape == (len(X_test),)
    assert model.network_.config.n_outputs == 1
    probabilities = model.predict_proba(X_test)
    likeliest = model.classes_[probabilities.argmax(axis=1)]
    assert (likeliest == model.predict(X_test)).all()


def test_probabilities_agree_with_their_logarithms_and_with_predictions(digits):
    X_train, X_test, y_train, _ = digits
    model = small().fit(X_train, y_train)
    probabilities = model.predict_proba(X_test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.log(probabilities), model.predict_log_proba(X_test), rtol=1e-9)
    logits = model.decision_function(X_test)
    odds = logits - logits.max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        probabilities, np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True), rtol=1e-9
    )
    assert (model.predict(X_test) == logits.argmax(axis=1)).all()


@pytest.mark.host(reason="on a device predictions are computed in float32")
def test_a_prediction_does_not_depend_on_the_rows_beside_it(digits):
    X_train, X_test, y_train, _ = digits
    model = small().fit(X_train, y_train)
    whole = model.decision_function(X_test)
    single = np.vstack([model.decision_function(row[None]) for row in X_test[:20]])
    np.testing.assert_allclose(single, whole[:20], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_rows", [None, 100], ids=["batches", "one batch"])
def test_sparse_and_dense_rows_give_the_same_model(digits, n_rows):
    X_train, X_test, y_train, _ = digits
    X_train, y_train = X_train[:n_rows], y_train[:n_rows]
    dense = small(max_iter=5).fit(X_train, y_train)
    sparse = small(max_iter=5).fit(scipy.sparse.csr_matrix(X_train), y_train)
    negative = small(max_iter=5).fit(np.where(X_train == 0, -0.0, X_train), y_train)
    assert dense.network_.theta.tobytes() == negative.network_.theta.tobytes()
    assert dense.network_.theta.tobytes() == sparse.network_.theta.tobytes()
    np.testing.assert_array_equal(
        dense.predict_proba(X_test), sparse.predict_proba(scipy.sparse.csr_array(X_test))
    )


def test_a_sparse_matrix_is_never_made_dense_as_a_whole(monkeypatch):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random(5000, 300, density=0.01, format="csr", random_state=rng)
    y = rng.integers(0, 3, 5000)
    largest = []
    original = scipy.sparse.csr_matrix.toarray

    def toarray(self, *args, **kwargs):
        largest.append(self.shape[0])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(X), "toarray", toarray)
    small(max_iter=2).fit(X, y).predict(X)
    assert 0 < max(largest) <= 1024


def test_weights_of_whole_numbers_equal_repeated_rows_within_one_batch(two_digits):
    X_train, _, y_train, _ = two_digits
    X, y = X_train[:40], y_train[:40]
    counts = np.random.default_rng(0).integers(0, 4, 40)
    weighted = small().fit(X, y, sample_weight=counts)
    repeated = small().fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert weighted.network_.theta.tobytes() == repeated.network_.theta.tobytes()


def test_class_weight_moves_the_decision(two_digits):
    X_train, X_test, y_train, _ = two_digits
    noisy = X_train + np.random.default_rng(0).normal(0, 2, X_train.shape)
    plain, heavy = (
        small(class_weight=weight).fit(noisy, y_train).decision_function(X_test).mean()
        for weight in (None, {"zero": 20.0, "one": 1.0})
    )
    assert (heavy > plain) == (list(np.unique(y_train)).index("zero") == 1)


@pytest.mark.parametrize("copy", [clone, lambda m: pickle.loads(pickle.dumps(m))])
def test_unfitted_copies_keep_parameters(copy):
    model = small(scaffold="binary", beta=0.3)
    assert copy(model).get_params() == model.get_params()


@pytest.mark.parametrize("scaffold", ["normal", "hadamard", "orthogonal"])
def test_a_pickle_holds_no_frozen_weights_and_predicts_bit_for_bit(digits, scaffold, tmp_path):
    X_train, X_test, y_train, _ = digits
    model = small(scaffold=scaffold, hidden_layer_sizes=(256, 256), max_iter=3)
    model.fit(X_train, y_train)
    blob = pickle.dumps(model)
    # the adapter and little else; the scaffold would be 328 kB
    assert len(blob) < 4 * model.n_trained_params_ + 8_000
    restored = pickle.loads(blob)
    assert restored.predict_proba(X_test).tobytes() == model.predict_proba(X_test).tobytes()
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert again.predict_proba(X_test).tobytes() == model.predict_proba(X_test).tobytes()


@pytest.mark.long_in_the_shim
def test_pipelines_grids_and_cross_validation(digits):
    X_train, _, y_train, _ = digits
    X, y = X_train[:300], y_train[:300]
    pipeline = make_pipeline(StandardScaler(), small(max_iter=200))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.8
    grid = GridSearchCV(
        pipeline, {"deepreservoirclassifier__rank": [1, 4]}, cv=2, n_jobs=2, error_score="raise"
    )
    assert grid.fit(X, y).best_score_ > 0.8


def test_partial_fit_goes_on_where_it_was(digits):
    X_train, X_test, y_train, y_test = digits
    model = small(learning_rate_init=3e-3)
    for _ in range(40):
        for part in np.array_split(np.arange(len(X_train)), 2):
            model.partial_fit(X_train[part], y_train[part], classes=range(10))
    assert model.score(X_test, y_test) > 0.9
    assert (model.n_iter_, len(model.loss_curve_)) == (1, 80)
    assert model._state.step == 40 * sum(-(-len(p) // 128) for p in np.array_split(X_train, 2))


def test_partial_fit_survives_a_pickle_in_between(digits):
    X_train, _, y_train, _ = digits
    through = small().partial_fit(X_train, y_train, classes=range(10))
    broken = pickle.loads(pickle.dumps(through))
    for model in (through, broken):
        model.partial_fit(X_train, y_train)
    assert through.network_.theta.tobytes() == broken.network_.theta.tobytes()


def test_warm_start_goes_on_from_what_was_trained(digits):
    X_train, _, y_train, _ = digits
    steady = {"warmup": 0.0, "dropout": 0.0, "ema_decay": None, "learning_rate_init": 3e-3}
    model = small(max_iter=8, warm_start=True, **steady).fit(X_train, y_train)
    model.fit(X_train, y_train)
    loss = model.history_["loss"]
    assert (model.n_iter_, len(loss)) == (8, 16)
    assert loss[8] < loss[7] < loss[0]


def test_early_stopping_keeps_the_best_weights(digits):
    X_train, _, y_train, _ = digits
    model = small(
        early_stopping=True, n_iter_no_change=3, max_iter=100, tol=0.01, schedule="constant"
    ).fit(X_train, y_train)
    assert model.stop_reason_ == "converged"
    assert model.n_iter_ < 100
    assert len(model.history_["validation_score"]) == model.n_iter_


# Regression -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_regression_does_not_mind_the_scale_of_its_targets(loss):
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = DeepReservoirRegressor((32,), rank=2, max_iter=60, loss=loss, random_state=0)
    plain = model.fit(X, y).predict(X)
    assert model.score(X, y) > 0.45
    np.testing.assert_allclose(model.fit(X, 1e6 * y).predict(X), 1e6 * plain, rtol=1e-3)


def test_regression_of_several_outputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    Y = np.c_[X @ rng.normal(size=5), 100 + 30 * np.sin(X[:, 0])]
    model = DeepReservoirRegressor((64,), random_state=0).fit(X, Y)
    assert model.predict(X).shape == (400, 2)
    assert model.score(X, Y) > 0.9
    column = DeepReservoirRegressor((64,), max_iter=5, random_state=0).fit(X, Y[:, :1])
    assert column.predict(X).shape == (400, 1)
