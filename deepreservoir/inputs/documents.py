"""Documents: texts, or codes of tokens, from lists, iterators and files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

#: Characters of a text file that are read at a time.
_PIECE = 1 << 20
#: Codes that are checked at a time.
_CODES = 1 << 24


class Texts:
    """Texts, which are read one at a time; an iterator can be read only once.

    Parameters
    ----------
    X : iterable of str, or path
        Each text is a document; a text file is one document.

    Raises
    ------
    ValueError
        While it is read, if a document is not a text or is empty; the message names it.
    """

    def __init__(self, X: Any) -> None:
        self.path = Path(X) if isinstance(X, os.PathLike) else None
        self._X = X
        self._rest: Iterator[tuple[str, bool]] | None = None
        self._head: list[tuple[str, bool]] = []

    def head(self, characters: int) -> Iterator[str]:
        """Yield the first texts, of about as many characters, which can be read again."""
        known, read = iter(list(self._head)), 0
        while read < characters:
            piece = next(known, None) or self._next()
            if piece is None:
                return
            read += len(piece[0])
            yield piece[0]

    def _next(self) -> tuple[str, bool] | None:
        if self._rest is None:
            self._rest = self._pieces()
        piece = next(self._rest, None)
        if piece is not None:
            self._head.append(piece)
        return piece

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """Yield (text, whether the document ends with it), from the first document on."""
        yield from self._head
        yield from self._pieces() if self._rest is None else self._rest

    def _pieces(self) -> Iterator[tuple[str, bool]]:
        if self.path is not None:
            yield from _pieces_of(self.path)
            return
        empty = True
        for i, text in enumerate(self._X):
            empty = False
            if not isinstance(text, str):
                raise ValueError(
                    f"X must hold texts (str); X[{i}] is {text!r:.60}, of type "
                    f"{type(text).__name__}"
                )
            if not text.strip():
                raise ValueError(
                    f"X must hold texts that are not empty; X[{i}] is {text!r:.60}. Leave it out"
                )
            check_text(f"X[{i}]", text)
            yield str(text), True
        if empty:
            raise ValueError("X must have at least one text; got none")


def check_order(X: Any) -> None:
    """Raise a ValueError for a collection without an order, or for a table."""
    if isinstance(X, Mapping | Set) or hasattr(X, "columns"):
        raise ValueError(
            f"X must be texts in an order, or codes of tokens; got a {type(X).__name__}. Pass a "
            "list, or the column of a table that has the texts"
        )


def check_text(name: str, text: str) -> None:
    """Raise a ValueError that names a text which UTF-8 cannot represent.

    Parameters
    ----------
    name : str
        What the message calls it.
    text : str
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} must be a text that UTF-8 can represent; its character {error.start} is "
            f"{text[error.start]!r}, half of a surrogate pair. Decode the text again, or leave the "
            "character out"
        ) from None


def _pieces_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a text file, which end with lines where lines are not too long."""
    try:
        with path.open(encoding="utf-8-sig") as stream:  # without a mark of the byte order
            piece = stream.read(_PIECE)
            if not piece.strip():
                raise ValueError(f"{path} must hold a text; its beginning is empty")
            while piece:
                piece += stream.readline(_PIECE)
                following = stream.read(_PIECE)
                yield piece, not following
                piece = following
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8 ({error})") from None


class Codes:
    """Codes of tokens, checked: one stream, or documents.

    Parameters
    ----------
    documents : sequence of ndarray of int, shape (length,)
        They may be mapped from files.
    is_stream : bool
        Whether there is one array, which is used as it is.
    """

    def __init__(self, documents: Any, is_stream: bool) -> None:
        self.documents, self.is_stream = documents, is_stream

    def check(self, vocabulary: int) -> None:
        """Raise a ValueError for a code that is not in the vocabulary; the message names it."""
        for i, codes in enumerate(self.documents):
            where = "X" if self.is_stream else f"X[{i}]"
            for start in range(0, len(codes), _CODES):
                part = codes[start : start + _CODES]
                wrong = (part < 0) | (part >= vocabulary)
                if wrong.any():
                    at = start + int(wrong.argmax())
                    raise ValueError(
                        f"X must hold codes from 0 to {vocabulary - 1}, of a vocabulary of "
                        f"{vocabulary} tokens; {where}[{at}] is {int(codes[at])}"
                    )


def documents_of(X: Any) -> Texts | Codes:
    """Return a user's X as texts, or as codes.

    Parameters
    ----------
    X : iterable of str, path, array of int, or list of arrays of int
        The path of a text file in UTF-8, or of a ``.npy`` file with one array of codes, which is
        mapped into memory.

    Raises
    ------
    ValueError
        If X is a single text, a table, or a collection without an order; or if an array is empty or
        does not hold integers.
    """
    if isinstance(X, Texts | Codes):
        return X
    if isinstance(X, str | bytes):
        raise ValueError(
            "X must be a list of texts; got a single text. Pass [text], or pathlib.Path(name) for "
            "a file"
        )
    if isinstance(X, os.PathLike):
        if not Path(X).is_file():
            raise ValueError(f"there is no file {os.fspath(X)}")
        if not os.fspath(X).endswith(".npy"):
            return Texts(X)
        X = _mapped(Path(X))
    check_order(X)
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        X = list(X)  # of texts, or of arrays of different lengths
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        if X.ndim == 1:
            return Codes([_checked_codes(X, "X")], True)
        return Codes([_checked_codes(row, f"X[{i}]") for i, row in enumerate(X)], False)
    if isinstance(X, list | tuple) and X and not isinstance(X[0], str):
        if all(isinstance(x, int | np.integer) for x in X):
            return Codes([_checked_codes(np.asarray(X), "X")], True)
        if isinstance(X[0], np.ndarray | list | tuple):
            return Codes([_checked_codes(np.asarray(x), f"X[{i}]") for i, x in enumerate(X)], False)
    if not isinstance(X, Iterable):
        raise ValueError(f"X must be texts, or codes of tokens; got {X!r:.60}")
    return Texts(X)


def _mapped(path: Path) -> np.ndarray:
    """Return the array of a .npy file, mapped into memory."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a .npy file of integers ({error})") from None
    return array


def _checked_codes(codes: np.ndarray, where: str) -> np.ndarray:
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or not len(codes):
        raise ValueError(
            f"{where} must be the codes of a document, a vector of integers with at least one "
            f"entry; got {codes.dtype} of shape {codes.shape}"
        )
    return codes
