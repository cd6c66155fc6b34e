"""RandAugment (Cubuk et al., 2020): a few random operations of one magnitude, by Pillow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .draws import Draws

#: The largest magnitude.
LARGEST = 30


def rand_augmented(pixels: np.ndarray, n_ops: int, magnitude: float, draws: Draws) -> np.ndarray:
    """Return images after random operations, with the ranges of torchvision.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, height, width, 1 or 3)
    n_ops : int
        Number of operations on each image.
    magnitude : float
        Strength of the operations, from 0 to 30.
    draws : Draws
    """
    from PIL import Image

    chosen = draws.integers("rand_augment", len(_OPERATIONS), len(pixels), n_ops)
    negative = draws.uniform("rand_augment/sign", len(pixels), n_ops) < 0.5
    level, out = magnitude / LARGEST, np.empty_like(pixels)
    for i, array in enumerate(pixels):
        image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        for operation, sign in zip(chosen[i].tolist(), negative[i].tolist(), strict=True):
            image = _OPERATIONS[operation](image, level, -1 if sign else 1)
        out[i] = np.asarray(image).reshape(array.shape)
    return out


def _affine(image: Any, matrix: tuple[float, ...]) -> Any:
    from PIL import Image

    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def _shear_x(image: Any, level: float, sign: int) -> Any:
    slope = 0.3 * level * sign
    return _affine(image, (1, slope, -slope * image.height / 2, 0, 1, 0))


def _shear_y(image: Any, level: float, sign: int) -> Any:
    slope = 0.3 * level * sign
    return _affine(image, (1, 0, 0, slope, 1, -slope * image.width / 2))


def _translate_x(image: Any, level: float, sign: int) -> Any:
    return _affine(image, (1, 0, round(150 / 331 * level * sign * image.width), 0, 1, 0))


def _translate_y(image: Any, level: float, sign: int) -> Any:
    return _affine(image, (1, 0, 0, 0, 1, round(150 / 331 * level * sign * image.height)))


def _rotate(image: Any, level: float, sign: int) -> Any:
    return image.rotate(30 * level * sign)


def _enhanced(name: str) -> Callable[[Any, float, int], Any]:
    def enhance(image: Any, level: float, sign: int) -> Any:
        from PIL import ImageEnhance

        return getattr(ImageEnhance, name)(image).enhance(1 + 0.9 * level * sign)

    return enhance


def _posterize(image: Any, level: float, sign: int) -> Any:
    from PIL import ImageOps

    return ImageOps.posterize(image, 8 - round(4 * level))


def _solarize(image: Any, level: float, sign: int) -> Any:
    from PIL import ImageOps

    return ImageOps.solarize(image, round(256 * (1 - level)))


def _autocontrast(image: Any, level: float, sign: int) -> Any:
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


def _equalize(image: Any, level: float, sign: int) -> Any:
    from PIL import ImageOps

    return ImageOps.equalize(image)


def _identity(image: Any, level: float, sign: int) -> Any:
    return image


# The order decides which operation a draw means.
_OPERATIONS: tuple[Callable[[Any, float, int], Any], ...] = (
    _identity,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _rotate,
    _enhanced("Brightness"),
    _enhanced("Color"),
    _enhanced("Contrast"),
    _enhanced("Sharpness"),
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
