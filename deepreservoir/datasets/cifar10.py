"""CIFAR-10: 60,000 colour images of 32 x 32 in ten classes, and a part of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from ..inputs.image_files import require_pillow
from .base import Dataset
from .idx import DatasetUnavailable
from .image_table import pixel_table
from .local_files import find, missing, verified

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_FOLDER = "cifar10"
_SIZE, _CHANNELS = 32, 3

# Zip files of JPEG images, CLASS/0000.jpg and so on: name, size, SHA-256 and images per class.
_ZIPS = {
    "train": (
        "cifar10_train_jpg.zip",
        51_241_273,
        "4fdb7b099bad86121914b8d0040f0d70e2407b7e46ae88731cadbac80be5074e",
        5_000,
    ),
    "test": (
        "cifar10_test_jpg.zip",
        10_249_684,
        "39f3c34adc0071797ccfe5767dd6a94a4e93b8db6e0079b71a542df2311adabb",
        1_000,
    ),
}

# The published files of bytes: a label, then the pixels of each channel.
_BATCHES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}
_BATCH_IMAGES = 10_000


def cifar10() -> Dataset:
    """Return CIFAR-10 (Krizhevsky, 2009) with its published split.

    The published binary batches are read where they are on this machine, and otherwise the same
    images as JPEG files, whose compression has changed the pixels a little.
    """
    return _dataset("cifar10", None)


def cifar10_5000() -> Dataset:
    """Return the first 500 training and 200 test images of each class of CIFAR-10."""
    return _dataset("cifar10_5000", {"train": 500, "test": 200})


def _dataset(name: str, per_class: dict[str, int] | None) -> Dataset:
    parts = {}
    for part in ("train", "test"):
        limit = None if per_class is None else per_class[part]
        parts[part] = _batches(name, part, limit) or _jpegs(name, part, limit)
    (X_train, y_train), (X_test, y_test) = parts["train"], parts["test"]
    return Dataset(
        name,
        X_train,
        y_train,
        X_test,
        y_test,
        image_shape=(_SIZE, _SIZE),
        features=pixel_table,
    )


def _jpegs(name: str, part: str, per_class: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 32, 32, 3) of a zip file, and their labels."""
    file, size, sha256, published = _ZIPS[part]
    path = find(_FOLDER, file)
    if path is None:
        names = f"{', '.join(_BATCHES['train'])} and {_BATCHES['test'][0]}"
        source = "the binary version of CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html,"
        raise missing(name, _FOLDER, names, source)
    require_pillow()
    from PIL import Image

    count = published if per_class is None else per_class
    out = np.empty((len(CLASSES) * count, _SIZE, _SIZE, _CHANNELS), np.uint8)
    with zipfile.ZipFile(io.BytesIO(verified(path, size, sha256))) as archive:
        members = [f"{label}/{i:04d}.jpg" for label in CLASSES for i in range(count)]
        for i, each in enumerate(members):
            with Image.open(io.BytesIO(archive.read(each))) as image:
                out[i] = np.asarray(image.convert("RGB"))
    return out, np.repeat(np.array(CLASSES), count)


def _batches(name: str, part: str, per_class: int | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the images of the published binary batches; None where they are not at hand."""
    found = [find(_FOLDER, file) for file in _BATCHES[part]]
    paths = [path for path in found if path is not None]
    if len(paths) < len(found):
        return None
    rows = np.concatenate([_rows(path) for path in paths])
    codes = rows[:, 0]
    counts = np.bincount(codes, minlength=len(CLASSES))
    if len(counts) > len(CLASSES) or (counts != len(rows) // len(CLASSES)).any():
        raise DatasetUnavailable(
            f"the {part} batches of {name} must have {len(rows) // len(CLASSES):,} images of each "
            f"of {len(CLASSES)} classes, numbered from 0; got "
            + ", ".join(f"{counts[code]:,} of {code}" for code in np.flatnonzero(counts)[:20])
            + f". Copy the files of {paths[0].parent} again"
        )
    if per_class is not None:
        first = [np.flatnonzero(codes == code)[:per_class] for code in range(len(CLASSES))]
        rows = rows[np.concatenate(first)]
    pixels = rows[:, 1:].reshape(-1, _CHANNELS, _SIZE, _SIZE)
    return np.ascontiguousarray(np.moveaxis(pixels, 1, -1)), np.array(CLASSES)[rows[:, 0]]


def _rows(path: Path) -> np.ndarray:
    length = 1 + _CHANNELS * _SIZE * _SIZE
    expected = _BATCH_IMAGES * length
    if path.stat().st_size != expected:
        raise DatasetUnavailable(
            f"{path} must have {expected:,} bytes, as published; it has "
            f"{path.stat().st_size:,}. Copy it again"
        )
    return np.fromfile(path, np.uint8).reshape(_BATCH_IMAGES, length)
