"""The ``.ts`` text format of the time-series classification archives, and Japanese Vowels.

A file has a header of lines that begin with ``@``, then ``@data``, then one case per line. The
dimensions of a case are separated by colons and their values by commas; the label comes last.
Empty lines and lines that begin with ``#`` are ignored.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .cells import number_of
from .idx import ENVIRONMENT, DatasetUnavailable

_FLAGS = ("timestamps", "missing", "univariate", "equallength")
_COUNTS = {"dimension": "dimensions", "dimensions": "dimensions", "serieslength": "serieslength"}
_KNOWN = (*_FLAGS, *_COUNTS, "problemname", "classlabel", "targetlabel")


@dataclass
class _Reader:
    """The declarations of the header, and the cases read so far."""

    classes: tuple[str, ...] = ()
    flags: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    in_data: bool = False
    series: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Process one line, or raise a ValueError that says what is wrong with it."""
        if self.in_data:
            series, label = _case(line)
            self._check(series, label)
            self.series.append(series)
            self.labels.append(label)
        elif line.lower() == "@data":
            if not self.classes:
                raise ValueError("expected a line '@classLabel true ...' before @data")
            self.in_data = True
        elif line.startswith("@") and line[1:].split():
            self._declare(line)
        else:
            raise ValueError(f"expected a header line '@tag value'; got {line[:40]!r}")

    def _declare(self, line: str) -> None:
        tag, *values = line[1:].split()
        name = tag.lower()
        if name not in _KNOWN:
            raise ValueError(f"expected one of the tags @{', @'.join(_KNOWN)}; got @{tag}")
        if name in _FLAGS:
            self.flags[name] = _flag(tag, " ".join(values))
            if name == "timestamps" and self.flags[name]:
                raise ValueError("series with timestamps are not supported; expected plain values")
        elif name in _COUNTS:
            if len(values) != 1 or not values[0].isdecimal() or int(values[0]) < 1:
                raise ValueError(f"expected a positive integer after @{tag}; got {line!r}")
            self.counts[_COUNTS[name]] = int(values[0])
        elif name == "targetlabel" and values[:1] and _flag(tag, values[0]):
            raise ValueError("numeric targets are not supported; expected class labels")
        elif name == "classlabel":
            if not values or not _flag(tag, values[0]):
                raise ValueError("expected '@classLabel true' and the labels; got no labels")
            self.classes = tuple(values[1:])
            if not self.classes or len(set(self.classes)) < len(self.classes):
                raise ValueError(f"expected distinct labels after '@classLabel true'; got {line!r}")

    def _check(self, series: np.ndarray, label: str) -> None:
        """Raise a ValueError if a case contradicts the header or earlier cases."""
        length, dims = series.shape
        if label not in self.classes:
            raise ValueError(f"the label {label!r} is not among {', '.join(self.classes)}")
        expected = 1 if self.flags.get("univariate") else self.counts.get("dimensions", dims)
        if dims != expected:
            raise ValueError(
                f"expected {expected} dimensions, as in the header or earlier cases; got {dims}"
            )
        # In the archives, @seriesLength applies to every case only if all lengths are equal.
        equal = self.flags.get("equallength", "serieslength" in self.counts)
        expected = self.counts.get("serieslength", length) if equal else length
        if length != expected:
            raise ValueError(
                f"expected {expected} values per dimension, as in the header or earlier cases; "
                f"got {length}"
            )
        self.counts.setdefault("dimensions", dims)
        if equal:
            self.counts.setdefault("serieslength", length)


def _flag(tag: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"expected true or false after @{tag}; got {value!r}")
    return value.lower() == "true"


def _case(line: str) -> tuple[np.ndarray, str]:
    """Parse one case: its series (time, dims) and label."""
    *dimensions, label = (part.strip() for part in line.split(":"))
    if not dimensions:
        raise ValueError("expected dimensions and a label, separated by ':'; got no ':'")
    columns = []
    for number, text in enumerate(dimensions, start=1):
        values = text.split(",")
        try:
            columns.append([number_of(value) for value in values])
        except ValueError:
            bad = next(value.strip() for value in values if not _is_number(value))
            if bad == "?":
                raise ValueError(
                    f"dimension {number} has a missing value ('?'), which is not supported; "
                    "fill it in or remove the case"
                ) from None
            raise ValueError(
                f"dimension {number}: expected numbers separated by ','; got {bad!r}"
            ) from None
    lengths = sorted({len(column) for column in columns})
    if len(lengths) > 1:
        raise ValueError(f"all dimensions of a case must have the same length; got {lengths}")
    series = np.array(columns).T
    if not np.isfinite(series).all():
        dimension = int(np.flatnonzero(~np.isfinite(series).all(axis=0))[0]) + 1
        raise ValueError(f"dimension {dimension} has a value that is not finite")
    return np.ascontiguousarray(series), label


