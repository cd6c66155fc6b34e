"""Files with other content than published are refused by name, and not read beyond their size."""

import gzip
import io
import tracemalloc

import numpy as np
import pytest
from idx_tools import empty_cache, publisher

from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.datasets.idx import load_idx


@pytest.fixture
def cache(tmp_path, monkeypatch):
    return empty_cache(tmp_path / "cache", monkeypatch)


def refusal(cache, raw: bytes) -> str:
    """Replace the first of four valid files by `raw`, and return the error message."""
    tiny = publisher()
    tiny.put(cache)
    path = cache / "tiny" / tiny.file.name
    path.write_bytes(raw)
    with pytest.raises(DatasetUnavailable) as caught:
        load_idx(tiny.source)
    assert str(path) in str(caught.value)
    assert "elete it" in str(caught.value)
    assert path.read_bytes() == raw  # a user's file is theirs to delete
    return str(caught.value)


def wrapped() -> bytearray:
    return bytearray(gzip.compress(publisher().content()))


@pytest.mark.parametrize("keep", [0, 1, 9, 10, 40, -9, -8, -1])
def test_a_gzip_file_that_is_cut_short_is_refused(cache, keep):
    refusal(cache, bytes(wrapped()[:keep]))


@pytest.mark.parametrize("where", [0, 1, 2, -8, -5, -1], ids=lambda where: f"byte {where}")
def test_a_gzip_file_with_a_wrong_header_or_checksum_is_refused(cache, where):
    raw = wrapped()
    raw[where] ^= 0xFF
    assert "not a complete gzip file" in refusal(cache, bytes(raw))


def test_a_gzip_file_with_a_damaged_stream_is_refused(cache):
    content = np.zeros(5000, np.uint8)
    content[::3] = 7
    raw = bytearray(gzip.compress(content.tobytes()))
    raw[10:20] = b"\xff" * 10  # 10 bytes of header, then the first block
    assert "not a complete gzip file" in refusal(cache, bytes(raw))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content[:-1] + bytes([content[-1] ^ 1]), id="one bit"),
        pytest.param(lambda content: content[:-1], id="one byte less"),
        pytest.param(lambda content: content + b"\0", id="one byte more"),
        pytest.param(lambda content: b"\1" + content[1:], id="magic number"),
        pytest.param(lambda content: b"", id="nothing"),
    ],
)
def test_other_content_is_refused_with_both_hashes(cache, change):
    message = refusal(cache, gzip.compress(change(publisher().content())))
    assert publisher().file.sha256 in message
    assert "SHA-256" in message


def test_the_same_content_compressed_differently_is_accepted(cache):
    tiny = publisher()
    tiny.put(cache)
    path = cache / "tiny" / tiny.file.name
    buffer = io.BytesIO()
    with gzip.GzipFile("other-name", "wb", 1, buffer, mtime=1234) as stream:
        stream.write(tiny.content())
    assert buffer.getvalue() != path.read_bytes()
    path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(load_idx(tiny.source)[0], tiny.arrays[0])


def test_a_gzip_bomb_is_not_read_completely(cache):
    inflated = 64 << 20
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as stream:
        stream.write(publisher().content())
        for _ in range(64):
            stream.write(bytes(inflated // 64))
    tracemalloc.start()
    try:
        message = refusal(cache, buffer.getvalue())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < inflated / 16
    assert f"first {publisher().file.size + 1} bytes" in message
