"""``fit`` and ``predict`` for images in a folder, with ``--estimator vit`` or ``plain_cnn``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from .. import container
from ..datasets.learning_table import TableOptions
from ..experiments.tables.user_images import (
    KINDS,
    fit_image_folder,
    predict_image_folder,
    reads_images,
    save_fitted_images,
)
from ..inputs import Augmentation
from .base import Numbers, check_installed
from .fit_options import refuse_perceptron_options
from .saving import save_model
from .scores import scored
from .table_options import Names

#: Height and width to which images are resized by default.
_SIZE = (32, 32)

_OPTIONS = (
    click.option(
        "--image-size",
        type=Numbers(),
        metavar="H,W",
        help="Height,width to which images are resized, or one number for both; 0 keeps their "
        f"size.  [default: {_SIZE[0]}]",
    ),
    click.option(
        "--augmentation",
        type=Names(),
        metavar="NAME,NAME,...",
        default=(),
        help="Random changes of training images, such as crop,flip.",
    ),
    click.option(
        "--skip-broken",
        is_flag=True,
        default=None,
        help="Leave out image files that cannot be decoded.",
    ),
)


def image_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``fit`` for images."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_image_options(
    source: Path,
    estimator: str,
    target: str | None,
    options: TableOptions,
    given: Mapping[str, Any],
    images: Mapping[str, Any],
) -> bool:
    """Return whether `fit` reads images, or raise an error if options do not belong together.

    Parameters
    ----------
    source : Path
        The file or folder that is fitted on.
    estimator, target, options
        As in ``fit``.
    given : mapping
        Options of networks that were given.
    images : mapping
        Options of images.
    """
    if estimator not in KINDS:
        for name, value in images.items():
            if value:
                raise click.UsageError(
                    f"--{name.replace('_', '-')} is for images: add --estimator vit or plain_cnn"
                )
        if source.is_dir():
            raise click.UsageError(
                f"{source} is a folder; --estimator {estimator} reads a CSV file"
            )
        return False
    if not source.is_dir():
        raise click.UsageError(
            f"--estimator {estimator} needs a folder with one subfolder of images per class; "
            f"{source} is a file"
        )
    if target is not None:
        raise click.UsageError("--target is for tables: the class of an image is its subfolder")
    refuse_perceptron_options(given)
    if options != TableOptions():
        raise click.UsageError("options of tables, such as --columns, are not for images")
    _check_pillow()
    try:
        Augmentation.of(images["augmentation"])
        _size_of(images["image_size"])
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return True


def _size_of(numbers: tuple[int, ...] | None) -> tuple[int, int] | None:
    """Return the size that the option means; None to keep the size of the files."""
    if numbers is None:
        return _SIZE
    if tuple(numbers) == (0,):
        return None
    if len(numbers) > 2 or min(numbers) < 1:
        raise ValueError(
            "--image-size must be one or two positive numbers, such as 32 or 32,48, or 0; got "
            f"{','.join(map(str, numbers))}"
        )
    return numbers[0], numbers[-1]


def fit_images(
    folder: Path,
    path: Path,
    estimator: str,
    precision: str | None,
    images: Mapping[str, Any],
    **params: Any,
) -> None:
    """Fit a model on the images of a folder, save it, and print the score."""
    fitted = fit_image_folder(
        folder,
        estimator,
        _size_of(images["image_size"]),
        skip_broken=bool(images["skip_broken"]),
        augmentation=images["augmentation"] or None,
        **params,
    )
    model, n = fitted.model, len(fitted.held_out[1])
    lines = (
        f"{len(model.classes_)} classes: {', '.join(map(str, model.classes_[:12]))}",
        f"{scored('classification', fitted.score)} on {n:,} held-out images",
    )
    save_model(model, lambda place: save_fitted_images(fitted, place, precision), path, lines)


def is_of_images(model: Path) -> bool:
    """Return whether a file has a model that was fitted on a folder of images.

    Raises
    ------
    click.ClickException
        If it has, but Pillow is not installed.
    """
    found = reads_images(container.read(model))
    if found:
        _check_pillow()
    return found


def image_predictions(model: Path, data: Path, device: str, proba: bool, skip_broken: bool) -> str:
    """Return the predictions for an image or a folder as the text of a CSV file."""
    found = predict_image_folder(model, data, device, proba=proba, skip_broken=skip_broken)
    return found.to_csv()


def _check_pillow() -> None:
    check_installed("PIL", "reading image files needs Pillow", "images")
