"""Models of a user's own images in a folder: fit, save, predict others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.persist import load_contents
from ...container import MAX_BYTES, Contents
from ...estimators import PlainCNNClassifier, ViTClassifier
from ...inputs import ImageFiles, image_folder
from ...inputs.image_files import ENDINGS, image_paths, without_broken
from .held_out import split
from .model_files import read_with_entry, save_with_entry
from .predictions import Predictions, predicted

#: The estimators of images by their short names.
KINDS = {"vit": ViTClassifier, "plain_cnn": PlainCNNClassifier}

#: The note in the file.
_ENTRY = "images"


@dataclass(frozen=True)
class FittedImages:
    """A model fitted on the images of a folder.

    Attributes
    ----------
    model : ViTClassifier or PlainCNNClassifier
    score : float
        Accuracy on the fifth of the images that was held out.
    held_out : (ImageFiles, ndarray)
        The held-out images and their labels.
    """

    model: Any
    score: float
    held_out: tuple[ImageFiles, np.ndarray]


def fit_image_folder(
    folder: Path,
    kind: str,
    image_size: tuple[int, int] | None,
    checkpoint: Path | None = None,
    *,
    skip_broken: bool = False,
    **params: Any,
) -> FittedImages:
    """Fit a network on four fifths of the images in the subfolders of a folder.

    Parameters
    ----------
    folder : Path
        Every subfolder with images is a class.
    kind : {"vit", "plain_cnn"}
    image_size : (int, int) or None
        Height and width to which images are resized; None keeps them, if all have one size.
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    skip_broken : bool, default=False
        Whether files that cannot be decoded are left out.
    **params
        Parameters of the estimator.

    Raises
    ------
    ValueError
        If there are no images, a file is broken, or a parameter is out of range.
    ImportError
        If Pillow is not installed.
    """
    X, y = image_folder(folder, image_size, skip_broken=skip_broken)
    train, held = split(folder, y, "classification", "images")
    model = KINDS[kind](image_size=image_size, **params)
    model.fit(X[train], y[train], checkpoint=checkpoint)
    kept = X[held], y[held]
    return FittedImages(model, float(model.score(*kept)), kept)


def save_fitted_images(fitted: FittedImages, path: Path, dtype: str | None = None) -> Contents:
    """Save a model with a note that it reads images; return the contents of the file."""
    return save_with_entry(fitted.model, fitted.held_out, path, dtype, _ENTRY, True)


def predict_image_folder(
    model_path: Path,
    data: Path,
    device: str = "cpu",
    max_bytes: int = MAX_BYTES,
    *,
    proba: bool = False,
    skip_broken: bool = False,
) -> Predictions:
    """Return a saved model's predictions for one image, or for all images in a folder.

    With `skip_broken`, files of a folder that cannot be decoded are left out, with a warning.

    Raises
    ------
    ArtifactError
        If the model's file is refused, or the model was not fitted on a folder of images.
    ValueError
        If there are no images, or one cannot be read.
    ImportError
        If Pillow is not installed.
    """
    contents = read_with_entry(model_path, max_bytes, _ENTRY, "images from a folder")
    model = load_contents(contents, model_path, device, max_bytes)
    paths = [data]
    if data.is_dir():
        paths = image_paths(data)
    if not paths:
        raise ValueError(f"{data} has no files that end in {', '.join(ENDINGS)}")
    if skip_broken:
        paths = without_broken(paths, data)
    files = ImageFiles(paths, model.image_size)
    names = [str(path.relative_to(data)) if data.is_dir() else str(path) for path in paths]
    return predicted("class", model, files, {"file": names}, proba)


def reads_images(contents: Contents) -> bool:
    """Return whether a file has a model that was fitted on a folder of images."""
    return _ENTRY in contents.document
