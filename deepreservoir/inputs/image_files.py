"""Images in files, which are decoded when they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..checks import is_integer
from ..user_warnings import warn_user

#: Decoded images are kept in memory if all of them take at most this many bytes.
CACHE_BYTES = 1 << 30

#: Files with more pixels are refused: a small file can ask for a huge image.
MAX_PIXELS = 1 << 28

#: Endings of the files that :func:`image_folder` reads.
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_GREY = ("1", "L", "LA", "F")

_REMEDY = "Remove the file, or leave such files of a folder out with skip_broken=True"


class ImageFiles:
    """Images of one size in files, as an X of the image estimators.

    It can be indexed like an array of images. Files are decoded by the batch; they are kept in
    memory once decoded if all of them take at most `cache_bytes`. Images are turned as their EXIF
    data says, and colours are converted to RGB, unless all files are grey. Grey values of 16 bits
    are divided by 256. Grey values of floating point must lie from 0 to 1, and are multiplied by
    255, or from 0 to 255. It needs Pillow, the extra ``images``.

    Parameters
    ----------
    paths : sequence of str or path
    image_size : (int, int), optional
        Height and width to which every image is resized. By default all images must have the same
        size.
    cache_bytes : int, default=2**30

    Attributes
    ----------
    shape : (int, int, int, int)
        (n, height, width, channels).
    dtype : numpy dtype
        uint8.

    Raises
    ------
    ValueError
        If there are no files, a file is missing or not an image, or sizes differ without
        `image_size`; the message names the file. Files whose pixels are broken or out of range are
        refused when they are decoded.
    TypeError
        If `paths` is a single path.
    ImportError
        If Pillow is not installed.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        image_size: Sequence[int] | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        require_pillow()
        if isinstance(paths, str | os.PathLike):
            raise TypeError(
                f"paths must be a list of paths; got the single path {str(paths)!r}. Pass it in a "
                "list, or read a folder with image_folder"
            )
        self.paths = [Path(path) for path in paths]
        if not self.paths:
            raise ValueError("X must have at least one file; got an empty list")
        size = checked_size(image_size)
        headers = [_header(path) for path in self.paths]
        if size is None:
            size = headers[0][0]
            for path, (other, _) in zip(self.paths, headers, strict=True):
                if other != size:
                    raise ValueError(
                        "all images must have the same size, unless image_size=(height, width) is "
                        f"given: {self.paths[0]} is {size[0]} x {size[1]} (height x width), but "
                        f"{path} is {other[0]} x {other[1]}"
                    )
        self.channels = 1 if all(_is_grey(mode) for _, mode in headers) else 3
        self.size, self.cache_bytes = size, int(cache_bytes)
        self._decoded: np.ndarray | None = None
        self._known: np.ndarray | None = None

    def _of(self, paths: list[Path]) -> Self:
        """Return other files, with the size and the channels of these."""
        other = object.__new__(type(self))
        other.paths, other.size, other.channels = paths, self.size, self.channels
        other.cache_bytes, other._decoded, other._known = self.cache_bytes, None, None
        return other

    def with_channels(self, channels: int) -> Self:
        """Return the same files, read as grey (1) or as colour images (3)."""
        other = self._of(self.paths)
        other.channels = channels
        return other

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), *self.size, self.channels)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Self:
        """Return the images at `index`: an integer, a slice, a mask or an array of integers."""
        if isinstance(index, tuple):  # scikit-learn indexes an array as array[index, ...]
            index = index[0]
        chosen = np.atleast_1d(np.arange(len(self))[index])
        part = self._of([self.paths[i] for i in chosen])
        if self._decoded is not None and self._known is not None and self._known[chosen].all():
            part._decoded, part._known = self._decoded[chosen], np.ones(len(chosen), bool)
        return part

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.rows(np.arange(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoded": None, "_known": None}

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Return the images at `index`, decoded: uint8, (m, height, width, channels).

        Raises
        ------
        ValueError
            If a file cannot be decoded, or its values are out of range; the message names it.
        """
        index = np.asarray(index)
        if int(np.prod(self.shape)) > self.cache_bytes:
            return self._decode(index)
        if self._decoded is None or self._known is None:
            self._decoded, self._known = np.empty(self.shape, np.uint8), np.zeros(len(self), bool)
        new = np.unique(index[~self._known[index]])
        if len(new):
            self._decoded[new] = self._decode(new)
            self._known[new] = True
        return self._decoded[index]

    def _decode(self, index: np.ndarray) -> np.ndarray:
        out = np.empty((len(index), *self.shape[1:]), np.uint8)

        def decode(place: int) -> None:
            out[place] = _pixels(self.paths[index[place]], self.size, self.channels)

        if len(index) < 2:
            for place in range(len(index)):
                decode(place)
        else:  # Pillow decodes without the lock of the interpreter
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                list(pool.map(decode, range(len(index))))
        return out


def image_folder(
    folder: str | os.PathLike[str],
    image_size: Sequence[int] | None = None,
    *,
    skip_broken: bool = False,
    cache_bytes: int = CACHE_BYTES,
) -> tuple[ImageFiles, np.ndarray]:
    """Return the images in the subfolders of a folder, and the name of the subfolder of each.

    Parameters
    ----------
    folder : str or path
        Every subfolder with at least one image is a class. Files and folders whose names begin
        with a dot are left out.
    image_size : (int, int), optional
        Height and width to which every image is resized.
    skip_broken : bool, default=False
        Whether files that cannot be decoded are left out, with one warning that counts them,
        rather than refused. Every file is decoded once for this.
    cache_bytes : int, default=2**30
        Decoded images are kept in memory if all of them take at most this many bytes.

    Returns
    -------
    X : ImageFiles
    y : ndarray of str, shape (n,)

    Raises
    ------
    ValueError
        If there is no folder of that name, or none of its subfolders has images, or a file is
        broken.
    ImportError
        If Pillow is not installed: it is the extra ``images``.

    Examples
    --------
    >>> X, y = image_folder("flowers", image_size=(32, 32))  # doctest: +SKIP
    """
    require_pillow()
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"there is no folder {root}")
    classes = {
        sub.name: image_paths(sub)
        for sub in sorted(root.iterdir())
        if sub.is_dir() and not sub.name.startswith(".")
    }
    found = [(path, name) for name, paths in classes.items() for path in paths]
    if not found:
        raise ValueError(
            f"{root} must have one subfolder of images per class; no subfolder has a file that "
            f"ends in {', '.join(ENDINGS)}"
        )
    if skip_broken:
        whole = set(without_broken([path for path, _ in found], root))
        found = [pair for pair in found if pair[0] in whole]
    files = ImageFiles([path for path, _ in found], image_size, cache_bytes)
    return files, np.array([name for _, name in found])


def image_paths(folder: Path) -> list[Path]:
    """Return the files of images at any depth of a folder, sorted; hidden ones are left out.

    A file is hidden if its name, or that of a folder between it and `folder`, begins with a dot.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def without_broken(paths: Sequence[Path], root: Path) -> list[Path]:
    """Return the files of a folder that can be decoded; warn if there are others.

    Raises
    ------
    ValueError
        If none can be decoded.
    """
    whole = [path for path in paths if _is_whole(path)]
    if not whole:
        raise ValueError(f"none of the {len(paths)} files in {root} can be decoded")
    if len(whole) < len(paths):
        first = next(path for path in paths if path not in set(whole))
        warn_user(
            f"left out {len(paths) - len(whole)} of {len(paths)} files that cannot be decoded, "
            f"such as {first}"
        )
    return whole


def checked_size(image_size: Any) -> tuple[int, int] | None:
    """Return `image_size` as (height, width), or raise a ValueError."""
    if image_size is None:
        return None
    size = tuple(image_size) if isinstance(image_size, Iterable) else (image_size,)
    if len(size) != 2 or not all(is_integer(n) and n >= 1 for n in size):
        raise ValueError(
            f"image_size must be (height, width), such as (32, 32), or None; got {image_size!r}"
        )
    return int(size[0]), int(size[1])


def require_pillow() -> None:
    """Raise an ImportError that says how to install Pillow, unless it is installed."""
    if find_spec("PIL") is None:
        raise ImportError("reading image files needs Pillow: pip install 'deepreservoir[images]'")


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        image = Image.open(path)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise ValueError(
            f"{path} is not an image that Pillow can read ({error}). {_REMEDY}"
        ) from None
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.height} x {image.width}"
        image.close()
        raise ValueError(f"{path} has {size} pixels; at most {MAX_PIXELS:,} are read")
    return image


def _orientation(path: Path, image: Any) -> int:
    """Return the EXIF orientation, from 1 (upright) to 8."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # to look for it behind the pixels would decode them
    try:
        return int(image.getexif().get(0x0112, 1))
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        raise ValueError(f"{path} has EXIF data that cannot be read ({error})") from None


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """Return height and width as the image is turned, and its colour mode."""
    with _opened(path) as image:
        height, width = image.height, image.width
        if _orientation(path, image) in (5, 6, 7, 8):  # a quarter turn
            height, width = width, height
        return (height, width), image.mode


def _is_grey(mode: str) -> bool:
    return mode in _GREY or _is_integer_grey(mode)


def _is_integer_grey(mode: str) -> bool:
    """Return whether the pixels of a mode of Pillow are grey integers of more than 8 bits."""
    return mode == "I" or mode.startswith("I;16")


@contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is broken ({error}). {_REMEDY}") from None


def _pixels(path: Path, size: tuple[int, int], channels: int) -> np.ndarray:
    """Return one image, uint8, (height, width, channels)."""
    from PIL import Image, ImageOps

    with _opened(path) as image:
        with _errors_naming(path):
            turned = image if _orientation(path, image) == 1 else ImageOps.exif_transpose(image)
            turned.load()
        # Pillow cannot convert these modes to 8 bits without clipping them.
        if turned.mode == "F" or _is_integer_grey(turned.mode):
            turned = Image.fromarray(_bytes_of(path, turned))
        with _errors_naming(path):
            turned = turned.convert("L" if channels == 1 else "RGB")
            if (turned.height, turned.width) != size:
                turned = turned.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(turned).reshape(*size, channels)


def _bytes_of(path: Path, image: Any) -> np.ndarray:
    """Return grey pixels of 16 bits or of floating point as uint8, (height, width)."""
    values = np.asarray(image, np.float64)
    low, high = values.min(), values.max()  # NaN if a value is
    if image.mode == "F":
        white, factor = 255, 255.0 if high <= 1 else 1.0  # shares of white, as in scikit-image
        expected = "from 0 to 1, or from 0 to 255"
    else:  # 16-bit files are opened as "I" by some versions of Pillow
        white, factor = 65535, 1 / 256
        expected = "from 0 to 65535"
    if not (low >= 0 and high <= white):
        raise ValueError(
            f"{path} must have values {expected}; got a minimum of {low:g} and a maximum of "
            f"{high:g}. Scale its values to this range, and write the file again"
        )
    return (values * factor).astype(np.uint8)


def _is_whole(path: Path) -> bool:
    try:
        size, _ = _header(path)
        _pixels(path, size, 3)
    except ValueError:
        return False
    return True
