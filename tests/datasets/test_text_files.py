"""Text files: encodings, compression, and files that are no text, each with its remedy."""

import gzip
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from deepreservoir.datasets.cells import Table
from deepreservoir.datasets.text_file import stem_of

TEXT = "größe,y\n1,a\n2,b\n"


def table(tmp_path, content, name="t.csv", **options):
    path = tmp_path / name
    path.write_bytes(content)
    return Table(path, **options)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param(TEXT.encode(), {}, id="UTF-8"),
        pytest.param(TEXT.encode("utf-8-sig"), {}, id="with a mark"),
        pytest.param(TEXT.encode("utf-8-sig"), {"encoding": "utf-8"}, id="with a mark, named"),
        pytest.param(TEXT.encode("latin-1"), {"encoding": "latin-1"}, id="Latin-1"),
        pytest.param(TEXT.encode("utf-16"), {"encoding": "utf-16"}, id="UTF-16"),
        pytest.param(gzip.compress(TEXT.encode(), mtime=0), {}, id="gzip"),
        pytest.param(
            gzip.compress(TEXT.encode("cp1252"), mtime=0), {"encoding": "cp1252"}, id="both"
        ),
        pytest.param(TEXT.replace(",", ";").encode(), {"delimiter": ";"}, id="semicolons"),
        pytest.param(TEXT.replace(",", "\t").encode(), {"delimiter": "tab"}, id="tabs"),
        pytest.param(("sep=,\n" + TEXT).encode("utf-8-sig"), {}, id="Excel's separator"),
        pytest.param(("sep=;\r\n" + TEXT.replace(",", ";")).encode(), {}, id="sep=;"),
        pytest.param(("sep=\t\n" + TEXT.replace(",", "\t")).encode(), {}, id="sep=tab"),
    ],
)
def test_a_table_is_read_from_any_text(tmp_path, content, options):
    assert table(tmp_path, content, **options).columns == {"größe": ["1", "2"], "y": ["a", "b"]}


def test_a_compressed_file_needs_no_suffix_and_a_suffix_no_compression(tmp_path):
    assert table(tmp_path, gzip.compress(TEXT.encode(), mtime=0), "t.csv").lines == [2, 3]
    assert table(tmp_path, TEXT.encode(), "t.csv.gz").lines == [2, 3]
    assert stem_of(tmp_path / "t.csv.gz") == "t"


def test_without_a_header_columns_are_numbered(tmp_path):
    read = table(tmp_path, b"1,a\n2,b\n", header=False)
    assert read.columns == {"1": ["1", "2"], "2": ["a", "b"]}
    assert read.lines == [1, 2]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (TEXT.encode("latin-1"), {}, ["UTF-8", "row 1", "0xf6", "'ö'", "--encoding latin-1"]),
        ("x,y\n1,5 €\n".encode("cp1252"), {}, ["row 2", "0x80", "'€'", "--encoding cp1252"]),
        (TEXT.encode("utf-16"), {}, ["UTF-16", "--encoding utf-16"]),
        (TEXT.encode(), {"encoding": "ascii"}, ["ascii", "--encoding"]),
        (TEXT.encode(), {"encoding": "nope"}, ["encoding must be", "'nope'"]),
        (TEXT.encode(), {"encoding": "base64"}, ["encoding must be", "'base64'"]),
        (gzip.compress(TEXT.encode(), mtime=0)[:-4], {}, ["gzip", "damaged"]),
        (b"\x1f\x8bnothing else", {}, ["gzip", "damaged"]),
        (b"PK\x03\x04\x14", {}, ["Excel", "CSV"]),
        (b"PAR1\x15", {}, ["Parquet"]),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, ["binary"]),
        (b"a;b\n1;2\n", {}, ["semicolons", "--delimiter ';'"]),
        (b"a\tb\n1\t2\n", {}, ["tabs", "--delimiter tab"]),
        (b"a|b\n1|2\n", {}, ["bars", "--delimiter '|'"]),
        (b"a,b\n1,2\n", {"delimiter": ";"}, ["commas", "--delimiter ','"]),
        (b"a,b\n1,2\n", {"delimiter": "ab"}, ["delimiter must be one character", "'ab'"]),
        (b"a,b\n1,2\n", {"delimiter": '"'}, ["delimiter must be one character"]),
        (b"1,1,2\n1,2,3\n", {}, ["more than once", "--no-header"]),
        (b"", {"header": False}, ["at least one row"]),
        (b"1,2\n1\n", {"header": False}, ["row 2", "2 cells as in the first row, got 1"]),
    ],
)
def test_what_is_no_table_is_named_with_a_remedy(tmp_path, content, options, words):
    with pytest.raises(ValueError, match=r"delimiter must|encoding must|t\.csv") as caught:
        table(tmp_path, content, **options)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert len(message) < 300 + len(str(tmp_path))


def test_a_separator_above_the_header_leaves_the_numbers_of_rows(tmp_path):
    found = table(tmp_path, ("sep=;\n" + TEXT.replace(",", ";")).encode())
    assert (found.lines, found.delimiter) == ([3, 4], ";")
    with pytest.raises(ValueError, match="row 5: expected 2 cells"):
        table(tmp_path, ("sep=;\n" + TEXT.replace(",", ";") + "3\n").encode())


@pytest.mark.parametrize("note", ["# made on Monday\n", "Prices of homes\n"])
def test_a_note_above_the_header_is_named(tmp_path, note):
    with pytest.raises(ValueError, match=r"If the first row, .* is a note above"):
        table(tmp_path, (note + TEXT).encode())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_pipe_is_read(tmp_path, compressed):
    data = gzip.compress(TEXT.encode(), mtime=0) if compressed else TEXT.encode()
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(path.write_bytes, data)
        assert Table(path).columns == {"größe": ["1", "2"], "y": ["a", "b"]}
        writing.result(10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(path.write_bytes, TEXT.encode("latin-1"))
        with pytest.raises(ValueError, match="must be text in UTF-8; name its encoding"):
            Table(path)
        writing.result(10)
