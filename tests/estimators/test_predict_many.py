"""Models of all kinds on one scaffold, served side by side: each row gets its own model's label."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from target import host

from deepreservoir import (
    CausalLanguageModel,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    ViTClassifier,
    predict_many,
)
from deepreservoir.estimators import predicting_many

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
SETTINGS = {
    "none": {"adapter": "none"},
    "none, half": {"adapter": "none", "beta": 0.5, "activation": "tanh"},
    "none, bias": {"adapter": "none", "bias": True, "beta": 2.0},
    "lora": {"adapter": "lora", "rank": 2},
    "lora, bias": {"adapter": "lora", "bias": True, "rank": 3, "activation": "gelu"},
    "lora, half": {"adapter": "lora", "beta": 0.5, "b_init": "kaiming"},
    "lora, double": {"adapter": "lora", "beta": 2.0, "activation": "silu", "head": "lora+bias"},
    "dora": {"adapter": "dora", "rank": 2},
    "dora, bias": {"adapter": "dora", "bias": True, "beta": 0.5, "activation": "tanh"},
    "normalised": {"layer_norm": True, "bias": True},
    "residual": {"residual": True, "dropout": 0.2},
}
FIXED = {
    "hidden_layer_sizes": (8, 8),
    "max_iter": 3,
    "scaffold_seed": 5,
    "learning_rate_init": 0.05,
}


def fitted(kind=DeepReservoirClassifier, y=Y, **params):
    return kind(**FIXED | {"random_state": 0} | params).fit(X, y)


@pytest.fixture(scope="module")
def models():
    return {name: fitted(**params) for name, params in SETTINGS.items()}


def assert_own(models, rows=X):
    """Each row, asked of each model in turn, is answered as the model alone answers it."""
    names = list(models)
    for shift in range(len(names)):
        asked = np.array(names)[(np.arange(len(rows)) + shift) % len(names)]
        found = predict_many(models, rows, asked)
        for name, model in models.items():
            np.testing.assert_array_equal(found[asked == name], model.predict(rows[asked == name]))


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_rows_are_predicted_in_chunks(models, rows, monkeypatch):
    monkeypatch.setattr(predicting_many, "_CHUNK_BYTES", 1)
    monkeypatch.setattr(predicting_many, "_LEAST_CHUNK_ROWS", rows)
    chosen = {name: models[name] for name in ("lora, bias", "dora", "none, half")}
    assert_own(chosen)
    one = models["lora"]  # more of its rows than fit into a chunk
    np.testing.assert_array_equal(predict_many({0: one}, X, [0] * len(X)), one.predict(X))


def test_models_of_all_kinds(models):
    labels = {name: model.predict(X).tobytes() for name, model in models.items()}
    assert len(set(labels.values())) > 8  # else another model's answer would do as well
    assert_own(models)


@pytest.mark.parametrize("first", SETTINGS)
def test_whichever_model_comes_first(models, first):
    others = {name: model for name, model in models.items() if name != first}
    assert_own({first: models[first], **others}, X[:33])


@pytest.mark.parametrize(
    "names",
    [
        *permutations(("none", "lora"), 2),
        *permutations(("none, bias", "lora, half"), 2),
        *permutations(("dora", "lora, bias"), 2),
        *permutations(("none, half", "normalised"), 2),
    ],
    ids=" | ".join,
)
def test_two_that_differ(models, names):
    assert_own({name: models[name] for name in names})


def test_networks_of_other_shapes_on_one_scaffold_are_refused_or_right(models):
    full = fitted(adapter="full")
    with pytest.raises(ValueError, match="share the frozen weights of their hidden layers"):
        predict_many({**models, "full": full}, X[:1], ["full"])
    assert_own({"one": full, "other": fitted(adapter="full", random_state=1)})


def test_outputs_are_those_of_each_regressor():
    y = np.stack([X[:, 0] * 3 + 10, X[:, 1] - X[:, 2]], axis=1)
    models = {
        name: fitted(DeepReservoirRegressor, y * scale, **SETTINGS[name])
        for name, scale in (("none, half", 1), ("lora, bias", 5), ("dora", 0.1), ("residual", 2))
    }
    asked = np.array(list(models))[np.arange(len(X)) % 4]
    found = predict_many(models, X, asked)
    for name, model in models.items():
        tolerance = {"rtol": 1e-10} if model.network_.device == "cpu" else {"rtol": 1e-4}
        np.testing.assert_allclose(
            found[asked == name], model.predict(X[asked == name]), atol=1e-5, **tolerance
        )


def test_serving_changes_no_model(models):
    before = {name: host(model.network_.theta).tobytes() for name, model in models.items()}
    assert_own(models, X[:11])
    assert before == {name: host(m.network_.theta).tobytes() for name, m in models.items()}


def test_models_of_other_shapes_are_refused_by_name():
    X = np.random.default_rng(0).standard_normal((30, 3))
    params = {"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0}
    one = DeepReservoirRegressor(**params).fit(X, X[:, 0])
    two = DeepReservoirRegressor(**params).fit(X, X[:, :2])
    with pytest.raises(ValueError, match=r"\(\) for 'a' and \(2,\) for 'b'"):
        predict_many({"a": one, "b": two}, X[:2], ["a", "b"])
    labels = DeepReservoirClassifier(**params).fit(X, X[:, 0] > 0)
    matrix = DeepReservoirClassifier(**params).fit(X, (X[:, :2] > 0).astype(int))
    with pytest.raises(ValueError, match="values of the same shape"):
        predict_many({"a": labels, "b": matrix}, X[:2], ["a", "b"])


def test_a_model_that_averages_mirror_images_does_so_among_others():
    digits = load_digits()
    X, y = digits.images[:200], digits.target[:200]
    models = {}
    for number, flip in enumerate((True, False, True)):
        model = ViTClassifier(4, 8, 1, heads=2, rank=2, max_iter=3, scaffold_seed=1)
        model.set_params(random_state=number, test_time_flip=flip, learning_rate_init=0.01)
        models[number] = model.fit(X, y)
    names = np.arange(200) % 3
    own = np.array([model.predict(X) for model in models.values()])
    assert np.array_equal(predict_many(models, X, names), own[names, np.arange(200)])
    plain = [model.set_params(test_time_flip=False).predict(X) for model in models.values()]
    assert (np.array(plain)[names, np.arange(200)] != own[names, np.arange(200)]).any()


def test_models_with_other_numbers_of_tokens():
    digits = load_digits()
    X, y = digits.images[:60], digits.target[:60]
    models = {}
    for number, pooling in enumerate(("mean", "token", "mean")):
        model = ViTClassifier(4, 8, 1, heads=2, rank=2, max_iter=3, scaffold_seed=1)
        model.set_params(random_state=number, pooling=pooling, learning_rate_init=0.01)
        models[number] = model.fit(X, y)
    names = np.arange(60) % 3
    own = np.array([model.predict(X) for model in models.values()])
    assert np.array_equal(predict_many(models, X, names), own[names, np.arange(60)])


@pytest.mark.host(reason="DataFrames are on the host")
def test_models_that_read_other_columns_are_refused_whichever_comes_first():
    X, y = load_iris(return_X_y=True, as_frame=True)

    def fitted(X):
        return DeepReservoirClassifier((8,), scaffold_seed=7, max_iter=1, random_state=0).fit(X, y)

    as_given, reversed_ = fitted(X), fitted(X[X.columns[::-1]])
    other = fitted(X.rename(columns={"sepal length (cm)": "weight"}))
    for pair in ((as_given, reversed_), (reversed_, as_given), (as_given, other)):
        with pytest.raises(ValueError, match="models must read the same features, in the same"):
            predict_many(dict(enumerate(pair)), X, [1] * 150)
    unnamed = fitted(X.to_numpy())
    found = predict_many({"a": unnamed, "b": as_given}, X, ["b"] * 150)
    assert np.array_equal(found, as_given.predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        predict_many({"a": unnamed, "b": as_given}, X[X.columns[::-1]], ["b"] * 150)


@pytest.mark.host(reason="texts are on the host")
def test_models_that_are_neither_classifiers_nor_regressors_are_refused():
    model = CausalLanguageModel(
        width=8, depth=1, heads=2, mlp_width=8, vocabulary_size=8, context=8
    )
    model.set_params(vocabulary_size=8, rank=2, max_iter=1).fit(np.arange(100) % 8)
    with pytest.raises(ValueError, match=r"such as DeepReservoirClassifier or .* is a Causal"):
        predict_many({"m": model}, [[1, 2]], ["m"])
