"""Word pieces of a given vocabulary, as BERT reads texts, through the library `tokenizers`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from .byte_pairs import encoded_in_groups, require_tokenizers
from .documents import check_text

#: Tokens that every vocabulary has: of an unknown word, of padding, and of both ends of a text.
SPECIAL = ("[UNK]", "[PAD]", "[CLS]", "[SEP]")

#: Longest file that is read as a vocabulary, and longest word that is looked up in parts.
_LARGEST_FILE = 32 << 20
_LONGEST_WORD = 100


class WordPieces:
    """The word pieces of a vocabulary (Wu et al., 2016), by the greedy longest match.

    Words are split at spaces and punctuation. If no token of the vocabulary has a capital letter,
    texts are put into lower case and stripped of accents before, as bert-base-uncased expects.

    Parameters
    ----------
    tokens : sequence of str
        The tokens in the order of their codes, among them ``[UNK]``, ``[PAD]``, ``[CLS]`` and
        ``[SEP]``. A token that begins with ``##`` continues a word.
    source : str, default="vocabulary"
        What messages call it.

    Raises
    ------
    ValueError
        If it is not such a vocabulary.

    References
    ----------
    Wu et al., Google's neural machine translation system, arXiv 1609.08144.
    Devlin, Chang, Lee and Toutanova, BERT: pre-training of deep bidirectional transformers for
    language understanding, NAACL 2019.

    Examples
    --------
    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "walk", "##ing", "##ed"])
    >>> pieces.encode("Walking walked quickly")[0].tolist()
    [4, 5, 4, 6, 1]
    """

    def __init__(self, tokens: Sequence[str], source: str = "vocabulary") -> None:
        self.tokens = tuple(tokens)
        self._codes: dict[str, int] = {}
        for code, token in enumerate(self.tokens):
            where = f"{source}, token {code + 1}"
            if not isinstance(token, str) or not token or token.split() != [token]:
                raise ValueError(
                    f"{where}: a vocabulary has one token on each line, without spaces; got "
                    f"{token!r:.60}"
                )
            check_text(where, token)
            if token in self._codes:
                raise ValueError(
                    f"{where}: {token!r:.60} is token {self._codes[token] + 1} already; tokens "
                    "must be different"
                )
            self._codes[token] = code
        missing = [token for token in SPECIAL if token not in self._codes]
        if missing:
            raise ValueError(
                f"{source} is not a vocabulary of word pieces: it lacks {', '.join(missing)}. "
                "Expected a file such as vocab.txt of bert-base-uncased, with one token on each "
                "line"
            )
        ordinary = (token for token in self.tokens if not _is_bracketed(token))
        self.lower_case = not any(token != token.lower() for token in ordinary)

    @classmethod
    def of(cls, vocabulary: Any) -> Self:
        """Return the word pieces of a file, or of a sequence of tokens.

        Parameters
        ----------
        vocabulary : str, path, or sequence of str

        Raises
        ------
        ValueError
            If there is no such file, or it is not a vocabulary; the message has the line.
        """
        if isinstance(vocabulary, cls):
            return vocabulary
        if isinstance(vocabulary, str | os.PathLike):
            path = Path(vocabulary)
            return cls(_lines_of(path), str(path))
        if isinstance(vocabulary, Sequence):
            return cls(vocabulary)
        raise ValueError(
            "vocabulary must be the path of a file with one token on each line, a list of tokens, "
            f"or None; got {vocabulary!r:.60}"
        )

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    @property
    def padding(self) -> int:
        """Code of ``[PAD]``."""
        return self._codes["[PAD]"]

    @property
    def ends(self) -> tuple[int, int]:
        """Codes of ``[CLS]`` and ``[SEP]``, between which a text stands."""
        return self._codes["[CLS]"], self._codes["[SEP]"]

    @cached_property
    def _tokenizer(self) -> Any:
        require_tokenizers()
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        tokenizer = Tokenizer(
            models.WordPiece(self._codes, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD)
        )
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=self.lower_case)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer

    def encode(self, *texts: str) -> list[np.ndarray]:
        """Return the codes of each text, without those of its ends."""
        found = self._tokenizer.encode_batch(list(texts))
        return [np.array(each.ids, np.int64) for each in found]

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """Yield the codes of each text, encoding several at a time."""
        return encoded_in_groups(self.encode, texts)

    def __getstate__(self) -> dict[str, Any]:
        return {"tokens": self.tokens}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["tokens"])  # type: ignore[misc]


def _is_bracketed(token: str) -> bool:
    return token.startswith("[") and token.endswith("]")


def _lines_of(path: Path) -> list[str]:
    """Return the lines of a vocabulary file."""
    if not path.is_file():
        raise ValueError(f"vocabulary: there is no file {path}")
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(
            f"{path} is not a vocabulary: it has {path.stat().st_size:,} bytes, and at most "
            f"{_LARGEST_FILE:,} are read"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")  # without a mark of the byte order
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a vocabulary, a text file in UTF-8 ({error})") from None
    return text.removesuffix("\n").split("\n")
