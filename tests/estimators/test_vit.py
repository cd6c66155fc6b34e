"""ViTClassifier: fitting, files, backbones, gradient accumulation, searches, and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from deepreservoir import (
    ArtifactError,
    DeepReservoirClassifier,
    RankSearch,
    ViTClassifier,
    attach,
    container,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of

pytestmark = [
    pytest.mark.host(reason="tests/device/test_vit_devices.py compares device and host"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

DIGITS = load_digits(n_class=3)
X, Y = DIGITS.images[:120].astype(np.uint8), DIGITS.target[:120]
QUICK = {
    "patch_size": 4,
    "width": 8,
    "depth": 2,
    "heads": 2,
    "mlp_ratio": 2,
    "rank": 2,
    "batch_size": 32,
    "max_iter": 6,
    "learning_rate_init": 0.02,
    "random_state": 0,
}


def quick(**options):
    return ViTClassifier(**QUICK | options)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_it_learns_and_goes_on_after_loading(adapter, tmp_path):
    model = quick(adapter=adapter, warm_start=True, class_weight="balanced")
    model.fit(X, Y, sample_weight=1.0 + (Y == 1))
    assert model.score(X, Y) > (0.6 if adapter == "none" else 0.8)
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert loaded.get_params() == model.get_params()
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for each in (model, loaded):
        each.fit(X, Y)
    assert_array_equal(loaded.network_.theta, model.network_.theta)


def test_the_forms_of_images_give_the_same_model():
    expected = quick().fit(X, Y).predict_proba(X)
    rows = quick(image_shape=(8, 8)).fit(X.reshape(120, 64), Y)
    assert rows.n_features_in_ == 64
    for found in (quick().fit(X[..., None], Y).predict_proba(X), rows.predict_proba(X)):
        assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.2, "stochastic_depth": 0.3},
        {"layer_norm": True, "recompute": True},
        {"pooling": "mean", "scaffold": "binary", "storage": "packed"},
        {"augmentation": ("crop", "flip", "mixup"), "test_time_flip": True},
        {"early_stopping": True, "validation_fraction": 0.2},
        {"resample": "epoch"},
        {"resample": ("microbatch", 2)},
    ],
)
def test_options_are_repeatable_and_survive_a_file(options, tmp_path):
    models = [quick(**options).fit(X, Y) for _ in range(2)]
    assert_array_equal(models[0].network_.theta, models[1].network_.theta)
    loaded = load(save(models[0], tmp_path / "model.safetensors"))
    assert_array_equal(loaded.predict_proba(X), models[0].predict_proba(X))


def test_a_checkpoint_continues_with_the_same_bits(tmp_path):
    def stop(end):
        if end.epoch == 2:
            raise KeyError("stopped")

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyError), pytest.warns(UserWarning, match="interrupted"):
        quick(dropout=0.1).fit(X, Y, checkpoint=path, callback=stop)
    assert path.exists()
    resumed = quick(dropout=0.1).fit(X, Y, checkpoint=path)
    assert_array_equal(resumed.network_.theta, quick(dropout=0.1).fit(X, Y).network_.theta)


def test_searches_pickles_attach_and_side_by_side(tmp_path):
    assert cross_val_score(quick(), X, Y, cv=2).mean() > 0.7
    search = RankSearch(quick(), eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0).fit(X, Y)
    assert search.rank_ == 1
    grid = GridSearchCV(quick(), {"depth": [1, 2]}, cv=2).fit(X, Y)
    again = pickle.loads(pickle.dumps(grid.best_estimator_))
    assert_array_equal(again.predict_proba(X), grid.predict_proba(X))
    models = [quick(rank=rank) for rank in (1, 2)]
    alone = [clone(model).fit(X, Y) for model in models]
    for together, one in zip(fit_many(models, X, Y), alone, strict=True):
        assert_array_equal(together.network_.theta, one.network_.theta)
    names = np.arange(len(X)) % 2
    expected = np.where(names == 0, alone[0].predict(X), alone[1].predict(X))
    assert_array_equal(predict_many(dict(enumerate(models)), X, names), expected)
    path = save(alone[1], tmp_path / "model.safetensors")
    assert_array_equal(attach(alone[0], path).predict(X), alone[1].predict(X))


def test_partial_fit_and_costs():
    model = quick().partial_fit(X, Y, [0, 1, 2])
    theta = model.network_.theta.copy()
    assert (model.partial_fit(X, Y).network_.theta != theta).any()
    cost = cost_of(model, rows=100, epochs=2)
    assert cost.n_frozen == 2 * 8 * 8 * (4 + 2 * 2)
    assert cost.n_trained == model.n_trained_params_


# A backbone ------------------------------------------------------------


def not_adapted(model):
    """Return the trained arrays outside of adapters and output layer, by path."""
    values = model.network_.named_parameters()
    parts = ("norm", "embedding")
    return {p: v for p, v in values.items() if any(part in p for part in parts)}


@pytest.mark.parametrize("place", ["memory", "file"])
def test_a_backbone_gives_initial_values(place, tmp_path):
    trained = quick(max_iter=3).fit(X, Y)
    backbone = trained if place == "memory" else save(trained, tmp_path / "model")
    model = quick(backbone=backbone, scaffold_seed=7, learning_rate_init=1e-12, adapter="dora")
    model = clone(model).fit(X, (Y == 1).astype(int))
    expected = not_adapted(trained)
    assert len(expected) == 4 + 2 * 4 + 2
    for path, value in not_adapted(model).items():
        assert_allclose(value, expected[path], atol=1e-8, err_msg=path)
    fresh = quick(scaffold_seed=7, learning_rate_init=1e-12, adapter="dora")
    fresh.fit(X, (Y == 1).astype(int))
    own, other = (each.network_.named_parameters() for each in (model, fresh))
    for path in set(own) - set(expected):
        assert_allclose(own[path], other[path], atol=1e-8, err_msg=path)
    loaded = load(save(model, tmp_path / "other"))
    assert loaded.backbone is None
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_positions_are_left_out_where_the_numbers_of_patches_differ():
    small = quick(max_iter=2).fit(X[:, :4], Y)
    model = quick(backbone=small, learning_rate_init=1e-12).fit(X, Y)
    fresh = quick(learning_rate_init=1e-12).fit(X, Y)
    own, other = not_adapted(model), not_adapted(fresh)
    assert_allclose(own["embedding.position"], other["embedding.position"], atol=1e-8)
    assert_allclose(own["embedding.token"], not_adapted(small)["embedding.token"], atol=1e-8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch_size": 2}, "it has patch_size 4, but this model 2"),
        ({"width": 12}, "width 8, but this model 12"),
        ({"depth": 3, "pooling": "mean"}, "depth 2, but this model 3; pooling 'token', but"),
        ({"layer_norm": True}, "layer_norm False, but this model True"),
    ],
)
def test_a_backbone_of_other_shapes_is_refused(options, words):
    backbone = quick(max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=words):
        quick(backbone=backbone, **options).fit(X, Y)


def test_what_is_no_backbone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a fitted ViTClassifier, or the path of a saved one"):
        quick(backbone=DeepReservoirClassifier()).fit(X, Y)
    with pytest.raises(NotFittedError):
        quick(backbone=quick()).fit(X, Y)
    with pytest.raises(FileNotFoundError):
        quick(backbone=tmp_path / "missing").fit(X, Y)
    table = DeepReservoirClassifier((8,), max_iter=1).fit(X.reshape(120, 64), Y)
    path = save(table, tmp_path / "table")
    with pytest.raises(ArtifactError, match="the file holds a DeepReservoirClassifier"):
        quick(backbone=path).fit(X, Y)
    colour = quick(max_iter=1).fit(np.repeat(X[..., None], 3, axis=-1), Y)
    with pytest.raises(ValueError, match="images of 3 channels, but this model of 1"):
        quick(backbone=colour).fit(X, Y)
    path = save(quick(rank=2, max_iter=1).fit(X, Y), tmp_path / "deep")
    contents = container.read(path)
    contents.document["config"]["depth"] = 2**40
    with pytest.raises(ArtifactError, match="deep: the model needs more bytes for its layers"):
        quick(backbone=container.write(path, contents)).fit(X, Y)


# Gradient accumulation ------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 5, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "options", [{}, {"augmentation": ("crop", "mixup", "cutmix")}, {"class_weight": "balanced"}]
)
def test_accumulated_gradients_are_those_of_the_batch(parts, options):
    weights = 1.0 + (Y == 2)
    whole = quick(dtype="float64", **options).fit(X, Y, weights)
    summed = quick(dtype="float64", gradient_accumulation=parts, **options).fit(X, Y, weights)
    assert_allclose(summed.network_.theta, whole.network_.theta, rtol=1e-6, atol=1e-9)
    assert_allclose(summed.loss_curve_, whole.loss_curve_, rtol=1e-9)


def test_parts_have_dropout_masks_of_their_own():
    half = np.arange(16)
    twice = np.concatenate([half, half])  # two equal parts
    for dropout in (0.0, 0.4):
        options = {"dropout": dropout, "max_iter": 1, "shuffle": False, "dtype": "float64"}
        one = quick(batch_size=16, **options).fit(X[twice], Y[twice])
        both = np.concatenate([twice, twice])
        two = quick(gradient_accumulation=2, **options).fit(X[both], Y[both])
        equal = np.allclose(one.network_.theta, two.network_.theta, rtol=1e-6, atol=1e-9)
        assert equal == (dropout == 0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gradient_accumulation": 0}, "gradient_accumulation"),
        ({"gradient_accumulation": 2, "resample": ("step", 2)}, "set gradient_accumulation=1"),
        ({"gradient_accumulation": 2, "optimizer": "lbfgs"}, "needs gradient_accumulation=1"),
        ({"patch_size": 3}, "patch_size 3 and images of 8 x 8 pixels"),
        ({"width": 9}, "width 9 and heads 2"),
        ({"pooling": "max"}, "pooling"),
        ({"stochastic_depth": 1.0}, "stochastic_depth"),
        ({"image_shape": (8, 8, 2)}, None),
    ],
)
def test_bad_parameters_are_named_before_training(options, words):
    model = quick(**options)
    if words is None:  # the shape of a table only
        assert model.fit(X, Y).network_.config.image_shape == (8, 8, 1)
        return
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y)
    assert not hasattr(model, "network_")


@pytest.mark.host(reason="DataFrames are on the host")
def test_columns_of_tables_of_images_are_checked():
    X, y = load_digits(n_class=2, return_X_y=True, as_frame=True)
    model = ViTClassifier(4, 8, 1, heads=2, rank=2, image_shape=(8, 8), max_iter=1)
    model.set_params(random_state=0).fit(X, y)
    assert model.feature_names_in_.tolist() == list(X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])
    model.fit(X.to_numpy().reshape(-1, 8, 8, 1), y)
    assert not hasattr(model, "feature_names_in_")
