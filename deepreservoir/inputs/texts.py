"""Texts as inputs of encoders: codes of tokens, padded to the longest text of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from copy import copy
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np

from ..backend import Array, Device, to_device
from ..checks import check_choice, check_integer
from ..user_warnings import warn_user
from .base import Batch, Index, Inputs, Reader
from .byte_pairs import SMALLEST, BytePairs
from .documents import Codes, Texts, documents_of
from .table import CHUNK_ROWS
from .tokens import TRAINING_CHARACTERS
from .word_pieces import WordPieces

LONG_TEXTS = ("cut", "refuse")
#: Code after the end of a text, in arrays of padded codes.
PADDING = -1

_PLAIN = frozenset(("vocabulary", "max_length", "long_texts", "byte_pairs", "word_pieces"))


class TextReader(Reader):
    """The reader of texts, or of codes of tokens, for encoders.

    Texts are encoded by the word pieces of a given vocabulary, between ``[CLS]`` and ``[SEP]``, or
    else by a byte-level byte-pair encoding that is trained in fit. Codes are read as they are;
    at the end of a text, -1 and the code of ``[PAD]`` are padding.

    Parameters
    ----------
    max_length : int, default=512
        Maximum number of tokens of a text.
    vocabulary_size : int, default=4096
        Number of tokens: of codes, exactly; of an encoding trained in fit, at most. A given
        vocabulary has its own size.
    vocabulary : str, path or sequence of str, optional
        A file with one word piece on each line, or the word pieces.
    long_texts : {"cut", "refuse"}, default="cut"
        What to do about texts of more than `max_length` tokens: read only their beginning, with a
        warning, or raise an error.

    Raises
    ------
    ValueError
        If an option is out of range, or the vocabulary is not one.

    Examples
    --------
    >>> reader = TextReader(max_length=4, vocabulary_size=10).fit([[7, 8, 9], [5]])
    >>> batch = reader.read([[7, 8, 9], [5]], np.float32, "cpu").take(np.array([1, 0]))
    >>> batch.x.tolist(), batch.side["kept"].tolist()
    ([[5, 0, 0], [7, 8, 9]], [[True, False, False], [True, True, True]])
    """

    def __init__(
        self,
        max_length: int = 512,
        vocabulary_size: int = 4096,
        vocabulary: Any = None,
        long_texts: Literal["cut", "refuse"] = "cut",
    ) -> None:
        check_integer("max_length", max_length, 1)
        check_integer("vocabulary_size", vocabulary_size, 1)
        check_choice("long_texts", long_texts, LONG_TEXTS)
        self.max_length, self.vocabulary = int(max_length), int(vocabulary_size)
        self.long_texts = long_texts
        self.tokenizer: BytePairs | WordPieces | None = None
        if vocabulary is not None:
            self.tokenizer = WordPieces.of(vocabulary)
            self.vocabulary = self.tokenizer.size
            if max_length < 3:
                raise ValueError(
                    "max_length must be at least 3 with a vocabulary of word pieces, since a text "
                    f"stands between [CLS] and [SEP]; got {max_length}"
                )

    def with_long_texts(self, long_texts: Literal["cut", "refuse"]) -> Self:
        """Return this reader with another value of `long_texts`."""
        check_choice("long_texts", long_texts, LONG_TEXTS)
        reader = copy(self)
        reader.long_texts = long_texts
        return reader

    def fit(self, X: Any) -> Self:
        documents = documents_of(X)
        if isinstance(documents, Texts) and self.tokenizer is None:
            if self.vocabulary < SMALLEST:
                raise ValueError(
                    f"vocabulary_size must be at least {SMALLEST} for texts, so that every byte "
                    f"has a token; got {self.vocabulary}"
                )
            head = documents.head(TRAINING_CHARACTERS)
            self.tokenizer = BytePairs.trained(head, self.vocabulary)
            self.vocabulary = self.tokenizer.size
        return self

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> TextInputs:
        documents = documents_of(X)
        texts = list(
            self._encoded(documents) if isinstance(documents, Texts) else self._codes(documents)
        )
        lengths = np.array([len(codes) for codes in texts])
        long = np.flatnonzero(lengths > self.max_length)
        if len(long):
            texts = self._cut(texts, lengths, long)
            lengths = np.minimum(lengths, self.max_length)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        codes = np.concatenate(texts).astype(np.int32, copy=False)
        return TextInputs(codes, bounds, self.max_length, dtype, device)

    def _cut(
        self, texts: list[np.ndarray], lengths: np.ndarray, long: np.ndarray
    ) -> list[np.ndarray]:
        """Return the texts with at most `max_length` tokens, or refuse those that are longer."""
        longest = int(lengths.argmax())
        problem = (
            f"{len(long):,} of {len(texts):,} texts have more than max_length={self.max_length} "
            f"tokens; the longest is X[{longest}], with {lengths[longest]:,}"
        )
        if self.long_texts == "refuse":
            raise ValueError(
                f"{problem}, and the first is X[{long[0]}]. Shorten them, raise max_length, or set "
                "long_texts='cut'"
            )
        warn_user(f"{problem}. Only their beginnings are read")
        last = [] if not isinstance(self.tokenizer, WordPieces) else [self.tokenizer.ends[1]]
        for i in long.tolist():
            end = texts[i][-1:] if last and texts[i][-1] == last[0] else texts[i][:0]
            texts[i] = np.concatenate([texts[i][: self.max_length - len(end)], end])
        return texts

    def _encoded(self, texts: Texts) -> Iterator[np.ndarray]:
        """Yield the codes of each text, with those of its ends."""
        if self.tokenizer is None:
            raise ValueError(
                "X holds texts, but the model was fitted on codes of tokens, and has no encoding "
                "of texts; pass codes"
            )
        if texts.path is not None:
            raise ValueError(
                f"X must be a list of texts; got the file {texts.path}, which would be one text"
            )
        first, last = np.empty(0, np.int64), np.empty(0, np.int64)
        if isinstance(self.tokenizer, WordPieces):
            first, last = (np.array([code]) for code in self.tokenizer.ends)
        read = (text for text, _ in texts.pieces())
        for i, codes in enumerate(self.tokenizer.encode_all(read)):
            if not len(codes):
                raise ValueError(f"X[{i}] has no tokens: all of its characters are left out")
            yield np.concatenate([first, codes, last])

    def _codes(self, codes: Codes) -> list[np.ndarray]:
        """Return the codes of each text without padding."""
        if codes.is_stream:
            raise ValueError(
                "X must be a list of texts, or of the codes of each; got one vector of codes. Pass "
                "[codes] for a single text"
            )
        padding = [PADDING]
        if isinstance(self.tokenizer, WordPieces):
            padding.append(self.tokenizer.padding)
        texts = []
        for i, row in enumerate(codes.documents):
            tokens = np.flatnonzero(~np.isin(row, padding))
            if not len(tokens):
                raise ValueError(f"X[{i}] has no tokens: all of its codes are padding")
            texts.append(np.asarray(row[: tokens[-1] + 1]))
        Codes(texts, False).check(self.vocabulary)
        return texts

    def sizes(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        tokenizer = self.tokenizer
        plain = {
            "vocabulary": self.vocabulary,
            "max_length": self.max_length,
            "long_texts": self.long_texts,
            "byte_pairs": tokenizer.json if isinstance(tokenizer, BytePairs) else None,
            "word_pieces": (
                "\n".join(tokenizer.tokens) if isinstance(tokenizer, WordPieces) else None
            ),
        }
        return plain, {}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        if set(plain) != _PLAIN or tensors:
            raise ValueError(
                f"the state of a reader of texts is {', '.join(sorted(_PLAIN))}; got "
                f"{sorted(plain)}"
            )
        pairs, pieces = plain["byte_pairs"], plain["word_pieces"]
        for name, text in (("byte_pairs", pairs), ("word_pieces", pieces)):
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{name} must be a text, or null; got {text!r:.60}")
        tokens = None if pieces is None else pieces.split("\n")
        reader = cls(plain["max_length"], plain["vocabulary"], tokens, plain["long_texts"])
        if pairs is not None:
            reader.tokenizer = BytePairs(pairs)
        if reader.tokenizer is not None and reader.tokenizer.size != plain["vocabulary"]:
            raise ValueError(
                f"the encoding has {reader.tokenizer.size} tokens; the reader has "
                f"{plain['vocabulary']}"
            )
        return reader


class TextInputs(Inputs):
    """Codes of texts, supplied as padded batches.

    A batch has ``x`` (n, t), the codes, with t the length of its longest text, and the side array
    ``kept`` (n, t), which is True for tokens and False for padding.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_tokens,)
        The codes of all texts, one after another.
    bounds : ndarray of int, shape (n_texts + 1,)
        Where each text starts, and the end.
    max_length : int
    dtype : numpy dtype
    device : {"cpu", "cuda"}
    """

    side_names = ("kept",)

    def __init__(
        self,
        codes: np.ndarray,
        bounds: np.ndarray,
        max_length: int,
        dtype: np.dtype[Any] | type,
        device: Device = "cpu",
    ) -> None:
        self.codes, self.bounds, self.max_length = codes, bounds, max_length
        self.dtype, self.device = np.dtype(dtype), device
        self._lengths = np.diff(bounds)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def takes_device_index(self) -> bool:
        return False

    def padded(self, index: Array, padding: int) -> tuple[np.ndarray, np.ndarray]:
        """Return codes with padding, and which are tokens, both (n, t), on the host."""
        lengths = self._lengths[index]
        places = np.arange(lengths.max())
        kept = places < lengths[:, None]
        at = self.bounds[:-1][index][:, None] + np.minimum(places, lengths[:, None] - 1)
        return np.where(kept, self.codes[at], np.int32(padding)), kept

    def take(self, index: Array, step: int | None = None) -> Batch:
        codes, kept = self.padded(index, 0)
        return Batch(to_device(codes, self.device), {"kept": to_device(kept, self.device)})

    def subset(self, index: np.ndarray) -> Self:
        parts = [self.codes[slice(*self.bounds[i : i + 2])] for i in np.arange(len(self))[index]]
        bounds = np.concatenate([[0], np.cumsum(self._lengths[index])])
        return type(self)(np.concatenate(parts), bounds, self.max_length, self.dtype, self.device)

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield texts of similar length together, the shortest first."""
        token_bytes = max(1, sample_bytes // self.max_length)
        order = np.argsort(self._lengths, kind="stable")
        first = 0
        while first < len(order):
            lengths = self._lengths[order[first : first + CHUNK_ROWS]]
            padded = lengths * np.arange(1, len(lengths) + 1) * token_bytes
            size = max(1, int(np.searchsorted(padded, nbytes, side="right")))
            index = order[first : first + size]
            yield index, self.take(index)
            first += size

    def keys(self) -> list[bytes]:
        """Return the bytes of the codes of each text."""
        return [self.codes[slice(*pair)].tobytes() for pair in pairwise(self.bounds.tolist())]

    def digest(self) -> str:
        sha = hashlib.sha256(f"texts{len(self)} {self.max_length}".encode())
        sha.update(self.codes.astype("<i4").tobytes())
        sha.update(self.bounds.astype("<i8").tobytes())
        return sha.hexdigest()
