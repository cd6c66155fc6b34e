"""Images as inputs of networks: standardised, in batches, and augmented during training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..backend import Array, Device, array_module, on_device_of, to_device
from ..checks import check_flag
from ..moments import scale_of
from .augmentation import Augmentation
from .base import Batch, Index, Inputs, Reader
from .finite import cast_finite
from .image_files import ImageFiles
from .images import ImageArray, ImageSource, digest_of, images_of

#: Images in memory with at most this many bytes are moved to a device as a whole.
RESIDENT_BYTES = 4 << 30

#: Images that are read at a time to compute their statistics.
_CHUNK = 256

_PLAIN = frozenset(("image_shape", "standardize", "values"))


class ImageReader(Reader):
    """The reader of images.

    Parameters
    ----------
    standardize : bool, default=True
        Whether each channel is centred and divided by its standard deviation, both over all pixels
        of the training images. Otherwise bytes are divided by 255, and other numbers stay as they
        are.

    Examples
    --------
    >>> reader = ImageReader().fit(np.zeros((5, 8, 8), np.uint8))
    >>> reader.sizes()
    {'image_shape': (8, 8, 1)}
    """

    def __init__(self, standardize: bool = True) -> None:
        check_flag("standardize", standardize)
        self.standardize = bool(standardize)
        self.image_shape: tuple[int, int, int] = (0, 0, 0)
        self.values = "bytes"
        self.mean = self.scale = np.empty(0)

    def fit(self, X: Any) -> Self:
        images = images_of(X)
        self.image_shape = images.shape[1:]
        self.values = _kind(images)
        channels = self.image_shape[2]
        self.mean = np.zeros(channels)
        self.scale = np.full(channels, 255.0 if self.values == "bytes" else 1.0)
        return self

    def fit_training(self, inputs: Inputs) -> None:
        assert isinstance(inputs, Images)
        chunks = [
            np.arange(start, min(start + _CHUNK, len(inputs)))
            for start in range(0, len(inputs), _CHUNK)
        ]
        if self.values == "bytes":
            # Files are decoded in any case, so that a broken one is found before training.
            if self.standardize or isinstance(inputs.images, ImageFiles):
                mean, scale = self._moments_of_bytes(inputs, chunks)
        elif self.standardize:
            mean, scale = self._moments_of_floats(inputs, chunks)
        if self.standardize:
            self.mean, self.scale = mean, scale

    def _moments_of_bytes(
        self, inputs: Images, chunks: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and scale of each channel in one pass: sums of integers are exact."""
        n = 0
        sums, squares = np.zeros((2, self.image_shape[2]), np.int64)
        for index in chunks:
            pixels = inputs.images.rows(index).reshape(-1, self.image_shape[2]).astype(np.int64)
            n += len(pixels)
            sums += pixels.sum(axis=0)
            squares += (pixels * pixels).sum(axis=0)
        exact = [n * int(q) - int(s) ** 2 for s, q in zip(sums, squares, strict=True)]
        deviation = np.sqrt(np.array(exact, dtype=np.float64)) / n
        return sums / n, np.where(deviation > 0, deviation, 1.0)

    def _moments_of_floats(
        self, inputs: Images, chunks: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and scale of each channel; two passes keep the digits of large offsets."""
        n = len(inputs) * self.image_shape[0] * self.image_shape[1]

        def values(index: np.ndarray) -> np.ndarray:
            rows = inputs.images.rows(index)
            return rows.reshape(-1, self.image_shape[2]).astype(np.float64)

        with np.errstate(over="ignore", invalid="ignore"):
            mean = sum(values(index).sum(axis=0) for index in chunks) / n
            squares = sum(((values(index) - mean) ** 2).sum(axis=0) for index in chunks) / n
        if not np.isfinite(squares).all():
            raise ValueError("the values of X are too large; divide them by a constant")
        return mean, scale_of(np.sqrt(squares), mean, n)

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> Images:
        images = images_of(X)
        if images.shape[1:] != self.image_shape:
            raise ValueError(
                f"X has images of shape {images.shape[1:]} (height, width, channels); expected "
                f"{self.image_shape}, as in fit"
                + (
                    ". A single image is passed as X[None]"
                    if images.shape == (*self.image_shape, 1)
                    else ""
                )
            )
        if _kind(images) != self.values:
            raise ValueError(
                f"X holds {_kind(images)} ({images.dtype}), but the images in fit held "
                f"{self.values}. "
                + (
                    "Pass bytes, with dtype uint8"
                    if self.values == "bytes"
                    else "Convert them as those in fit, for instance X / 255"
                )
            )
        return Images(images, self, dtype, device)

    def sizes(self) -> dict[str, Any]:
        return {"image_shape": self.image_shape}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        plain = {
            "image_shape": list(self.image_shape),
            "standardize": self.standardize,
            "values": self.values,
        }
        return plain, {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        if set(plain) != _PLAIN or not {"mean", "scale"} <= set(tensors):
            raise ValueError(
                f"the state of a reader of images is {', '.join(sorted(_PLAIN))} and the arrays "
                f"mean and scale; got {sorted(plain)} and {sorted(tensors)}"
            )
        reader = cls(plain["standardize"])
        shape = plain["image_shape"]
        if (
            not isinstance(shape, list)
            or len(shape) != 3
            or not all(type(n) is int and n >= 1 for n in shape)
        ):
            raise ValueError(f"image_shape must be three positive integers; got {shape!r:.60}")
        if plain["values"] not in ("bytes", "floats"):
            raise ValueError(f"values must be 'bytes' or 'floats'; got {plain['values']!r:.60}")
        reader.image_shape, reader.values = tuple(shape), plain["values"]
        for name in ("mean", "scale"):
            array = tensors[name]
            if array.dtype != np.float64 or array.shape != (shape[2],):
                raise ValueError(
                    f"{name} must be float64 of shape ({shape[2]},); got {array.dtype} of shape "
                    f"{array.shape}"
                )
            if not np.isfinite(array).all() or (name == "scale" and not (array > 0).all()):
                raise ValueError(f"{name} must be finite, and a scale positive")
        reader.mean, reader.scale = tensors["mean"], tensors["scale"]
        return reader


def _kind(images: ImageSource) -> str:
    return "bytes" if images.dtype == np.uint8 else "floats"


class Images(Inputs):
    """Images, supplied as batches ``x`` (n, height, width, channels).

    Parameters
    ----------
    images : ImageArray or ImageFiles
    reader : ImageReader
        It is asked for mean and scale when a batch is taken: they may be fitted later than these
        inputs are made.
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}
    augmentation : Augmentation, optional
        Random changes of the batches that belong to a training step.
    seed : int, default=0
        Seed of the augmentation.
    mirrored : bool, default=False
        Whether images are mirrored left to right.

    Examples
    --------
    >>> pixels = np.zeros((5, 8, 8, 3), np.uint8)
    >>> reader = ImageReader().fit(pixels)
    >>> inputs = reader.read(pixels, np.float32, "cpu")
    >>> reader.fit_training(inputs)
    >>> inputs.take(np.array([0, 1])).x.shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        images: ImageSource,
        reader: ImageReader,
        dtype: np.dtype[Any] | type,
        device: Device = "cpu",
        augmentation: Augmentation | None = None,
        seed: int = 0,
        mirrored: bool = False,
    ) -> None:
        self.images, self.reader = images, reader
        self.dtype, self.device = np.dtype(dtype), device
        self.augmentation, self.seed, self.mirrored = augmentation, seed, mirrored
        self._resident: Array | None = None

    def _like(self, images: ImageSource, **changes: Any) -> Self:
        state = {"augmentation": self.augmentation, "seed": self.seed, "mirrored": self.mirrored}
        return type(self)(images, self.reader, self.dtype, self.device, **{**state, **changes})

    def augmented(self, augmentation: Augmentation, seed: int) -> Self:
        """Return the same images, augmented in every training step."""
        return self._like(self.images, augmentation=augmentation, seed=seed)

    def flipped(self) -> Self:
        """Return the same images, mirrored left to right."""
        return self._like(self.images, mirrored=not self.mirrored)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def takes_device_index(self) -> bool:
        return False

    def take(self, index: Array, step: int | None = None) -> Batch:
        augmentation = self.augmentation if step is not None else None
        if augmentation is None:
            return Batch(self._standardised(self._pixels(index)))
        assert step is not None
        draws = augmentation.draws(self.seed, step)
        pixels = self._pixels(index, augmentation.needs_host)
        if augmentation.needs_host:
            pixels = to_device(augmentation.on_pixels(pixels, draws), self.device)
        x, side = augmentation.on_values(self._standardised(pixels), draws)
        return Batch(x, side)

    def _pixels(self, index: Array, on_host: bool = False) -> Array:
        """Return raw images, on the device unless `on_host`."""
        if self.device == "cpu" or on_host:
            return self.images.rows(index)
        if isinstance(self.images, ImageArray) and self.images.pixels.nbytes <= RESIDENT_BYTES:
            if self._resident is None:
                self._resident = to_device(np.ascontiguousarray(self.images.pixels), self.device)
            return self._resident[to_device(np.asarray(index), self.device)]
        return to_device(self.images.rows(index), self.device)

    def _standardised(self, pixels: Array) -> Array:
        xp, reader = array_module(pixels), self.reader
        # In float64 a large common offset would otherwise cost digits of float32 values.
        wide = pixels.dtype == np.float64
        x = pixels.astype(np.float64 if wide else self.dtype)
        x -= on_device_of(x, reader.mean.astype(x.dtype))
        x *= on_device_of(x, (1 / reader.scale).astype(x.dtype))
        on_host = wide and xp is np
        x = cast_finite(x, self.dtype) if on_host else x.astype(self.dtype, copy=False)
        return xp.ascontiguousarray(x[:, :, ::-1]) if self.mirrored else x

    def subset(self, index: np.ndarray) -> Self:
        return self._like(self.images[index])

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        size = max(1, min(_CHUNK, nbytes // max(1, sample_bytes)))
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.take(np.arange(start, stop))

    def keys(self) -> list[bytes] | None:
        """Return the bytes of each image; None for images in files, which are not merged."""
        if isinstance(self.images, ImageFiles):
            return None
        return [np.ascontiguousarray(image).tobytes() for image in self.images.pixels]

    def digest(self) -> str:
        return f"{digest_of(self.images)}{self.augmentation or ''}{self.mirrored or ''}"
