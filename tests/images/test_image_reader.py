"""The reader of images: forms of X, standardisation, state, bad input."""

import numpy as np
import pytest

from deepreservoir.inputs import Augmentation, ImageFiles, ImageReader
from deepreservoir.inputs.images import images_of
from tests.images.image_tools import random_images, write_png


def read(X, reader=None, dtype=np.float64):
    reader = reader or ImageReader().fit(X)
    return reader.read(X, dtype, "cpu")


def test_forms_of_x_are_one_array():
    X = random_images()
    n, height, width, channels = X.shape
    rows = images_of(X.reshape(n, -1), (height, width, channels))
    assert (rows.rows(np.arange(n)) == X).all()
    assert images_of(list(X)).shape == X.shape
    grey = X[:, :, :, 0]
    assert images_of(grey).shape == (n, height, width, 1)
    assert images_of(grey.reshape(n, -1), (height, width)).shape == (n, height, width, 1)


def test_memory_mapped_images_stay_on_the_disk(tmp_path):
    X = random_images()
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(images_of(mapped).pixels, np.memmap)
    assert (read(mapped).take(np.arange(3)).x == read(X).take(np.arange(3)).x).all()


def test_files_give_the_batches_of_the_array(tmp_path):
    X = random_images()
    paths = [write_png(tmp_path / f"{i}.png", image) for i, image in enumerate(X)]
    reader = ImageReader().fit(X)
    reader.fit_training(read(X, reader))
    expected = read(X, reader).take(np.arange(5)).x
    assert (read(ImageFiles(paths), reader).take(np.arange(5)).x == expected).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_channels_are_standardised_over_the_training_images(dtype):
    X = (random_images(300) * (1 if dtype == np.uint8 else 0.01)).astype(dtype)
    reader = ImageReader().fit(X)
    inputs = read(X, reader)
    reader.fit_training(inputs.subset(np.arange(280)))
    kept = X[:280].astype(np.float64)
    expected = (X - kept.mean(axis=(0, 1, 2))) / kept.std(axis=(0, 1, 2))
    assert np.allclose(inputs.take(np.arange(300)).x, expected, atol=1e-9)


def test_without_standardisation_bytes_are_divided_by_255():
    X = random_images()
    reader = ImageReader(standardize=False).fit(X)
    inputs = read(X, reader)
    reader.fit_training(inputs)
    assert np.allclose(inputs.take(np.arange(3)).x, X[:3] / 255)
    floats = X / 7.0
    assert np.allclose(
        read(floats, ImageReader(False).fit(floats)).take(np.arange(3)).x, floats[:3]
    )


def test_a_constant_channel_becomes_zero():
    X = random_images()
    X[..., 1] = 7
    reader = ImageReader().fit(X)
    inputs = read(X, reader)
    reader.fit_training(inputs)
    assert not inputs.take(np.arange(3)).x[..., 1].any()


def test_mirrored_images():
    X = random_images()
    inputs = read(X)
    assert (inputs.flipped().take(np.arange(3)).x == inputs.take(np.arange(3)).x[:, :, ::-1]).all()


def test_chunks_cover_all_images_in_order():
    inputs = read(random_images(20))
    parts = list(inputs.chunks(10 * 100, 100))
    assert [len(batch.x) for _, batch in parts] == [10, 10]
    whole = np.concatenate([batch.x for _, batch in parts])
    assert (whole == inputs.take(np.arange(20)).x).all()


def test_state_round_trip():
    X = random_images()
    reader = ImageReader().fit(X)
    reader.fit_training(read(X, reader))
    again = ImageReader.from_state(*reader.state())
    assert (read(X, again).take(np.arange(4)).x == read(X, reader).take(np.arange(4)).x).all()


@pytest.mark.parametrize(
    "change",
    [
        {"image_shape": [8, 6]},
        {"image_shape": [8, 6, 0]},
        {"image_shape": "big"},
        {"values": "words"},
        {"more": 1},
        {"mean": np.zeros(2)},
        {"scale": np.zeros(3)},
        {"scale": np.full(3, np.nan)},
    ],
)
def test_a_foreign_state_is_refused(change):
    plain, tensors = ImageReader().fit(random_images()).state()
    for name, value in change.items():
        (tensors if isinstance(value, np.ndarray) else plain)[name] = value
    with pytest.raises(ValueError, match=r"image_shape|values|state|mean|scale"):
        ImageReader.from_state(plain, tensors)


def test_digest_depends_on_pixels_and_augmentation():
    X = random_images()
    other = X.copy()
    other[3, 2, 1, 0] ^= 1
    flip = read(X).augmented(Augmentation.of("flip"), 0)
    assert len({read(X).digest(), read(other).digest(), flip.digest()}) == 3


def test_images_of_another_size_or_kind_are_refused():
    X = random_images()
    reader = ImageReader().fit(X)
    with pytest.raises(ValueError, match=r"\(7, 6, 3\).*expected \(8, 6, 3\)"):
        read(X[:, :7], reader)
    with pytest.raises(ValueError, match=r"X holds floats.*held bytes"):
        read(X / 255, reader)
    with pytest.raises(ValueError, match=r"X holds bytes.*held floats"):
        read(X, ImageReader().fit(X / 255))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 3, 32, 32)), r"channels last.*moveaxis\(X, 1, -1\)"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], r"X\[0\] has shape \(4, 4\), but X\[1\]"),
        (np.zeros((2, 5)), "rows of 5 values: give image_shape"),
        (np.zeros((2, 0, 5, 3)), "must be images of shape"),
        (np.zeros((2, 3, 4, 5, 3)), "must be images of shape"),
        (np.array([[["a"]]]), "bytes"),
    ],
)
def test_what_is_not_an_image_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        images_of(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_found(value):
    X = random_images().astype(np.float32)
    X[5, 2, 3, 1] = value
    with pytest.raises(ValueError, match=r"X\[5\].*\(2, 3, 1\)"):
        images_of(X)


@pytest.mark.parametrize("shape", [(8,), (8, 6, 3, 1), (8, 0), (8, 6.0), "8x6", 48])
def test_an_image_shape_must_be_two_or_three_positive_integers(shape):
    with pytest.raises(ValueError, match="image_shape must be"):
        images_of(np.zeros((2, 48)), shape)


def test_rows_that_do_not_fit_the_shape_are_refused():
    with pytest.raises(ValueError, match=r"rows of 48 values.*8 x 5 x 1 = 40"):
        images_of(np.zeros((2, 48)), (8, 5))


def test_values_too_large_to_standardise_are_refused():
    X = np.full((3, 2, 2, 1), 1e300)
    X[0] = -1e300
    reader = ImageReader().fit(X)
    with pytest.raises(ValueError, match="too large"):
        reader.fit_training(read(X, reader))
