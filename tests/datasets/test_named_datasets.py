"""Named data sets: scaling and splits, and the published files if they are available."""

import os
from dataclasses import replace

import numpy as np
import pytest
from idx_tools import empty_cache, publisher
from sklearn.datasets import load_digits

from deepreservoir import load_dataset
from deepreservoir.datasets import DATASETS, Dataset, DatasetUnavailable, named
from deepreservoir.datasets.idx import ENVIRONMENT, FASHION_MNIST, MNIST

published = pytest.mark.skipif(
    not os.environ.get(ENVIRONMENT), reason=f"{ENVIRONMENT} does not say where the data is"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    return empty_cache(tmp_path / "cache", monkeypatch)


@pytest.mark.parametrize("name", ["nope", "", "MNIST"])
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(name):
    with pytest.raises(ValueError, match="dataset must be one of") as caught:
        load_dataset(name)
    assert all(known in str(caught.value) for known in DATASETS)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_missing_data_is_refused_and_the_file_is_named(cache, name):
    with pytest.raises(DatasetUnavailable, match=r"train-images-idx3-ubyte\.gz"):
        load_dataset(name)


# digits ----------------------------------------------------------------------


def test_digits_are_complete_and_scaled_by_one_mean_and_deviation():
    digits = load_dataset("digits")
    images, labels = load_digits(return_X_y=True)
    assert digits.n_features == 64
    assert digits.task == "classification"
    assert digits.X_train.dtype == digits.X_test.dtype == np.float32
    assert digits.X_train.mean() == pytest.approx(0, abs=1e-4)
    assert digits.X_train.std() == pytest.approx(1, abs=1e-4)
    # One line maps what was scaled to what scikit-learn gives, for both halves.
    low = digits.X_train.min()
    step = (digits.X_train.max() - low) / 16
    rows = [
        (*np.rint((row - low) / step).astype(int), label)
        for X, y in ((digits.X_train, digits.y_train), (digits.X_test, digits.y_test))
        for row, label in zip(X, y, strict=True)
    ]
    known = [(*row, label) for row, label in zip(images.astype(int), labels, strict=True)]
    assert sorted(rows) == sorted(known)


def test_samples_that_are_not_rows_have_no_number_of_features():
    texts = Dataset("texts", ["a", "b"], np.arange(2), ["c"], np.arange(1))
    with pytest.raises(ValueError, match="the samples of texts are not rows of a table"):
        texts.n_features  # noqa: B018


def test_digits_are_split_by_class_and_always_the_same():
    one, two = load_dataset("digits"), load_dataset("digits")
    np.testing.assert_array_equal(one.X_test, two.X_test)
    np.testing.assert_array_equal(one.y_train, two.y_train)
    # A fifth of each class, up to rounding.
    whole = np.bincount(one.y_train) + np.bincount(one.y_test)
    assert np.abs(np.bincount(one.y_test) - whole / 5).max() < 1


# IDX -------------------------------------------------------------------------


def test_images_become_rows_scaled_by_the_given_mean_and_deviation(cache):
    tiny = publisher()
    tiny.put(cache)
    data = named._idx(tiny.source, 0.25, 0.5)()
    images, labels, test_images, test_labels = tiny.arrays
    for X, array in ((data.X_train, images), (data.X_test, test_images)):
        assert X.dtype == np.float32
        expected = (array.reshape(len(array), 12) / 255 - 0.25) / 0.5
        np.testing.assert_allclose(X, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(data.y_train, labels)
    np.testing.assert_array_equal(data.y_test, test_labels)
    assert data.y_train.dtype == int  # uint8 labels would wrap in a user's arithmetic
    assert (data.name, data.task) == ("tiny", "classification")


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.name)
def test_declared_sizes_are_those_of_the_shapes(source):
    files = (source.train_images, source.train_labels, source.test_images, source.test_labels)
    for file in files:
        assert file.size == 4 + 4 * len(file.shape) + np.prod(file.shape)
    assert len({file.sha256 for file in files}) == 4


def test_the_two_publishers_share_no_content():
    mine = replace(MNIST, name="", folders=(), url="")
    other = replace(FASHION_MNIST, name="", folders=(), url="")
    kinds = ("train_images", "train_labels", "test_images", "test_labels")
    assert not {getattr(mine, kind).sha256 for kind in kinds} & {
        getattr(other, kind).sha256 for kind in kinds
    }


def load_or_skip(name):
    folder = {"mnist": MNIST, "fashion_mnist": FASHION_MNIST}[name].folders
    if not any(os.path.isdir(os.path.join(os.environ[ENVIRONMENT], part)) for part in folder):
        pytest.skip(f"{name} is not in {ENVIRONMENT}")
    return load_dataset(name)


@published
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        # Of the publisher: http://yann.lecun.com/exdb/mnist, labels 0 to 9 of the test set.
        ("mnist", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        ("fashion_mnist", [1000] * 10),
    ],
)
def test_the_published_data_has_its_shapes_counts_and_scale(name, counts):
    data = load_or_skip(name)
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.X_train.dtype == data.X_test.dtype == np.float32
    np.testing.assert_array_equal(np.bincount(data.y_test), counts)
    assert len(data.y_train) == 60_000
    assert set(np.unique(data.y_train)) == set(range(10))
    assert data.X_train.mean(dtype=float) == pytest.approx(0, abs=1e-3)
    assert data.X_train.std(dtype=float) == pytest.approx(1, abs=1e-3)
