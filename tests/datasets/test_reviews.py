"""Reviews of films in an archive, with labels, and what is missing or damaged."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from idx_tools import empty_cache

from deepreservoir import load_dataset
from deepreservoir.datasets import DatasetUnavailable, imdb

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fine", "dull"]


def archive(each=3, kinds=("neg", "pos"), text="{part} {kind} {i}"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as tar:
        for part in ("train", "test"):
            for kind in kinds:
                for i in range(each):
                    content = text.format(part=part, kind=kind, i=i).encode()
                    member = tarfile.TarInfo(f"aclImdb/{part}/{kind}/{i}_9.txt")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a cache with a small archive and vocabulary in the place of the published ones."""
    folder = empty_cache(tmp_path / "cache", monkeypatch)
    contents = {"imdb/aclImdb.tar.xz": archive(), "bert/vocab.txt": "\n".join(PIECES).encode()}
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    first, second = contents.values()
    monkeypatch.setattr(imdb, "_SIZE", len(first))
    monkeypatch.setattr(imdb, "_SHA256", hashlib.sha256(first).hexdigest())
    monkeypatch.setattr(imdb, "_VOCABULARY", ("bert", "vocab.txt", len(second)))
    monkeypatch.setattr(imdb, "_VOCABULARY_SHA256", hashlib.sha256(second).hexdigest())
    monkeypatch.setattr(imdb, "_EACH", 3)
    return folder


def test_positive_and_negative_reviews_alternate_in_both_parts(here):
    data = load_dataset("imdb")
    assert data.X_train[:3] == ["train pos 0", "train neg 0", "train pos 1"]
    assert data.X_test[-2:] == ["test pos 2", "test neg 2"]
    for X, y in ((data.X_train, data.y_train), (data.X_test, data.y_test)):
        assert len(X) == 6
        assert (y == np.where([" pos " in text for text in X], "positive", "negative")).all()
    assert list(data.parameters["vocabulary"].tokens) == PIECES
    assert (data.task, data.scored_by) == ("classification", "accuracy")


def test_missing_files_are_named(here):
    (here / "bert" / "vocab.txt").unlink()
    with pytest.raises(DatasetUnavailable, match=r"imdb is not on this machine. Put vocab\.txt"):
        load_dataset("imdb")
    (here / "imdb" / "aclImdb.tar.xz").unlink()
    with pytest.raises(DatasetUnavailable, match=r"imdb_5000 is not .* Put aclImdb\.tar\.xz"):
        load_dataset("imdb_5000")


def test_a_vocabulary_that_differs_is_refused(here):
    (here / "bert" / "vocab.txt").write_text("\n".join(PIECES[::-1]))
    with pytest.raises(DatasetUnavailable, match="does not contain the published data"):
        load_dataset("imdb")


def test_an_archive_without_enough_reviews_is_refused():
    with pytest.raises(
        DatasetUnavailable, match="expected 4 reviews of each kind; found 3 in train"
    ):
        imdb.reviews(archive(), 4)
    with pytest.raises(DatasetUnavailable, match="0 in test/neg"):
        imdb.reviews(archive(kinds=("pos",)), 3, ("train", "test"))
    with pytest.raises(DatasetUnavailable, match="has 100,001 bytes"):
        imdb.reviews(archive(1, text="x" * 100_001), 1)
    assert imdb.reviews(archive(), 1) == [["train pos 0", "train neg 0"]]
