"""Reviews of the Large Movie Review data set (Maas et al., 2011), with labels or as text."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import numpy as np

from ..inputs import WordPieces
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
_EACH = 12_500  # reviews of each kind in each part

_VOCABULARY = ("bert", "vocab.txt", 231_508)
_VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_VOCABULARY_SOURCE = "https://huggingface.co/google-bert/bert-base-uncased (vocab.txt)"


def imdb() -> Dataset:
    """Return 25,000 training and 25,000 test reviews, of which half are positive."""
    return _labelled("imdb", _EACH)


def imdb_5000() -> Dataset:
    """Return the first 5,000 training and 5,000 test reviews, of which half are positive."""
    return _labelled("imdb_5000", 2_500)


def _labelled(name: str, each: int) -> Dataset:
    """Return the first `each` reviews of each kind of both parts, with their labels.

    Encoders read them with the word pieces of bert-base-uncased.
    """
    archive = _archive(name)
    folder, file, size = _VOCABULARY
    vocabulary = find(folder, file)
    if vocabulary is None:
        raise missing(name, folder, file, _VOCABULARY_SOURCE)
    lines = verified(vocabulary, size, _VOCABULARY_SHA256).decode().removesuffix("\n")
    X_train, X_test = reviews(archive, each, ("train", "test"))
    y = np.tile(np.array(["positive", "negative"]), each)
    pieces = WordPieces(lines.split("\n"), str(vocabulary))
    return Dataset(name, X_train, y, X_test, y.copy(), parameters={"vocabulary": pieces})


def _archive(name: str) -> bytes:
    """Return the verified archive of reviews."""
    path = find(_FOLDER, _ARCHIVE)
    if path is None:
        raise missing(name, _FOLDER, _ARCHIVE, _SOURCE)
    return verified(path, _SIZE, _SHA256)


def imdb_text() -> Dataset:
    """Return the texts of the first 5,000 training reviews, and of the 500 after them.

    Positive and negative reviews alternate, each kind in the order of the archive. They are read in
    memory, and nothing is extracted.
    """
    (texts,) = reviews(_archive("imdb_text"), (_TRAIN + _HELD_OUT) // 2)
    return Dataset(
        "imdb_text",
        texts[:_TRAIN],
        np.zeros(_TRAIN, np.int8),
        texts[_TRAIN:],
        np.zeros(_HELD_OUT, np.int8),
        task="language",
        metric="nats",
    )


def reviews(archive: bytes, each: int, parts: Sequence[str] = ("train",)) -> list[list[str]]:
    """Return positive and negative reviews of an archive, alternating.

    Parameters
    ----------
    archive : bytes
    each : int
        Number of reviews of each kind.
    parts : sequence of {"train", "test"}, default=("train",)

    Returns
    -------
    list of list of str
        The reviews of each part, each kind in the order of the archive.

    Raises
    ------
    DatasetUnavailable
        If a part does not have as many, or a review is not a text of a plausible size.
    """
    found: dict[tuple[str, str], list[str]] = {
        (part, kind): [] for part in parts for kind in ("pos", "neg")
    }
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r|xz") as tar:
        for member in tar:
            folders = member.name.split("/")
            if not member.isreg() or len(folders) != 4:
                continue
            texts = found.get((folders[1], folders[2]))
            if texts is None or len(texts) == each:
                continue
            stream = tar.extractfile(member)
            if member.size > _LARGEST_REVIEW or stream is None:
                raise DatasetUnavailable(f"{member.name} has {member.size:,} bytes")
            texts.append(stream.read().decode("utf-8"))
            if all(len(texts) == each for texts in found.values()):
                return [_alternating(found[part, "pos"], found[part, "neg"]) for part in parts]
    counts = ", ".join(f"{len(texts)} in {'/'.join(place)}" for place, texts in found.items())
    raise DatasetUnavailable(f"expected {each} reviews of each kind; found {counts}")


def _alternating(first: list[str], second: list[str]) -> list[str]:
    return [text for pair in zip(first, second, strict=True) for text in pair]
