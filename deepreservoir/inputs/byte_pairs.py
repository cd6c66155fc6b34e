"""Byte-level byte-pair encoding, through the library `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Self

import numpy as np

#: The token after each document. Text that reads like it is encoded as ordinary text.
END = "<|end|>"
#: Code of :data:`END`.
END_CODE = 0
#: Smallest size of a vocabulary: all bytes, and the end of a document.
SMALLEST = 257

# Longest token of an encoding that is made of merges: each merge may double the length.
_LONGEST = 1024

#: Number of texts that are encoded at a time.
_TEXTS = 256


def require_tokenizers() -> None:
    """Raise an ImportError that says how to install tokenizers, unless it is installed."""
    if find_spec("tokenizers") is None:
        raise ImportError(
            "reading texts needs the library tokenizers: pip install 'deepreservoir[text]'. Or "
            "pass the codes of tokens, as arrays of integers"
        )


class BytePairs:
    """A byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019).

    Every text can be encoded, since every byte is a token.

    Parameters
    ----------
    text : str
        The encoding in the JSON format of tokenizers.

    Raises
    ------
    ValueError
        If it is not a byte-level byte-pair encoding with the end of a document as code 0.

    Examples
    --------
    >>> encoding = BytePairs.trained(["low lower lowest"] * 5, 260)
    >>> codes = encoding.encode("lower")[0]
    >>> [encoding.decode([code]) for code in codes]
    ['low', 'e', 'r']
    """

    def __init__(self, text: str) -> None:
        require_tokenizers()
        from tokenizers import Tokenizer

        try:
            _check_kind(json.loads(text))
            self._tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # tokenizers raises plain exceptions
            raise ValueError(f"this is not a byte-level byte-pair encoding: {error}") from None
        # What a document says must not end it.
        self._tokenizer.encode_special_tokens = True
        self.json = text

    @classmethod
    def trained(cls, texts: Iterable[str], size: int) -> Self:
        """Return the encoding of at most `size` tokens that is trained on texts.

        Parameters
        ----------
        texts : iterable of str
        size : int
            At least 257. A short text does not have as many pairs as a large size asks for.
        """
        require_tokenizers()
        from tokenizers import models, pre_tokenizers, trainers

        tokenizer = _byte_level(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    @classmethod
    def of_merges(cls, merges: np.ndarray) -> Self:
        """Return the encoding of pairs of tokens that are merged.

        Parameters
        ----------
        merges : ndarray of uint16, shape (n_merges, 2)
            Codes of tokens: the end of a document, the bytes in the order of their characters, and
            the tokens that the pairs before have made.

        Raises
        ------
        ValueError
            If a code is not that of a token that exists by then, or its place is not in a matrix
            of two columns.

        Examples
        --------
        >>> encoding = BytePairs.trained(["low lower lowest"] * 5, 260)
        >>> bool(BytePairs.of_merges(encoding.merges()).json == encoding.json)
        True
        """
        require_tokenizers()
        from tokenizers import models, pre_tokenizers

        if merges.dtype != np.uint16 or merges.ndim != 2 or merges.shape[1] != 2:
            raise ValueError(
                f"merges must be uint16 of shape (n_merges, 2); got {merges.dtype} of shape "
                f"{merges.shape}"
            )
        tokens = [END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
        vocabulary = {token: code for code, token in enumerate(tokens)}
        pairs = []
        for i, (first, second) in enumerate(merges.tolist()):
            if not 0 < min(first, second) <= max(first, second) < len(tokens):
                raise ValueError(
                    f"merge {i} must be of codes from 1 to {len(tokens) - 1}; got {first} and "
                    f"{second}"
                )
            pairs.append((tokens[first], tokens[second]))
            merged = tokens[first] + tokens[second]
            if len(merged) > _LONGEST:
                raise ValueError(f"merge {i} makes a token of more than {_LONGEST} bytes")
            if merged not in vocabulary:
                vocabulary[merged] = len(tokens)
                tokens.append(merged)
        tokenizer = _byte_level(models.BPE(vocab=vocabulary, merges=pairs))
        tokenizer.add_special_tokens([END])
        return cls(tokenizer.to_str())

    def merges(self) -> np.ndarray | None:
        """Return the pairs of which :meth:`of_merges` makes this encoding, (n_merges, 2).

        None if there are other encodings with these pairs, or more than 65,536 tokens.
        """
        model = json.loads(self.json)["model"]
        codes: dict[str, int] = model["vocab"]
        # Earlier versions of tokenizers write a pair as one string.
        pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        if len(codes) > 1 << 16 or not pairs:
            return None
        merges = np.array([[codes[part] for part in pair] for pair in pairs], np.uint16)
        try:
            same = type(self).of_merges(merges).json == self.json
        except ValueError:
            return None
        return merges if same else None

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, *texts: str) -> list[np.ndarray]:
        """Return the codes of each text."""
        return [
            np.array(found.ids, np.int64) for found in self._tokenizer.encode_batch(list(texts))
        ]

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """Yield the codes of each text, encoding several at a time."""
        return encoded_in_groups(self.encode, texts)

    def decode(self, codes: Sequence[int] | np.ndarray) -> str:
        """Return the text of codes; the end of a document has no text.

        Bytes that are not UTF-8, such as a part of a character, become U+FFFD.
        """
        return str(self._tokenizer.decode([int(code) for code in codes], skip_special_tokens=True))

    def __getstate__(self) -> dict[str, Any]:
        return {"json": self.json}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["json"])  # type: ignore[misc]


def _byte_level(model: Any) -> Any:
    """Return a tokenizer of bytes with a model."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def encoded_in_groups(
    encode: Callable[..., list[np.ndarray]], texts: Iterable[str]
) -> Iterator[np.ndarray]:
    """Yield the codes of each text; `encode` is called with several texts at a time."""
    group: list[str] = []
    for text in texts:
        group.append(text)
        if len(group) == _TEXTS:
            yield from encode(*group)
            group = []
    yield from encode(*group)


def _check_kind(data: Any) -> None:
    """Raise a ValueError for another kind of encoding, whose codes would mean something else."""
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object; got {type(data).__name__}")
    kinds = {
        name: value.get("type") if isinstance(value, dict) else value
        for name, value in data.items()
        if name in ("model", "pre_tokenizer", "decoder", "normalizer", "post_processor")
    }
    expected = {
        "model": "BPE",
        "pre_tokenizer": "ByteLevel",
        "decoder": "ByteLevel",
        "normalizer": None,
        "post_processor": None,
    }
    if kinds != expected:
        raise ValueError(f"expected {expected}; got {kinds}"[:300])
    if [(t.get("id"), t.get("content")) for t in data["added_tokens"]] != [(END_CODE, END)]:
        raise ValueError(f"expected {END!r} as its only added token, of code {END_CODE}")
    codes = sorted(data["model"]["vocab"].values())
    if codes != list(range(len(codes))) or len(codes) < SMALLEST:
        raise ValueError(f"expected codes from 0 on, at least {SMALLEST}; got {len(codes)}")
