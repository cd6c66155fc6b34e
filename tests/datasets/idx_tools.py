"""Tools for the tests of IDX files: a tiny publisher, its files, and an empty cache."""

from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
import pytest

from deepreservoir.datasets.idx import ENVIRONMENT, IdxFile, IdxSource


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an array of uint8 in IDX: two zeros, type 8, the rank, the sizes, the data."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def idx_file(name: str, array: np.ndarray) -> tuple[IdxFile, bytes]:
    """Return the description and the content of a file that contains `array`."""
    content = idx_bytes(array)
    digest = hashlib.sha256(content).hexdigest()
    return IdxFile(name, len(content), digest, array.shape), content


@dataclass(frozen=True)
class Publisher:
    """Four tiny files of a publisher, and the arrays in them."""

    source: IdxSource
    arrays: tuple[np.ndarray, ...]
    contents: dict[str, bytes]  # by file name, without the gzip wrapper

    @property
    def file(self) -> IdxFile:
        """The first of the files, for tests of one."""
        return self.source.train_images

    def content(self) -> bytes:
        return self.contents[self.file.name]

    def put(self, root: Path, folder: str = "tiny") -> None:
        """Write all four files below `root`."""
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in self.contents.items():
            (root / folder / name).write_bytes(gzip.compress(content))


def publisher(seed: int = 0, url: str = "https://publisher.invalid/data/") -> Publisher:
    """Make a publisher of 12 + 5 images of 3 x 4."""
    generator = np.random.default_rng(seed)
    arrays = (
        generator.integers(0, 256, (12, 3, 4), dtype=np.uint8),
        generator.integers(0, 10, 12, dtype=np.uint8),
        generator.integers(0, 256, (5, 3, 4), dtype=np.uint8),
        generator.integers(0, 10, 5, dtype=np.uint8),
    )
    names = ("train-images.gz", "train-labels.gz", "test-images.gz", "test-labels.gz")
    made = [idx_file(name, array) for name, array in zip(names, arrays, strict=True)]
    source = IdxSource("tiny", ("tiny", "tiny-too"), url, *(file for file, _ in made))
    return Publisher(source, arrays, {file.name: content for file, content in made})


def empty_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, unset DEEPRESERVOIR_DATA, and let all downloads fail."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: folder / project)

    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError("a download was attempted")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    return folder / "deepreservoir"
