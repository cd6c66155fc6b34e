"""The file: what it holds, what it refuses, and how it is written."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load as safetensors_load

from deepreservoir import container
from deepreservoir.container import ArtifactError, Contents
from deepreservoir.stored_values import decode, encode

TENSORS = {"layers.0.A": np.float32([[1, 2, 3]]), "target": np.array([0.1, 0.2])}
CONTENTS = Contents({"estimator": "x", "words": ["é", "sha256", "0" * 70]}, TENSORS, {})
DATA = container.to_bytes(CONTENTS)


def raw(header, data=b""):
    """Return a file of this header, which may be any text."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data


def with_document(document, **tensors):
    return raw({"__metadata__": {"deepreservoir": json.dumps(document)}, **tensors})


def test_what_is_written_is_read():
    found = container.from_bytes(DATA)
    assert found.document == CONTENTS.document
    assert found.tensors.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found.tensors[name], values)
        assert found.tensors[name].dtype == values.dtype
    assert container.to_bytes(found) == DATA


def test_integers_are_stored_as_they_are():
    codes = np.uint16([[0, 65_535], [1, 2]])
    data = container.to_bytes(Contents({}, {"codes": codes}, {}))
    found = container.from_bytes(data)
    assert found.kept_as("codes") == "uint16"
    assert found.tensors["codes"].dtype == np.uint16
    np.testing.assert_array_equal(found.tensors["codes"], codes)
    np.testing.assert_array_equal(safetensors_load(data)["codes"], codes)


def test_any_reader_of_safetensors_reads_it():
    found = safetensors_load(DATA)
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found[name], values)


def test_each_flipped_bit_is_noticed():
    for i in range(len(DATA)):
        for bit in range(8):
            changed = bytearray(DATA)
            changed[i] ^= 1 << bit
            with pytest.raises(ArtifactError):
                container.from_bytes(bytes(changed))


def test_each_cut_is_noticed():
    for n in range(len(DATA)):
        with pytest.raises(ArtifactError):
            container.from_bytes(DATA[:n])
    with pytest.raises(ArtifactError, match="damaged or was changed"):
        container.from_bytes(DATA + b"\0")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(data):
    with pytest.raises(ArtifactError):
        container.from_bytes(data)
    with pytest.raises(ArtifactError):
        container.from_bytes(raw(data))


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "at least 8 bytes"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "the header should take"),
        (raw(b"[1, 2]"), "must be a JSON object"),
        (raw(b'{"a": 1, "a": 2}'), "has a duplicate entry"),
        (raw(b'{"a": NaN}'), "contains NaN"),
        (raw(b"[" * 5000), "not JSON"),
        (raw(b"{" * 5000), "not JSON"),
        (raw(b'{"a": ' + b"9" * 5000 + b"}"), "not JSON"),
        (raw(b"\xff\xfe{}"), "not JSON"),
        (raw({}), "not saved by deepreservoir"),
        (raw({"__metadata__": {"deepreservoir": 3}}), "not saved by deepreservoir"),
        (with_document([]), "must be a JSON object"),
        (with_document({"format": 2}), "format 2; this version of deepreservoir reads format 1"),
        (with_document({"format": True}), "is of format True"),
        (with_document({"format": 1.0}), r"is of format 1\.0"),
        (with_document({"format": 1}), "has no SHA-256"),
        (with_document({"format": 1, "sha256": "0" * 64}), "damaged or was changed"),
        (with_document({"format": 1, "sha256": "é" * 64}), "has no SHA-256"),
    ],
)
def test_what_is_no_file_says_why(data, message):
    with pytest.raises(ArtifactError, match=message):
        container.from_bytes(data)


