"""Other adapters on a scaffold that is in memory."""

import numpy as np
import pytest
from artifact_tools import CLASSES, TARGETS, X, classifier, pipeline, regressor

from deepreservoir import ArtifactError, DeepReservoirRegressor, attach, load, predict_many, save


def test_an_attached_model_shares_the_scaffold_and_predicts_the_same(tmp_path):
    base = classifier(scaffold_seed=5)
    other = regressor(scaffold_seed=5, rank=3, random_state=1, max_iter=5)
    path = save(other, tmp_path / "other.safetensors")
    found = attach(base, path)
    assert isinstance(found, DeepReservoirRegressor)
    for name, scaffold in base.network_.scaffolds.items():
        assert found.network_.scaffolds[name] is scaffold
    np.testing.assert_array_equal(found.predict(X), other.predict(X))
    np.testing.assert_array_equal(base.predict(X), classifier(scaffold_seed=5).predict(X))


def test_a_pipeline_is_attached_to(tmp_path):
    base = pipeline()
    found = attach(base, save(base, tmp_path / "m.safetensors"))
    assert found[-1].network_.scaffolds["layers.0"] is base[-1].network_.scaffolds["layers.0"]
    np.testing.assert_array_equal(found.predict(X), base.predict(X))


def test_spectral_scaffolds_are_shared_too(tmp_path):
    base = load(save(classifier(scaffold="spectral_radius"), tmp_path / "m.safetensors"))
    found = attach(base, tmp_path / "m.safetensors")
    assert found.network_.scaffolds["layers.0"] is base.network_.scaffolds["layers.0"]


def test_an_adapter_of_another_scaffold_is_refused(tmp_path):
    path = save(classifier(scaffold_seed=6), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=r"other frozen weights: layer 'layers.0' has digest"):
        attach(classifier(scaffold_seed=5), path)
    path = save(classifier(scaffold_seed=5, hidden_layer_sizes=(16,)), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=r"layer 'layers.1' has digest None"):
        attach(classifier(scaffold_seed=5), path)
    with pytest.raises(ArtifactError, match="must be a fitted deep estimator"):
        attach(DeepReservoirRegressor(), path)


# Many at once ---------------------------------------------------------------------------------


def tenants(n=5, **params):
    models = {}
    for i in range(n):
        model = classifier(scaffold_seed=5, random_state=i, rank=1 + i % 3, **params)
        models[f"tenant {i}"] = model
    return models


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"adapter": "dora", "layer_norm": True},
        {"hidden_layer_sizes": (6, 6), "residual": True, "activation": "tanh"},
        {"head": "lora", "dropout": 0.2},
        {"scaffold": "hadamard"},
    ],
    ids=str,
)
def test_rows_that_name_their_model_get_its_prediction(params):
    models = tenants(**params)
    names = np.array(list(models))[np.random.default_rng(1).integers(0, len(models), len(X))]
    expected = np.array(
        [models[name].predict(x[None])[0] for name, x in zip(names, X, strict=True)]
    )
    np.testing.assert_array_equal(predict_many(models, X, names), expected)


def test_regressors_of_one_or_more_targets():
    for y in (TARGETS, TARGETS[:, 0]):
        models = {k: regressor(y * (k + 1), scaffold_seed=5) for k in range(3)}
        names = np.arange(len(X)) % 3
        found = predict_many(models, X, names)
        assert found.shape == y.shape
        for k, model in models.items():
            np.testing.assert_allclose(found[names == k], model.predict(X[names == k]), rtol=1e-12)


def test_more_rows_than_a_chunk_holds():
    models = tenants(2)
    rows = np.tile(X, (30, 1))
    names = np.where(np.arange(len(rows)) < 1500, "tenant 0", "tenant 1")
    found = predict_many(models, rows, names)
    np.testing.assert_array_equal(found[:1500], models["tenant 0"].predict(rows[:1500]))
    np.testing.assert_array_equal(found[1500:], models["tenant 1"].predict(rows[1500:]))


def test_models_of_other_labels_are_served_together():
    other = classifier(scaffold_seed=5)
    other.fit(X, np.arange(len(X)) % 2)
    found = predict_many(
        {"words": classifier(scaffold_seed=5), "numbers": other}, X[:2], ["words", "numbers"]
    )
    assert found.dtype == object
    assert found[0] in CLASSES
    assert found[1] in (0, 1)


def test_what_cannot_be_served_together_is_refused():
    models = tenants(2)
    cases = [
        ({}, X, [], "at least one"),
        (models, X[:, :3], ["tenant 0"] * len(X), "X has 3 features, but .* expecting 6 features"),
        (models, X, ["tenant 0"], "names must name a model for each of 90 rows; got 1"),
        (models, X[:1], ["nobody"], r"names\[0\] is 'nobody'; the models are 'tenant 0'"),
        ({**models, "r": regressor(scaffold_seed=5)}, X[:1], ["r"], "all be of one class"),
        (
            {**models, "o": classifier(scaffold_seed=6)},
            X[:1],
            ["o"],
            "share the frozen weights of their hidden layers",
        ),
        (
            {**models, "o": classifier(scaffold_seed=5, hidden_layer_sizes=(16,))},
            X[:1],
            ["o"],
            "share the frozen weights of their hidden layers",
        ),
        ({"p": pipeline()}, X[:1], ["p"], "deep estimators on one scaffold, .*; 'p' is a Pipeline"),
    ]
    for which, rows, names, message in cases:
        with pytest.raises(ValueError, match=message):
            predict_many(which, rows, names)
