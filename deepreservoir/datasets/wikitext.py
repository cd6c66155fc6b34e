"""WikiText (Merity et al., 2016), articles of Wikipedia as text for language models."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from .base import Dataset
from .idx import DatasetUnavailable
from .local_files import find, missing

#: Names of a part's file: those that are published, and copies of their content.
_NAMES = ("wiki.{}.tokens", "{}.txt", "{}.txt.gz")
_FOLDERS = {
    "wikitext2": ("wikitext2", "wikitext-2"),
    "wikitext103": ("wikitext103", "wikitext-103"),
}
_SOURCE = "the archive of word-level tokens of Merity et al., https://arxiv.org/abs/1609.07843"

#: The line that begins an article, between empty ones; titles of sections have more equals signs.
_TITLE = re.compile(r"(?:\A|(?<=^ \n)) = (?!=)[^\n]*[^=\n] = *\n \n", re.MULTILINE)


def wikitext(name: str) -> Dataset:
    """Return the articles of the training text, and of the test text.

    Parameters
    ----------
    name : {"wikitext2", "wikitext103"}

    Raises
    ------
    DatasetUnavailable
        If a file is missing, or is not a text of articles.
    """
    return _dataset(name, name, "train")


def wikitext_validation() -> Dataset:
    """Return the articles of the validation text, as training text, and of the test text.

    WikiText-2 and WikiText-103 have the same two, of about 214,000 and 241,000 words.
    """
    return _dataset("wikitext_validation", "wikitext2", "valid")


def _dataset(name: str, source: str, training: str) -> Dataset:
    train, test = (articles(_path(name, source, part)) for part in (training, "test"))
    return Dataset(
        name,
        train,
        np.zeros(len(train), np.int8),
        test,
        np.zeros(len(test), np.int8),
        task="language",
        metric="nats",
    )


def _path(name: str, source: str, part: str) -> Path:
    folders = _FOLDERS[source]
    for folder in folders:
        for pattern in _NAMES:
            path = find(folder, pattern.format(part))
            if path is not None:
                return path
    raise missing(name, folders[-1], _NAMES[0].format(part), _SOURCE)


def articles(path: Path) -> list[str]:
    """Return the articles of a file, which may be compressed with gzip; none is empty.

    Raises
    ------
    DatasetUnavailable
        If it is not a text in UTF-8, or no line of it begins an article.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DatasetUnavailable(f"{path} is not a text of WikiText ({error})") from None
    starts = [found.start() for found in _TITLE.finditer(text)]
    if not starts:
        raise DatasetUnavailable(
            f"{path} is not a text of WikiText: no line is a title, such as ' = Title = '"
        )
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
