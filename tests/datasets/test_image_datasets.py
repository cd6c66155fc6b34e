"""CIFAR-10 and flowers: small files in the published forms, and the real ones where they are."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from deepreservoir import load_dataset
from deepreservoir.datasets import DatasetUnavailable, cifar10, flowers


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    monkeypatch.setattr("deepreservoir.datasets.local_files.cache_folder", lambda: tmp_path / "no")
    return tmp_path


def write_batches(folder, per_class=2):
    """Write binary batches with a tenth of `per_class` in each, and return the pixels."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = {}
    for name in (*cifar10._BATCHES["train"], *cifar10._BATCHES["test"]):
        codes = random.permutation(np.repeat(np.arange(10), per_class)).astype(np.uint8)
        pixels = random.integers(0, 256, (len(codes), 3, 32, 32), dtype=np.uint8)
        flat = np.hstack([codes[:, None], pixels.reshape(len(codes), -1)])
        (folder / name).write_bytes(flat.tobytes())
        rows[name] = codes, pixels
    return rows


def test_binary_batches_are_read_channels_last(data, monkeypatch):
    monkeypatch.setattr(cifar10, "_BATCH_IMAGES", 20)
    rows = write_batches(data / "cifar10")
    dataset = load_dataset("cifar10")
    assert dataset.X_train.shape == (100, 32, 32, 3)
    codes, pixels = rows["test_batch.bin"]
    assert (dataset.X_test == pixels.transpose(0, 2, 3, 1)).all()
    assert dataset.y_test.tolist() == [cifar10.CLASSES[code] for code in codes]


def test_a_batch_of_another_size_is_refused(data):
    write_batches(data / "cifar10")
    with pytest.raises(DatasetUnavailable, match=r"data_batch_1\.bin must have 30,730,000 bytes"):
        load_dataset("cifar10")


def test_batches_without_equal_classes_are_refused(data, monkeypatch):
    monkeypatch.setattr(cifar10, "_BATCH_IMAGES", 20)
    write_batches(data / "cifar10")
    path = data / "cifar10" / "data_batch_2.bin"
    content = bytearray(path.read_bytes())
    content[0] = (content[0] + 1) % 10
    path.write_bytes(content)
    with pytest.raises(DatasetUnavailable, match="10 images of each of 10 classes"):
        load_dataset("cifar10")


def test_a_changed_zip_file_is_refused(data):
    (data / "cifar10").mkdir()
    (data / "cifar10" / "cifar10_train_jpg.zip").write_bytes(b"no zip")
    with pytest.raises(DatasetUnavailable, match="expected 51,241,273 bytes with SHA-256"):
        load_dataset("cifar10_5000")


@pytest.mark.parametrize("name", ["cifar10", "cifar10_5000", "flowers12", "flowers102"])
def test_missing_files_are_named_with_their_place(data, name):
    with pytest.raises(DatasetUnavailable, match=f"{name} is not on this machine"):
        load_dataset(name)


def test_flowers_of_a_zip_file(data, monkeypatch):
    (data / "flowers12").mkdir()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for part in ("train", "test"):
            for species, colour in (("iris", 40), ("pansy", 200)):
                picture = io.BytesIO()
                Image.new("RGB", (50, 40), (colour,) * 3).save(picture, "JPEG")
                archive.writestr(f"{part}/{species}/image_1.jpg", picture.getvalue())
    (data / "flowers12" / flowers._ZIP).write_bytes(content.getvalue())
    monkeypatch.setattr(flowers, "verified", lambda path, size, sha: path.read_bytes())
    monkeypatch.setattr(flowers, "_IMAGES_12", {"train": 2, "test": 2})
    dataset = load_dataset("flowers12")
    assert dataset.X_train.shape == (2, 32, 32, 3)
    assert dataset.y_test.tolist() == ["iris", "pansy"]
    assert np.abs(dataset.X_test[1].astype(int) - 200).max() <= 2


def write_flowers102(folder):
    (folder / "jpg").mkdir(parents=True)
    for i in range(1, 13):
        Image.new("RGB", (30 + i, 40), (20 * i,) * 3).save(folder / "jpg" / f"image_{i:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": [[1, 2, 3] * 4]})
    split = {"trnid": [[1, 2, 3]], "valid": [[6, 5, 4]], "tstid": [[7, 8, 9, 10, 11, 12]]}
    savemat(folder / "setid.mat", split)


def test_the_published_form_of_102_flowers(data, monkeypatch):
    monkeypatch.setattr(flowers, "_IMAGES_102", 12)
    monkeypatch.setattr(flowers, "_SPECIES", 3)
    write_flowers102(data / "flowers102")
    dataset = load_dataset("flowers102")
    assert dataset.X_train.shape == (6, 224, 224, 3)
    assert dataset.y_train.tolist() == [1, 2, 3, 3, 2, 1]
    assert np.abs(dataset.X_train.rows(np.array([3])).astype(int) - 120).max() <= 3


def test_labels_of_102_flowers_are_checked(data):
    write_flowers102(data / "flowers102")
    with pytest.raises(DatasetUnavailable, match="8,189 labels from 1 to 102; it has 12"):
        load_dataset("flowers102")


def _or_skip(name):
    try:
        return load_dataset(name)
    except DatasetUnavailable as error:
        pytest.skip(str(error))


def test_the_real_part_of_cifar10():
    dataset = _or_skip("cifar10_5000")
    assert dataset.X_train.shape == (5000, 32, 32, 3)
    assert np.unique(dataset.y_train, return_counts=True)[1].tolist() == [500] * 10
    assert np.unique(dataset.y_test, return_counts=True)[1].tolist() == [200] * 10
    mean = dataset.X_train.mean(axis=(0, 1, 2)) / 255
    assert np.abs(mean - [0.4914, 0.4822, 0.4465]).max() < 0.01  # of all training images


def test_the_real_flowers():
    dataset = _or_skip("flowers12")
    assert len(dataset.X_train), len(dataset.X_test) == (720, 240)
    assert np.unique(dataset.y_train, return_counts=True)[1].tolist() == [60] * 12
