"""Token streams as inputs of language models: windows whose next tokens are predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..backend import Array, Device, to_device
from ..checks import check_integer
from .base import Batch, Inputs, Reader
from .byte_pairs import END_CODE, SMALLEST, BytePairs
from .documents import Codes, Texts, documents_of

#: Characters at the beginning of a text that an encoding is trained on.
TRAINING_CHARACTERS = 32 << 20

_PLAIN = frozenset(("vocabulary", "context", "end_token", "tokenizer"))


class TokenReader(Reader):
    """The reader of texts, or of codes of tokens, for language models.

    The documents are joined to one stream, with an end token after each, which is cut into windows.
    A byte-level byte-pair encoding of texts is trained in fit.

    Parameters
    ----------
    context : int, default=128
        Number of tokens in a window.
    vocabulary_size : int, default=4096
        Number of tokens: of codes, exactly; of texts, at most.
    end_token : int, optional
        Code that ends a document of codes; by default, such documents are joined as they are.

    Examples
    --------
    >>> reader = TokenReader(context=4, vocabulary_size=10).fit(np.arange(10))
    >>> batch = reader.read(np.arange(10), np.float32, "cpu").take(np.array([0, 2]))
    >>> batch.x.tolist(), batch.side["next_tokens"].tolist(), batch.side["n_next_tokens"]
    ([[0, 1, 2, 3], [8, 0, 0, 0]], [[1, 2, 3, 4], [9, 0, 0, 0]], 5)
    """

    def __init__(
        self, context: int = 128, vocabulary_size: int = 4096, end_token: int | None = None
    ) -> None:
        check_integer("context", context, 1)
        check_integer("vocabulary_size", vocabulary_size, 2)
        if end_token is not None:
            check_integer("end_token", end_token, 0)
            if end_token >= vocabulary_size:
                raise ValueError(
                    f"end_token must be below vocabulary_size={vocabulary_size}; got {end_token}"
                )
        self.context, self.vocabulary = int(context), int(vocabulary_size)
        self.end_token = None if end_token is None else int(end_token)
        self.tokenizer: BytePairs | None = None

    def fit(self, X: Any) -> Self:
        documents = documents_of(X)
        if isinstance(documents, Texts):
            if self.vocabulary < SMALLEST:
                raise ValueError(
                    f"vocabulary_size must be at least {SMALLEST} for texts, so that every byte "
                    f"has a token; got {self.vocabulary}"
                )
            head = documents.head(TRAINING_CHARACTERS)
            self.tokenizer = BytePairs.trained(head, self.vocabulary)
            self.vocabulary, self.end_token = self.tokenizer.size, END_CODE
        return self

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> TokenWindows:
        documents = documents_of(X)
        stream = (
            self._encoded(documents) if isinstance(documents, Texts) else self._joined(documents)
        )
        if len(stream) < 2:
            raise ValueError(
                f"X must have at least 2 tokens, of which the second is predicted; got "
                f"{len(stream)}"
            )
        return TokenWindows(stream, self.context, dtype, device)

    def _encoded(self, texts: Texts) -> np.ndarray:
        if self.tokenizer is None:
            raise ValueError(
                "X holds texts, but the model was fitted on codes of tokens, and has no encoding "
                "of texts; pass codes"
            )
        ends: list[bool] = []

        def pieces() -> Iterator[str]:
            for text, end in texts.pieces():
                ends.append(end)
                yield text

        parts: list[np.ndarray] = []
        end_token: np.ndarray = np.array([END_CODE], self._type)
        for i, codes in enumerate(self.tokenizer.encode_all(pieces())):
            parts.append(codes.astype(self._type))
            if ends[i]:
                parts.append(end_token)
        return np.concatenate(parts)

    def _joined(self, codes: Codes) -> np.ndarray:
        codes.check(self.vocabulary)
        if codes.is_stream:
            return codes.documents[0]  # which may be mapped from a file
        parts: list[np.ndarray] = []
        for document in codes.documents:
            parts.append(np.asarray(document, self._type))
            if self.end_token is not None:
                parts.append(np.array([self.end_token], self._type))
        return np.concatenate(parts)

    @property
    def _type(self) -> type:
        return np.uint16 if self.vocabulary <= 1 << 16 else np.uint32

    def sizes(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        merges = None if self.tokenizer is None else self.tokenizer.merges()
        plain = {
            "vocabulary": self.vocabulary,
            "context": self.context,
            "end_token": self.end_token,
            # A tenth of the bytes: the pairs, of which the encoding can be made.
            "tokenizer": self.tokenizer.json if self.tokenizer and merges is None else None,
        }
        return plain, {} if merges is None else {"merges": merges}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        if set(plain) != _PLAIN or tensors.keys() - {"merges"}:
            raise ValueError(
                f"the state of a reader of tokens is {', '.join(sorted(_PLAIN))} and merges; got "
                f"{sorted((*plain, *tensors))}"
            )
        reader = cls(plain["context"], plain["vocabulary"], plain["end_token"])
        text = plain["tokenizer"]
        if text is not None:
            if tensors:
                raise ValueError("an encoding is given by merges or by its JSON text, not by both")
            if not isinstance(text, str):
                raise ValueError(f"tokenizer must be JSON text, or null; got {text!r:.60}")
            reader.tokenizer = BytePairs(text)
        elif "merges" in tensors:
            reader.tokenizer = BytePairs.of_merges(tensors["merges"])
        encoding = reader.tokenizer
        if encoding is None:
            return reader
        if encoding.size != reader.vocabulary or reader.end_token != END_CODE:
            raise ValueError(
                f"the encoding has {encoding.size} tokens and ends documents with {END_CODE}; the "
                f"reader has {reader.vocabulary} and {reader.end_token}"
            )
        return reader


class TokenWindows(Inputs):
    """Windows of a stream of tokens: ``x`` (n, context), and the token after each.

    The last token of a window is the first of the next one, so that every token but the first of
    the stream is predicted once. A batch has the side arrays ``next_tokens`` (n, context);
    ``n_next_tokens``, the number of tokens that are predicted; and, if windows are padded,
    ``kept`` (n, context), which is 1 for these tokens and else 0.

    Parameters
    ----------
    stream : ndarray of int, shape (length,)
        It may be mapped from a file.
    context : int
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}
    starts : ndarray of int, optional
        First token of each window; by default, the windows cover the stream.
    """

    side_names = ("next_tokens", "n_next_tokens", "kept")

    def __init__(
        self,
        stream: np.ndarray,
        context: int,
        dtype: np.dtype[Any] | type,
        device: Device = "cpu",
        starts: np.ndarray | None = None,
    ) -> None:
        self.stream, self.context = stream, context
        self.dtype, self.device = np.dtype(dtype), device
        self.starts = np.arange(0, len(stream) - 1, context) if starts is None else starts

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def takes_device_index(self) -> bool:
        return False

    def take(self, index: Array, step: int | None = None) -> Batch:
        starts = self.starts[index]
        lengths = np.minimum(self.context, len(self.stream) - 1 - starts)  # of what is predicted
        window = np.zeros((len(starts), self.context + 1), np.int32)
        for row, start, length in zip(window, starts.tolist(), lengths.tolist(), strict=True):
            row[: length + 1] = self.stream[start : start + length + 1]
        codes, next_tokens = window[:, :-1].copy(), window[:, 1:].copy()
        side: dict[str, Any] = {
            "next_tokens": to_device(next_tokens, self.device),
            "n_next_tokens": int(lengths.sum()),
        }
        if (lengths < self.context).any():
            kept = np.arange(self.context) < lengths[:, None]
            # The token of a window's end is read only where the one after it is predicted.
            codes[~kept] = 0
            side["kept"] = to_device(kept.astype(self.dtype), self.device)
        return Batch(to_device(codes, self.device), side)

    def subset(self, index: np.ndarray) -> Self:
        starts = self.starts[index]
        return type(self)(self.stream, self.context, self.dtype, self.device, starts)

    def keys(self) -> None:
        return None

    def digest(self) -> str:
        sha = hashlib.sha256(f"tokens{len(self.stream)} {self.context}".encode())
        for start in range(0, len(self.stream), 1 << 20):
            sha.update(self.stream[start : start + (1 << 20)].astype("<u4").tobytes())
        sha.update(self.starts.astype("<i8").tobytes())
        return sha.hexdigest()
