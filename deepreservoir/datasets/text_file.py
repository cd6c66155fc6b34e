"""Text files as rows of cells: compressed or not, in any encoding, refused with a remedy."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

_GZIP = b"\x1f\x8b"
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# First bytes of files that people pass in place of a CSV file.
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; export the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export the table as CSV",
    b"PAR1": "a Parquet file; export the table as CSV",
    b"BZh": "compressed with bzip2; decompress it first, or use gzip",
    b"\xfd7zXZ": "compressed with xz; decompress it first, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard; decompress it first, or use gzip",
    b"%PDF": "a PDF document",
}


# Python's csv module refuses longer cells; by default those of more than 131,072 characters.
_LONGEST_CELL = 2**31 - 1


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Let the csv module read long cells, such as texts, within a with block."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@contextmanager
def open_text(path: Path, encoding: str | None = None, utf8_only: bool = False) -> Iterator[TextIO]:
    """Open a text file or a pipe, decompressing it if it is a gzip file, whatever its name.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        A codec of Python, such as ``"latin-1"``. By default UTF-8, with or without a mark.
    utf8_only : bool, default=False
        Whether the caller takes no encoding, so that messages propose none.

    Raises
    ------
    ValueError
        While the file is read, if it is not text in this encoding. The message says what the file
        seems to be, and what to do.
    OSError
        If the file cannot be opened.
    """
    try:
        codec = codecs.lookup(encoding or "utf-8").name
        io.TextIOWrapper(io.BytesIO(), encoding=codec)
    except (LookupError, ValueError):
        raise ValueError(
            f"encoding must be a codec of Python, such as utf-8, latin-1, cp1252 or utf-16; got "
            f"{encoding!r}"
        ) from None
    if codec == "utf-8":
        codec = "utf-8-sig"  # without the byte order mark
    try:
        with _open_bytes(path) as raw:
            if encoding is None:
                _refuse_other_kinds(path, raw, utf8_only)
            with io.TextIOWrapper(raw, encoding=codec, newline="") as stream:
                yield stream
    except UnicodeDecodeError:
        message = _save_as_utf8(path) if utf8_only else _not_decoded(path, encoding)
        raise ValueError(message) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is a gzip file that is damaged or incomplete: {error}; compress the table "
            "again"
        ) from None


def stem_of(path: Path) -> str:
    """Return the name of a file without its suffix, and without ``.gz`` after it.

    Examples
    --------
    >>> stem_of(Path("data/homes.csv.gz"))
    'homes'
    """
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _open_bytes(path: Path) -> IO[bytes]:
    if not path.is_file():  # a pipe, which can be read only once, or an error
        data = io.BytesIO(path.read_bytes())
        is_gzip = data.getvalue().startswith(_GZIP)
        return io.BufferedReader(gzip.open(data) if is_gzip else data)
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    return io.BufferedReader(gzip.open(path)) if compressed else path.open("rb")


def _save_as_utf8(path: Path) -> str:
    return f"{path} must be a text file in UTF-8; save it as one"


def _refuse_other_kinds(path: Path, raw: IO[bytes], utf8_only: bool) -> None:
    first = raw.peek(64)[:4096]  # type: ignore[attr-defined]
    for mark, name in _MARKS.items():
        if first.startswith(mark) and utf8_only:
            raise ValueError(_save_as_utf8(path))
        if first.startswith(mark):
            raise ValueError(
                f"{path} must be a text file in UTF-8; it is in {name.upper()}. Name its encoding: "
                f"--encoding {name} (encoding, in Python)"
            )
    for magic, kind in _OTHERS.items():
        if first.startswith(magic):
            raise ValueError(f"{path} must be a text file in UTF-8; it is {kind}")
    if b"\0" in first:
        raise ValueError(f"{path} must be a text file in UTF-8; it is a binary file")


def _not_decoded(path: Path, encoding: str | None) -> str:
    """Say which row is not in the expected encoding, and in which one it may be."""
    if encoding is not None:
        return (
            f"{path} is not a text file in {encoding}, which --encoding names (encoding, in "
            "Python); name another, or leave it out for UTF-8"
        )
    if not path.is_file():
        return f"{path} must be text in UTF-8; name its encoding: --encoding (encoding, in Python)"
    with _open_bytes(path) as raw:
        for row, line in enumerate(raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                guess = "cp1252" if any(0x80 <= b < 0xA0 for b in line) else "latin-1"
                meaning = bytes([byte]).decode(guess, "replace")
                return (
                    f"{path} must be a text file in UTF-8: row {row} contains the byte "
                    f"0x{byte:02x}, which is {meaning!r} in {guess}. Name the encoding: --encoding "
                    f"{guess} (encoding, in Python), or save the file as UTF-8"
                )
    return f"{path} must be a text file in UTF-8"