def hashed(**tensors):
    """Return a file of these entries whose hash is right, with 8 bytes of data."""
    import hashlib

    zeros = "0" * 64
    head = {"__metadata__": {"deepreservoir": json.dumps({"sha256": zeros, "format": 1})}}
    data = raw({**head, **tensors}, b"\0" * 8)
    return data.replace(zeros.encode(), hashlib.sha256(data).hexdigest().encode())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": ENTRY}, "the tensors take 4 bytes; the file has 8"),
        ({"a": ENTRY, "b": ENTRY}, "bytes from offset 4; the header says"),
        ({"a": {**ENTRY, "data_offsets": [4, 8]}}, "bytes from offset 0; the header says"),
        (
            {"a": {**ENTRY, "data_offsets": [0, 8]}},
            "must take 4 bytes from offset 0; the header says 0 to 8",
        ),
        ({"a": {**ENTRY, "data_offsets": [8, 0]}}, "bytes from offset"),
        ({"a": {**ENTRY, "data_offsets": [0, -4]}}, "two non-negative offsets"),
        ({"a": {**ENTRY, "data_offsets": [0, 4, 8]}}, "two non-negative offsets"),
        ({"a": {**ENTRY, "shape": [1 << 40, 1 << 40]}}, "bytes from offset"),
        ({"a": {**ENTRY, "shape": [1] * 100_000}}, "at most 8 positive integers"),
        ({"a": {**ENTRY, "shape": [True]}}, "positive integers"),
        ({"a": {**ENTRY, "shape": [1.0]}}, "positive integers"),
        ({"a": {**ENTRY, "shape": [0]}}, "positive integers"),
        ({"a": {**ENTRY, "shape": [1 << 70]}}, "below 2\\^62"),
        (
            {"a": {**ENTRY, "dtype": "I64"}},
            "must be one of F64, F32, F16, BF16, U16, I8, U8; got 'I64'",
        ),
        ({"a": {**ENTRY, "dtype": ["F32"]}}, "must be one of"),
        ({"a": {**ENTRY, "more": 1}}, "must have the entries dtype, shape and data_offsets"),
        ({"a": 3}, "must have the entries dtype"),
    ],
)
def test_tensors_must_be_all_of_the_data(tensors, message):
    with pytest.raises(ArtifactError, match=message):
        container.from_bytes(hashed(**tensors))


def test_values_must_be_finite():
    for bad in (np.nan, np.inf):
        with pytest.raises(ArtifactError, match="tensor 'a': a value is not finite"):
            container.to_bytes(Contents({}, {"a": np.array([1.0, bad])}, {}))
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    nan = np.float32([0, np.nan]).tobytes()
    data = hashed(a=entry)[:-8] + nan
    where = data.index(b"sha256") + 12  # after the escaped quotes and the colon
    import hashlib

    plain = data[:where] + b"0" * 64 + data[where + 64 :]
    digest = hashlib.sha256(plain).hexdigest().encode()
    with pytest.raises(ArtifactError, match="tensor 'a': it contains a value that is not finite"):
        container.from_bytes(data[:where] + digest + data[where + 64 :])


# Sixteen bits -------------------------------------------------------------------------------

finite = arrays(
    np.float32,
    st.integers(1, 20),
    elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False),
)


@given(finite)
def test_bfloat16_is_the_nearest_with_ties_to_even(values):
    kept = encode(values, "bfloat16")
    found = decode(kept, "bfloat16").astype(np.float64)
    # Its neighbours: the float32 numbers with the lower half cut off, and one step beyond.
    cut = (values.view(np.uint32) >> 16).astype(np.uint32)
    below = (cut << 16).view(np.float32).astype(np.float64)
    above = ((cut + 1) << 16).view(np.float32).astype(np.float64)
    exact = values.astype(np.float64)
    nearest = np.minimum(np.abs(below - exact), np.abs(above - exact))
    np.testing.assert_array_equal(np.abs(found - exact), nearest)
    tie = np.abs(below - exact) == np.abs(above - exact)
    assert (kept[tie] % 2 == 0).all()


@given(finite.filter(lambda values: (np.abs(values) < 6e4).all()))
def test_float16_is_numpys(values):
    found = decode(encode(values, "float16"), "float16")
    np.testing.assert_array_equal(found, values.astype(np.float16).astype(np.float32))


def test_what_does_not_fit_16_bits_is_refused():
    with pytest.raises(ArtifactError, match=r"1e\+05, does not fit float16; save with dtype='bf"):
        encode(np.float32([1, 1e5]), "float16")
    with pytest.raises(ArtifactError, match="does not fit bfloat16"):
        encode(np.float32([3.4e38]), "bfloat16")


# On disk --------------------------------------------------------------------------------------


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = container.write(tmp_path / "a.safetensors", CONTENTS)
    with pytest.raises(ArtifactError, match=r"a.safetensors: the file is .* max_bytes allows 100"):
        container.read(path, max_bytes=100)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = container.write(tmp_path / "a.safetensors", CONTENTS)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        container.write(path, Contents({"estimator": "y"}, TENSORS, {}))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        container.write(tmp_path / "none" / "a.safetensors", CONTENTS)


def test_a_saved_file_is_an_ordinary_one(tmp_path):
    path = container.write(tmp_path / "a.safetensors", CONTENTS)
    other = tmp_path / "b"
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode
