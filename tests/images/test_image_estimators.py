"""Estimators of images: forms of X, augmentation, mixed labels, flips, folds, bad input."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from deepreservoir import ImageFiles, PlainCNNClassifier, ViTClassifier, fit_many, load, save
from deepreservoir.estimators.base.mixed_labels import MixedLabels
from deepreservoir.inputs import Batch
from tests.images.image_tools import random_images, write_png

TINY = {
    "patch_size": 4,
    "width": 8,
    "depth": 1,
    "heads": 2,
    "rank": 2,
    "max_iter": 3,
    "batch_size": 8,
    "learning_rate_init": 0.02,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def X():
    images = random_images(24, 8, 8, 3) // 2
    images[::2] += 127
    return images


@pytest.fixture(scope="module")
def y():
    return np.array(["light", "dark"] * 12)


def vit(**params):
    return ViTClassifier(**{**TINY, **params})


def same(one, other):
    return (one.network_.theta == other.network_.theta).all()


def test_forms_of_x_give_the_same_model(tmp_path, X, y):
    whole = vit().fit(X, y)
    np.save(tmp_path / "x.npy", X)
    paths = [write_png(tmp_path / f"{i:02d}.png", image) for i, image in enumerate(X)]
    assert same(vit(image_shape=(8, 8, 3)).fit(X.reshape(24, -1), y), whole)
    assert same(vit().fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y), whole)
    assert same(vit().fit(list(X), y), whole)
    assert same(vit(batch_size=8).fit([str(path) for path in paths], y), whole)
    expected = whole.predict_proba(X)
    assert (whole.predict_proba(ImageFiles(paths)) == expected).all()
    assert (whole.predict_proba(paths) == expected).all()
    pd = pytest.importorskip("pandas")
    names = [str(path) for path in paths]
    for several in (
        np.array(names),
        np.array(names, object),
        np.array(paths),
        pd.Series(names),
        pd.Series(names, dtype=object),
        pd.Series(paths),
    ):
        assert (whole.predict_proba(several) == expected).all()
    assert same(vit().fit(pd.Series(names, index=range(24, 0, -1)), y), whole)


def test_folds_and_searches_take_images_and_files(tmp_path, X, y):
    paths = [write_png(tmp_path / f"{i:02d}.png", image) for i, image in enumerate(X)]
    for images in (X, ImageFiles(paths)):
        scores = cross_val_score(vit(max_iter=15), images, y, cv=2)
        assert scores.mean() > 0.8
    search = GridSearchCV(vit(), {"augmentation": [None, "flip"]}, cv=2).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (24,)


@pytest.mark.parametrize("kind", [ViTClassifier, PlainCNNClassifier])
def test_augmentation_changes_training_and_nothing_else(X, y, kind):
    params = TINY if kind is ViTClassifier else {"depth": 8, "width": 4, "rank": 2, "max_iter": 2}
    model = {"random_state": 0, **params}
    plain = kind(**model).fit(X, y)
    changed = kind(**model, augmentation={"crop": 2, "erasing": 0.5}).fit(X, y)
    again = kind(**model, augmentation={"crop": 2, "erasing": 0.5}).fit(X, y)
    assert not same(plain, changed)
    assert same(changed, again)
    assert (changed.predict_proba(X) == changed.predict_proba(X)).all()
    assert np.allclose(changed.predict_proba(X[:5]), changed.predict_proba(X)[:5], atol=1e-6)


def test_a_model_with_augmentation_is_saved_with_it(tmp_path, X, y):
    model = vit(augmentation={"crop": 2, "mixup": (0.2, 0.5)}, test_time_flip=True).fit(X, y)
    again = load(save(model, tmp_path / "m"))
    assert again.get_params()["test_time_flip"]
    assert dict(again.augmentation)["crop"] == 2
    assert (again.predict_proba(X) == model.predict_proba(X)).all()


def test_test_time_flips_average_both_outputs(X, y):
    model = vit().fit(X, y)
    both = (model.decision_function(X) + model.decision_function(X[:, :, ::-1])) / 2
    model.set_params(test_time_flip=True)
    assert np.allclose(model.decision_function(X), both)
    assert np.allclose(model.decision_function(X), model.decision_function(X[:, :, ::-1]))


def test_validation_images_are_not_augmented(X, y):
    settings = {"learning_rate_init": 1e-12, "max_iter": 1}
    plain = vit(**settings).fit(X, y, eval_set=(X, y))
    erased = vit(**settings, augmentation={"erasing": 1.0}).fit(X, y, eval_set=(X, y))
    assert erased.history_["validation_loss"] == pytest.approx(plain.history_["validation_loss"])
    assert erased.history_["loss"] != pytest.approx(plain.history_["loss"], rel=1e-3)


# Mixed labels ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_a_mixed_sample_is_that_of_both_labels(n_classes, weighted):
    random = np.random.default_rng(0)
    labels = MixedLabels(label_smoothing=0.1)
    codes = labels.encode(np.array([*range(n_classes), 0, 1]))
    n, share = len(codes), 0.7
    outputs = random.normal(size=(n, labels.n_outputs))
    weights = random.uniform(0.5, 2, n) if weighted else None
    values = labels.loss_values(codes, np.dtype(float))
    whole = slice(0, n)
    mixed = labels.take(values, whole, Batch(outputs, {"share": share}), weights)
    found, gradient = labels.loss(outputs, mixed.y, mixed.weights, mixed.n)
    own = labels.loss(outputs, values, weights, n)
    turned = None if weights is None else weights[::-1]
    other = labels.loss(outputs, values[::-1].copy(), turned, n)
    assert found == pytest.approx(share * own[0] + (1 - share) * other[0])
    assert np.allclose(gradient, share * own[1] + (1 - share) * other[1])


def test_an_unmixed_batch_has_the_targets_of_plain_labels():
    labels = MixedLabels()
    codes = labels.encode(np.array([0, 1, 2]))
    target = labels.take(codes, slice(0, 3), Batch(np.zeros((3, 3)), {"share": 1.0}), None)
    assert (target.y == codes).all()


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_mixed_batches_train(X, n_classes):
    augmentation = {"mixup": (1.0, 0.5), "cutmix": (1.0, 0.5)}
    codes = np.arange(24) % n_classes
    model = vit(augmentation=augmentation).fit(X, codes)
    assert model.predict(X).shape == (24,)
    weighted = vit(augmentation=augmentation, class_weight="balanced").fit(X, codes)
    assert np.isfinite(weighted.history_["loss"]).all()


def test_indicators_are_not_mixed(X):
    indicators = np.stack([np.arange(24) % 2, np.arange(24) % 3 == 0], axis=1).astype(int)
    assert vit().fit(X, indicators).predict(X).shape == (24, 2)
    with pytest.raises(ValueError, match="'mixup' and 'cutmix' mix samples with one label"):
        vit(augmentation="mixup").fit(X, indicators)


# Bad input ------------------------------------------------------------------------------


def refused(X, y, message, **params):
    model = vit(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "network_")


def test_images_that_do_not_fit_are_refused_before_training(tmp_path, X, y):
    refused(np.moveaxis(X, 3, 1), y, "channels last")
    refused(X[:, :7], y, "patch_size")
    refused(X.reshape(24, -1), y, "give image_shape")
    refused([*X[:-1], X[-1][:4]], y, r"X\[23\] has shape \(4, 8, 3\)")
    unknown = X.astype(float)
    unknown[3, 0, 0, 0] = np.nan
    refused(unknown, y, r"X\[3\]")
    refused(X / 2, y, "rand_augment needs images of bytes", augmentation="rand_augment")
    refused(X, y[:-1], "inconsistent numbers of samples")
    refused(X, y, "augmentation 'crop'", augmentation={"crop": -1})
    refused(X, y, "image_size", image_size=(0, 1))
    refused(X, y, "image_shape", image_shape=(8,))
    refused(X, y, "standardize must be True or False", standardize="yes")
    refused(X[:, :0], y, "must be images of shape")


@pytest.mark.parametrize("standardize", [True, False])
def test_a_broken_file_is_named_before_training(tmp_path, X, y, standardize):
    paths = [write_png(tmp_path / f"{i:02d}.png", image) for i, image in enumerate(X)]
    whole = paths[5].read_bytes()
    paths[5].write_bytes(whole[: len(whole) // 2])
    refused(paths, y, r"05\.png is broken", standardize=standardize)


def test_other_images_than_in_fit_are_refused(X, y):
    model = vit().fit(X, y)
    with pytest.raises(ValueError, match=r"\(8, 4, 3\).*expected \(8, 8, 3\)"):
        model.predict(X[:, :, :4])
    with pytest.raises(ValueError, match="X holds floats"):
        model.predict(X / 255)
    rows = vit(image_shape=(8, 8, 3)).fit(X.reshape(24, -1), y)
    with pytest.raises(ValueError, match="X has 5 features, but ViTClassifier is expecting 192"):
        rows.predict(np.zeros((2, 5)))


def test_models_with_other_augmentation_are_not_fitted_side_by_side(X, y):
    alone = vit(augmentation="flip").fit(X, y)
    alike = [vit(augmentation="flip"), vit(augmentation={"flip": 0.5}, learning_rate_init=0.01)]
    assert same(fit_many(alike, X, y)[0], alone)
    for other in (None, "crop", {"flip": 0.4}):
        with pytest.raises(ValueError, match="must share augmentation; got 'flip' and "):
            fit_many([vit(augmentation="flip"), vit(augmentation=other)], X, y)


def test_unclear_images_get_an_answer(X, y):
    rows = np.moveaxis(X, -1, 1).reshape(24, -1)
    with pytest.raises(ValueError, match=r"image_shape .*channels last.*\(3, 8, 8\) looks like"):
        vit(image_shape=(3, 8, 8)).fit(rows, y)
    with pytest.raises(ValueError, match=r"Complex data not supported.*dtype complex128$"):
        vit().fit(X + 1j, y)
    for images in (list(X + 1j), (X + 1j).tolist()):
        with pytest.raises(ValueError, match=r"Complex data not supported.*dtype complex128$"):
            vit().fit(images, y)
    with pytest.raises(ValueError, match=r"expected \(8, 8, 3\).*A single image .* X\[None\]$"):
        vit().fit(X, y).predict(X[0])
    of_two_sizes = np.empty(24, object)
    of_two_sizes[:] = [*X[:12], *random_images(12, 8, 12, 3)]
    with pytest.raises(ValueError, match=r"same size; X\[0\] .* X\[12\] has shape \(8, 12, 3\)"):
        vit().fit(of_two_sizes, y)


def test_masked_images_are_refused(X, y):
    masked = np.ma.masked_array(X, X > 250)
    with pytest.raises(ValueError, match=r"X must hold .* masked values.*X\.filled\(0\)"):
        vit().fit(masked, y)
    with pytest.raises(ValueError, match=r"X\[0\] must hold .* masked values"):
        vit().fit(list(masked), y)
    assert same(vit().fit(np.ma.masked_array(X), y), vit().fit(X, y))


def test_pixels_that_are_too_large_for_single_precision_are_refused(X, y):
    model = vit().fit(X / 255.0, y)
    huge = X / 255.0
    huge[0, 0, 0, 0] = 1e39
    with pytest.raises(ValueError, match="too large for float32"):
        model.predict_proba(huge)


def test_a_shape_that_is_stated_is_not_doubted(y):
    X = random_images(24, 4, 6, 5)
    with pytest.raises(
        ValueError, match=r"or set image_shape=\(4, 6, 5\) if the channels are last"
    ):
        PlainCNNClassifier(depth=8, max_iter=1).fit(X, y)
    stated = PlainCNNClassifier(depth=8, max_iter=1, image_shape=(4, 6, 5), random_state=0)
    assert stated.fit(X, y).predict(X).shape == (24,)
