"""Photographs of flowers: 12 species in a small set, and the 102 species of Oxford."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from ..inputs.image_files import ImageFiles, require_pillow
from .base import Dataset
from .idx import DatasetUnavailable
from .image_table import pixel_table
from .local_files import find, missing, verified

_FOLDER_12 = "flowers12"
_ZIP = "flowers12_224_jpg.zip"
_ZIP_SIZE = 10_144_456
_ZIP_SHA256 = "23866527f3f3e7ba607bac3b30615ffb9726e2d0eb0ce632dc1cecf96eeb6df2"
_IMAGES_12 = {"train": 720, "test": 240}

_FOLDER_102 = "flowers102"
_IMAGES_102 = 8_189
_SPECIES = 102


def flowers12(size: int = 32) -> Dataset:
    """Return 12 species of the Oxford flowers: 60 training and 20 test photographs of each.

    Parameters
    ----------
    size : int, default=32
        Height and width to which the photographs, which have 224, are reduced.
    """
    path = find(_FOLDER_12, _ZIP)
    name = "flowers12" if size == 32 else f"flowers12_{size}"
    if path is None:
        raise missing(name, _FOLDER_12, _ZIP, "12 species of the Oxford flowers at 224 pixels")
    require_pillow()
    from PIL import Image

    images: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    labels: dict[str, list[str]] = {"train": [], "test": []}
    with zipfile.ZipFile(io.BytesIO(verified(path, _ZIP_SIZE, _ZIP_SHA256))) as archive:
        for each in sorted(archive.namelist()):
            if not each.endswith(".jpg"):
                continue
            part, species, _ = each.split("/")
            with Image.open(io.BytesIO(archive.read(each))) as image:
                small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
                images[part].append(np.asarray(small))
            labels[part].append(species)
    assert {part: len(found) for part, found in images.items()} == _IMAGES_12
    return Dataset(
        name,
        np.stack(images["train"]),
        np.array(labels["train"]),
        np.stack(images["test"]),
        np.array(labels["test"]),
        image_shape=(size, size),
        features=pixel_table,
    )


def flowers102(size: int = 224) -> Dataset:
    """Return the Oxford flowers (Nilsback and Zisserman, 2008) with the split of the paper.

    The training part is the published training and validation sets, 2,040 photographs; 6,149 are
    the test set. The files are read where they are on this machine: the folder ``jpg`` of
    102flowers.tgz, imagelabels.mat and setid.mat.
    """
    labels_path, split_path = find(_FOLDER_102, "imagelabels.mat"), find(_FOLDER_102, "setid.mat")
    if labels_path is None or split_path is None:
        source = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
        names = "imagelabels.mat, setid.mat and the folder jpg of 102flowers.tgz"
        raise missing("flowers102", _FOLDER_102, names, source)
    labels = _numbers(labels_path, "labels")
    if len(labels) != _IMAGES_102 or set(labels.tolist()) != set(range(1, _SPECIES + 1)):
        raise DatasetUnavailable(
            f"{labels_path} must have {_IMAGES_102:,} labels from 1 to {_SPECIES}; it has "
            f"{len(labels):,}"
        )
    train = np.concatenate([_numbers(split_path, name) for name in ("trnid", "valid")])
    test = _numbers(split_path, "tstid")
    if sorted(np.concatenate([train, test]).tolist()) != list(range(1, _IMAGES_102 + 1)):
        raise DatasetUnavailable(f"{split_path} must have every photograph in one of its parts")
    folder = labels_path.parent / "jpg"
    X_train, X_test = (
        ImageFiles([folder / f"image_{i:05d}.jpg" for i in part.tolist()], (size, size))
        for part in (train, test)
    )
    return Dataset(
        "flowers102",
        X_train,
        labels[train - 1],
        X_test,
        labels[test - 1],
        image_shape=(size, size),
        features=pixel_table,
    )


def _numbers(path: Path, name: str) -> np.ndarray:
    """Return a vector of a MATLAB file, whose arrays of numbers hold no code."""
    try:
        values = loadmat(path, variable_names=[name])[name]
    except (KeyError, ValueError, OSError, NotImplementedError) as error:
        raise DatasetUnavailable(f"{path} must have the array {name!r} ({error})") from None
    return np.asarray(values).ravel().astype(np.int64)
