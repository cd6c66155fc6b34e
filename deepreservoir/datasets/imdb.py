"""Reviews of the Large Movie Review data set (Maas et al., 2011), as text for language models."""

from __future__ import annotations

import io
import tarfile

import numpy as np

from .base import Dataset
from .idx import DatasetUnavailable
from .local_files import find, missing, verified

_FOLDER, _ARCHIVE, _SIZE = "imdb", "aclImdb.tar.xz", 19_883_500
_SHA256 = "b028c2571923d0b9ff1a3f52f0e0097d42ad911a4363ac0cde6f8bd664c6bbc1"
_SOURCE = (
    "https://ai.stanford.edu/~amaas/data/sentiment/ (the folders train and test with pos and neg, "
    "packed with xz)"
)
_LARGEST_REVIEW = 100_000  # bytes; the largest of the training reviews that are read has fewer

_TRAIN, _HELD_OUT = 5_000, 500


def imdb_text() -> Dataset:
    """Return the texts of the first 5,000 training reviews, and of the 500 after them.

    Positive and negative reviews alternate, each kind in the order of the archive. They are read in
    memory, and nothing is extracted.
    """
    path = find(_FOLDER, _ARCHIVE)
    if path is None:
        raise missing("imdb_text", _FOLDER, _ARCHIVE, _SOURCE)
    texts = reviews(verified(path, _SIZE, _SHA256), (_TRAIN + _HELD_OUT) // 2)
    return Dataset(
        "imdb_text",
        texts[:_TRAIN],
        np.zeros(_TRAIN, np.int8),
        texts[_TRAIN:],
        np.zeros(_HELD_OUT, np.int8),
        task="language",
        metric="nats",
    )


def reviews(archive: bytes, each: int) -> list[str]:
    """Return `each` positive and as many negative training reviews of an archive, alternating.

    Raises
    ------
    DatasetUnavailable
        If it does not have as many, or a review is not a text of a plausible size.
    """
    found: dict[str, list[str]] = {"pos": [], "neg": []}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r|xz") as tar:
        for member in tar:
            parts = member.name.split("/")
            if not member.isreg() or parts[1:2] != ["train"] or len(parts) != 4:
                continue
            texts = found.get(parts[2])
            if texts is None or len(texts) == each:
                continue
            stream = tar.extractfile(member)
            if member.size > _LARGEST_REVIEW or stream is None:
                raise DatasetUnavailable(f"{member.name} has {member.size:,} bytes")
            texts.append(stream.read().decode("utf-8"))
            if all(len(texts) == each for texts in found.values()):
                return [text for pair in zip(*found.values(), strict=True) for text in pair]
    counts = " and ".join(f"{len(texts)} {kind}" for kind, texts in found.items())
    raise DatasetUnavailable(f"expected {each} training reviews of each kind; found {counts}")
