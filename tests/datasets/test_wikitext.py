"""WikiText: the files that are published, copies of them, and files that are something else."""

import gzip
import os
from pathlib import Path

import pytest

from deepreservoir import load_dataset
from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.experiments import protocol_for, references_for

VALIDATION = Path(os.environ.get("DEEPRESERVOIR_DATA", "/nowhere"), "wikitext2", "valid.txt.gz")
ARTICLES = [
    " = One <unk> = \n \n Some words . \n \n = = A section = = \n \n More words ; \n",
    " = 2 : Déjà vu ( film ) = \n \n It has a formula , \n = 1 <unk> / s and k = \n 1 . \n",
]
TEXT = " \n" + " \n".join(ARTICLES)
DAMAGED = bytearray(gzip.compress(TEXT.encode()))
DAMAGED[12] ^= 0xFF


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    monkeypatch.setattr("deepreservoir.datasets.local_files.cache_folder", lambda: tmp_path / "c")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("wikitext2", ("wikitext-2/wiki.train.tokens", "wikitext-2/wiki.test.tokens")),
        ("wikitext103", ("wikitext-103/wiki.train.tokens", "wikitext103/test.txt")),
        ("wikitext_validation", ("wikitext2/valid.txt.gz", "wikitext2/test.txt.gz")),
    ],
)
def test_documents_are_articles(folder, name, files):
    for file, text in zip(files, (TEXT, ARTICLES[0]), strict=True):
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        content = text.encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    data = load_dataset(name)
    assert data.X_train == [ARTICLES[0] + " \n", ARTICLES[1]]
    assert data.X_test == ARTICLES[:1]
    assert (data.task, data.scored_by, len(data.y_train)) == ("language", "nats", 2)
    assert dict(protocol_for(name).others)["vocabulary_size"] == 4096
    assert references_for(name) == ("trigram",)


def test_missing_files_are_named(folder):
    words = r"wikitext103 is not on this machine. Put wiki.train.tokens from .* wikitext-103"
    with pytest.raises(DatasetUnavailable, match=words):
        load_dataset("wikitext103")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("valid.txt", b"some words\n", "no line is a title"),
        ("valid.txt", b"\xff\xfe", "is not a text of WikiText"),
        ("valid.txt.gz", b"not compressed", "is not a text of WikiText"),
        ("valid.txt.gz", gzip.compress(TEXT.encode())[:-9], "is not a text of WikiText"),
        ("valid.txt.gz", DAMAGED, "is not a text of WikiText"),
    ],
)
def test_other_files_are_refused(folder, name, content, words):
    (folder / "wikitext2").mkdir()
    (folder / "wikitext2" / name).write_bytes(content)
    with pytest.raises(DatasetUnavailable, match=words):
        load_dataset("wikitext_validation")


@pytest.mark.skipif(not VALIDATION.is_file(), reason="needs WikiText's validation text")
def test_the_published_texts_have_60_articles_each():
    data = load_dataset("wikitext_validation")
    assert (len(data.X_train), len(data.X_test)) == (60, 60)
    words = [sum(len(text.split()) for text in texts) for texts in (data.X_train, data.X_test)]
    assert words == [213_886, 241_211]
    assert data.X_train[0].startswith(" = Homarus gammarus = \n")