def _is_number(text: str) -> bool:
    try:
        number_of(text)
    except ValueError:
        return False
    return True


def read_ts(path: str | Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Read a ``.ts`` file of labelled series, of equal or unequal lengths.

    Parameters
    ----------
    path : str or Path
        A text file in UTF-8.

    Returns
    -------
    series : list of ndarray of float64, each (time, dims)
    labels : ndarray of str, shape (len(series),)

    Raises
    ------
    ValueError
        If a line is malformed or contradicts the header, or the file has timestamps, missing
        values, or targets that are not class labels. The message names the line.

    References
    ----------
    Bagnall et al., The UEA multivariate time series classification archive, 2018,
    arXiv 1811.00075.

    Examples
    --------
    >>> import tempfile
    >>> text = "@univariate false\\n@classLabel true a b\\n@data\\n1,2,3:4,5,6:a\\n7,8:9,0:b\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.ts"
    ...     _ = path.write_text(text)
    ...     series, labels = read_ts(path)
    >>> [s.shape for s in series], labels.tolist()
    ([(3, 2), (2, 2)], ['a', 'b'])
    >>> series[1]
    array([[7., 9.],
           [8., 0.]])
    """
    path, reader = Path(path), _Reader()
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(map(str.strip, stream), start=1):
                if not line or line.startswith("#"):
                    continue
                try:
                    reader.take(line)
                except ValueError as error:
                    raise ValueError(f"{path}, line {number}: {error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text file in UTF-8: {error}") from None
    if not reader.series:
        missing = "cases after @data" if reader.in_data else "a line @data followed by cases"
        raise ValueError(f"{path}: expected {missing}; found none")
    return reader.series, np.array(reader.labels)


_VOWELS = {"TRAIN": 270, "TEST": 370}
_VOWEL_FOLDERS = ("japanese_vowels", "JapaneseVowels")


def _vowels(part: str) -> tuple[list[np.ndarray], np.ndarray]:
    name = f"JapaneseVowels_{part}.ts"
    root = os.environ.get(ENVIRONMENT)
    candidates = [Path(root) / folder / name for folder in _VOWEL_FOLDERS] if root else []
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        folder = str(candidates[0].parent) if candidates else f"a folder {_VOWEL_FOLDERS[0]}"
        remedy = "" if candidates else f", and set {ENVIRONMENT} to the folder that contains it"
        raise DatasetUnavailable(
            f"japanese_vowels needs {name}, which is not on this machine. Put "
            "JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts (timeseriesclassification.com) "
            f"into {folder}{remedy}"
        )
    series, labels = read_ts(path)
    if (len(series), series[0].shape[1]) != (_VOWELS[part], 12):
        raise DatasetUnavailable(
            f"{path} does not contain the published data: expected {_VOWELS[part]} series of 12 "
            f"variables, found {len(series)} of {series[0].shape[1]}"
        )
    return series, labels


def japanese_vowels() -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray], np.ndarray]:
    """Read Japanese Vowels, the recognition of nine speakers by two vowels.

    Each row has twelve cepstral coefficients of the speech signal, and each series 7 to 29 rows.
    There are 270 training series (30 per speaker) and 370 held-out series (24 to 88 per speaker).
    The files JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts are searched for in the folders
    japanese_vowels and JapaneseVowels inside the folder named by the environment variable
    DEEPRESERVOIR_DATA. Nothing is downloaded.

    Returns
    -------
    train_series : list of 270 ndarrays of float64, each (time, 12)
    train_labels : ndarray of str, shape (270,)
        The speakers, "1" to "9".
    test_series : list of 370 ndarrays of float64, each (time, 12)
    test_labels : ndarray of str, shape (370,)

    Raises
    ------
    DatasetUnavailable
        If a file is missing or contains other data. The message says which file to put where.
    ValueError
        If a file is damaged. The message names the line.

    References
    ----------
    Kudo, Toyama and Shimbo, Multidimensional curve classification using passing-through
    regions, Pattern Recognition Letters 20, 1999.

    Examples
    --------
    >>> train, speakers, test, _ = japanese_vowels()  # doctest: +SKIP
    >>> len(train), len(test), train[0].shape  # doctest: +SKIP
    (270, 370, (20, 12))
    """
    train_series, train_labels = _vowels("TRAIN")
    test_series, test_labels = _vowels("TEST")
    return train_series, train_labels, test_series, test_labels
