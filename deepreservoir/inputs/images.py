"""Images in memory or in files, checked, in one form."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ..checks import is_integer
from .image_files import ImageFiles

#: Numbers of channels by which the first axis of an image is recognised as its channels.
_CHANNELS = (1, 3, 4)


class ImageArray:
    """Images in an array, which may be mapped from a file.

    Parameters
    ----------
    pixels : ndarray of uint8 or float, shape (n, height, width, channels)
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.pixels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any) -> Self:
        return type(self)(self.pixels[index])

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Return the images at `index`, (m, height, width, channels)."""
        return np.asarray(self.pixels[index])


#: Images in either place.
ImageSource = ImageArray | ImageFiles


def images_of(
    X: Any,
    image_shape: Sequence[int] | None = None,
    image_size: Sequence[int] | None = None,
) -> ImageSource:
    """Return images in any of the accepted forms, checked, as one object.

    Parameters
    ----------
    X : array, list of arrays, list, array or pandas Series of paths, or ImageFiles
        An array has the shape (n, height, width, channels), or (n, height, width) for grey images,
        or (n, height * width * channels) with `image_shape`; its values are bytes (uint8), or
        numbers, which become float32 or stay float64.
    image_shape : (int, int) or (int, int, int), optional
        Shape of the image in each row of a table: height, width and number of channels.
    image_size : (int, int), optional
        Height and width to which images in files are resized.

    Raises
    ------
    ValueError, TypeError
        If images have different sizes, the first axis of an image looks like its channels, rows do
        not fit `image_shape`, or values are complex, masked or not finite; the message names the
        image.
    """
    if isinstance(X, ImageArray | ImageFiles):
        return X
    if are_paths(X):
        return ImageFiles(X, image_size)
    pixels = _array(X)
    if pixels.ndim == 2:
        height, width, channels = checked_shape(image_shape, pixels.shape[1])
        if _looks_like_channels_first((height, width, channels)):
            raise ValueError(
                "image_shape must be (height, width, channels), with the channels last, in this "
                f"order in the rows of X; {tuple(image_shape or ())} looks like channels first. "
                f"Use numpy.moveaxis(X.reshape(-1, {height}, {width}, {channels}), 1, -1)"
            )
        pixels = pixels.reshape(len(pixels), height, width, channels)
    elif pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or 0 in pixels.shape[1:]:
        raise ValueError(
            "X must be images of shape (n, height, width, channels) or (n, height, width), or rows "
            f"with image_shape=(height, width, channels); got an array of shape {pixels.shape}"
        )
    stated = tuple(image_shape or ()) == pixels.shape[1:]
    if _looks_like_channels_first(pixels.shape[1:]) and not stated:
        raise ValueError(
            "X must have its channels last, (n, height, width, channels); the shape "
            f"{pixels.shape} looks like channels first. Use numpy.moveaxis(X, 1, -1), or set "
            f"image_shape={pixels.shape[1:]} if the channels are last"
        )
    if pixels.dtype != np.uint8:
        pixels = _finite(pixels)
    return ImageArray(pixels)


def _looks_like_channels_first(shape: Sequence[int]) -> bool:
    return shape[0] in _CHANNELS and shape[2] not in _CHANNELS


def are_paths(X: Any) -> bool:
    """Return whether X is a list, an array or a pandas Series of the paths of files."""
    if not isinstance(X, list | tuple) and getattr(X, "ndim", 0) != 1:
        return False
    return len(X) > 0 and all(isinstance(x, str | os.PathLike) for x in X)


def check_values(X: Any) -> None:
    """Raise a ValueError if an array, or one of a list of arrays, has complex or masked values."""
    several = isinstance(X, list | tuple)
    for i, array in enumerate(X if several else [X]):
        name = f"X[{i}]" if several else "X"
        if getattr(getattr(array, "dtype", None), "kind", "") == "c":
            raise ValueError(
                f"Complex data not supported: {name} must hold bytes (uint8) or finite numbers; "
                f"got dtype {array.dtype}"
            )
        if np.ma.is_masked(array):
            raise ValueError(
                f"{name} must hold bytes (uint8) or finite numbers; got a masked array with "
                f"{np.ma.count_masked(array)} masked values. Fill them, as {name}.filled(0) does"
            )


def _array(X: Any) -> np.ndarray:
    check_values(X)
    if isinstance(X, list | tuple):
        shapes = [np.shape(image) for image in X]
        for i, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ValueError(
                    f"all images must have the same size; X[0] has shape {shapes[0]}, but X[{i}] "
                    f"has shape {shape}. Resize them, or pass the paths of files with "
                    "image_size=(height, width)"
                )
    array = np.asanyarray(X)
    check_values(array)  # a list may hold nested lists
    return array


def _finite(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as floats, or raise if one is not a finite number."""
    if pixels.dtype.kind not in "biuf":
        try:
            pixels = pixels.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"X must hold bytes (uint8) or finite numbers; got dtype {pixels.dtype} ({error})"
            ) from None
    if pixels.dtype.kind != "f" or pixels.dtype.itemsize not in (4, 8):
        pixels = pixels.astype(np.float32)
    for i, image in enumerate(pixels):
        if not np.isfinite(image).all():
            where = tuple(int(k) for k in np.argwhere(~np.isfinite(image))[0])
            raise ValueError(
                "X must hold bytes (uint8) or finite numbers; Input contains NaN or infinity: "
                f"X[{i}] has {image[where]} at (row, column, channel) = {where}"
            )
    return pixels


def checked_shape(image_shape: Any, n_features: int | None = None) -> tuple[int, int, int]:
    """Return `image_shape` as (height, width, channels), or raise a ValueError.

    Parameters
    ----------
    image_shape : (int, int) or (int, int, int), or None
    n_features : int, optional
        Number of values in each row, which must be that of the shape.
    """
    if image_shape is None:
        raise ValueError(
            f"X has rows of {n_features} values: give image_shape=(height, width) or (height, "
            "width, channels), or X of shape (n, height, width, channels)"
        )
    shape = tuple(image_shape) if isinstance(image_shape, Sequence | np.ndarray) else (None,)
    if len(shape) not in (2, 3) or not all(is_integer(n) and n >= 1 for n in shape):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels), such as (32, 32, "
            f"3); got {image_shape!r}"
        )
    height, width, channels = (*(int(n) for n in shape), 1)[:3]
    if n_features is not None and height * width * channels != n_features:
        raise ValueError(
            f"X has rows of {n_features} values, but image_shape={image_shape} has "
            f"{height} x {width} x {channels} = {height * width * channels}"
        )
    return height, width, channels


def digest_of(images: ImageSource) -> str:
    """Return a SHA-256 of shape, type and values; of files, their content."""
    sha = hashlib.sha256(f"images{images.shape}{images.dtype.str}".encode())
    if isinstance(images, ImageFiles):
        for path in images.paths:
            sha.update(hashlib.sha256(path.read_bytes()).digest())
    else:
        for image in images.pixels:
            sha.update(np.ascontiguousarray(image).data)
    return sha.hexdigest()
