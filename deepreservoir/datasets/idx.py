"""MNIST and Fashion-MNIST in their original IDX format, read from disk or downloaded.

A file is searched for in the folder named by the environment variable DEEPRESERVOIR_DATA and in
the cache, and downloaded otherwise. The pinned SHA-256 is that of the decompressed content, since
publishers compress the same bytes differently.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch

ENVIRONMENT = "DEEPRESERVOIR_DATA"


class DatasetUnavailable(OSError):
    """The files are missing and cannot be downloaded; the message says which file to put where."""


@dataclass(frozen=True)
class IdxFile:
    """A gzip file: its name, the size and SHA-256 of its content, and the shape of its array."""

    name: str
    size: int
    sha256: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class IdxSource:
    """The four files of a data set: where to find them, and what they must contain."""

    name: str
    folders: tuple[str, ...]
    url: str
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile


def _source(name: str, folders: tuple[str, ...], url: str, hashes: tuple[str, ...]) -> IdxSource:
    return IdxSource(
        name,
        folders,
        url,
        IdxFile("train-images-idx3-ubyte.gz", 47_040_016, hashes[0], (60_000, 28, 28)),
        IdxFile("train-labels-idx1-ubyte.gz", 60_008, hashes[1], (60_000,)),
        IdxFile("t10k-images-idx3-ubyte.gz", 7_840_016, hashes[2], (10_000, 28, 28)),
        IdxFile("t10k-labels-idx1-ubyte.gz", 10_008, hashes[3], (10_000,)),
    )


MNIST = _source(
    "mnist",
    ("mnist",),
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_MNIST = _source(
    "fashion_mnist",
    ("fashion_mnist", "fashion-mnist"),
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)


def cache_folder() -> Path:
    """Return the folder of downloaded data sets."""
    return Path(pooch.os_cache("deepreservoir"))


def _candidates(source: IdxSource, file: IdxFile) -> Iterator[Path]:
    roots = [cache_folder()]
    if os.environ.get(ENVIRONMENT):
        roots.insert(0, Path(os.environ[ENVIRONMENT]))
    for root in roots:
        for folder in source.folders:
            yield root / folder / file.name


def _content(path: Path, file: IdxFile) -> bytes:
    """Return the verified content of a gzip file, without reading more than expected."""
    try:
        with gzip.open(path) as stream:
            content = stream.read(file.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetUnavailable(
            f"{path} is not a complete gzip file ({error}); delete it and try again"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DatasetUnavailable(
            f"{path} does not contain the published data: expected content with SHA-256 "
            f"{file.sha256}, found {digest} (of the first {len(content)} bytes). Delete it and "
            "try again"
        )
    return content


def _download(source: IdxSource, file: IdxFile) -> bytes:
    """Download one file into the cache, and keep it only if its content is correct."""
    folder = cache_folder() / source.folders[0]
    part = f"{file.name}.part-{os.getpid()}-{threading.get_ident()}"
    path = folder / part
    try:
        pooch.retrieve(
            source.url + file.name, known_hash=None, fname=part, path=folder, progressbar=True
        )
        content = _content(path, file)
        path.replace(folder / file.name)
    except Exception as error:  # no network, no disk space or wrong content: the remedy is the same
        locations = " or ".join(
            str(candidate) for candidate in dict.fromkeys(_candidates(source, file))
        )
        raise DatasetUnavailable(
            f"{source.name} is not on this machine and could not be downloaded from "
            f"{source.url}{file.name} ({error}). Put the file {file.name} at {locations}, or set "
            f"{ENVIRONMENT} to the folder that contains {source.folders[0]}/"
        ) from None
    finally:
        path.unlink(missing_ok=True)
    return content


def _read(source: IdxSource, file: IdxFile) -> np.ndarray:
    path = next((path for path in _candidates(source, file) if path.is_file()), None)
    content = _download(source, file) if path is None else _content(path, file)
    header = 4 + 4 * len(file.shape)  # magic number, then the size of each dimension
    return np.frombuffer(content, np.uint8, offset=header).reshape(file.shape)


def load_idx(source: IdxSource) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (train images, train labels, test images, test labels), all uint8.

    Raises
    ------
    DatasetUnavailable
        If a file is damaged, or is missing and cannot be downloaded.
    """
    files = (source.train_images, source.train_labels, source.test_images, source.test_labels)
    a, b, c, d = (_read(source, file) for file in files)
    return a, b, c, d
