"""Which random changes are made, as plain data, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backend import Array
from ...checks import is_finite_number, is_integer
from ..image_files import require_pillow
from .draws import Draws
from .geometric import cropped, erased, mirrored
from .mixing import mixed
from .rand_augment import LARGEST, rand_augmented

#: Values of augmentations that are given by name only.
DEFAULTS: Mapping[str, Any] = {
    "crop": 4,
    "flip": 0.5,
    "rand_augment": (2, 9),
    "mixup": (0.2, 0.8),
    "cutmix": (1.0, 0.5),
    "erasing": 0.25,
}

AUGMENTATIONS = tuple(DEFAULTS)

_EXPECTED = {
    "crop": "the number of pixels of padding, an integer of at least 1",
    "flip": "a probability",
    "rand_augment": f"(number of operations, magnitude from 0 to {LARGEST})",
    "mixup": "(alpha, probability) with a positive alpha",
    "cutmix": "(alpha, probability) with a positive alpha",
    "erasing": "a probability",
}


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the images of a training step.

    Their order is RandAugment on pixels; then, on standardised images, crop, flip, Mixup or CutMix,
    and erasing.

    Attributes
    ----------
    crop : int, optional
        Number of pixels of padding, of the mean colour, from which images are cut.
    flip : float, optional
        Probability of a mirror image.
    rand_augment : (int, float), optional
        Number of operations on each image, and their magnitude from 0 to 30.
    mixup, cutmix : (float, float), optional
        Alpha and probability.
    erasing : float, optional
        Probability that a rectangle is erased.

    Examples
    --------
    >>> Augmentation.of(["crop", "flip"])
    Augmentation(crop=4, flip=0.5, rand_augment=None, mixup=None, cutmix=None, erasing=None)
    """

    crop: int | None = None
    flip: float | None = None
    rand_augment: tuple[int, float] | None = None
    mixup: tuple[float, float] | None = None
    cutmix: tuple[float, float] | None = None
    erasing: float | None = None

    @classmethod
    def of(cls, value: Any) -> Augmentation | None:
        """Return the augmentation that a parameter describes; None for none at all.

        Parameters
        ----------
        value : None, str, sequence of str, or mapping of str to object
            Names, with the default values, or names with values.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        if value is None:
            return None
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, Mapping | Sequence) or not all(isinstance(n, str) for n in names):
            raise ValueError(
                "augmentation must be None, names such as ('crop', 'flip'), or a dict of values "
                f"such as {{'crop': 4}}; got {value!r}"
            )
        for name in names:
            if name not in DEFAULTS:
                raise ValueError(
                    f"augmentation must be among {', '.join(map(repr, DEFAULTS))}; got {name!r}"
                )
        values = names if isinstance(names, Mapping) else {name: DEFAULTS[name] for name in names}
        if not values:
            return None
        return cls(**{name: _checked(name, given) for name, given in values.items()})

    @property
    def mixes(self) -> bool:
        """Whether images, and so their targets, are mixed."""
        return self.mixup is not None or self.cutmix is not None

    @property
    def needs_host(self) -> bool:
        """Whether a change is made by Pillow, on the host."""
        return self.rand_augment is not None

    def check_images(self, shape: tuple[int, int, int], values: str) -> None:
        """Raise a ValueError if images of this shape and kind cannot be changed like this."""
        if self.rand_augment is None:
            return
        require_pillow()
        if values != "bytes" or shape[2] not in (1, 3):
            raise ValueError(
                "rand_augment needs images of bytes (uint8) with 1 or 3 channels; got "
                f"{values} with {shape[2]} channels"
            )

    def draws(self, seed: int, step: int) -> Draws:
        """Return the random numbers of a training step."""
        return Draws(seed, step)

    def on_pixels(self, pixels: np.ndarray, draws: Draws) -> np.ndarray:
        """Return raw images after the changes that are made to bytes."""
        assert self.rand_augment is not None, "asked for only where needs_host is true"
        return rand_augmented(pixels, *self.rand_augment, draws)

    def on_values(self, x: Array, draws: Draws) -> tuple[Array, dict[str, Any]]:
        """Return standardised images after all other changes, and side values of the batch.

        Images that are mixed come with ``share``, the part of the target that is the image's own.
        `x` may be overwritten.
        """
        if self.crop is not None:
            x = cropped(x, self.crop, draws)
        if self.flip is not None:
            x = mirrored(x, self.flip, draws)
        side = {}
        if self.mixes:
            x, side["share"] = mixed(x, self.mixup, self.cutmix, draws)
        if self.erasing is not None:
            x = erased(x, self.erasing, draws)
        return x, side


def _checked(name: str, value: Any) -> Any:
    """Return a value in the form that the class stores, or raise a ValueError."""
    error = ValueError(f"augmentation {name!r} must be {_EXPECTED[name]}; got {value!r}")
    if name == "crop":
        if not is_integer(value) or value < 1:
            raise error
        return int(value)
    if name in ("flip", "erasing"):
        if not _is_probability(value):
            raise error
        return float(value)
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise error
    first, second = value
    if name == "rand_augment":
        if not is_integer(first) or first < 1 or not is_finite_number(second):
            raise error
        if not 0 <= second <= LARGEST:
            raise error
        return int(first), float(second)
    if not is_finite_number(first) or first <= 0 or not _is_probability(second):
        raise error
    return float(first), float(second)


def _is_probability(value: Any) -> bool:
    return is_finite_number(value) and 0 <= value <= 1
