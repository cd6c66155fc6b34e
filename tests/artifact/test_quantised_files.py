"""Models whose matrices are stored as integers of eight or six bits with scales."""

import hashlib
import json
import math

import numpy as np
import pytest
import scipy.sparse
import test_echo_files as echo
from artifact_tools import CLASSES, TARGETS, X, classifier, gated, pipeline, regressor
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load as safetensors_load
from target import host

from deepreservoir import (
    ArtifactError,
    CausalLanguageModel,
    DeepReservoirClassifier,
    container,
    load,
    save,
)
from deepreservoir.artifact.persist import pack as contents_of
from deepreservoir.cli import main
from deepreservoir.container import Contents
from deepreservoir.quantised import (
    dequantise,
    largest_code,
    pack,
    quantise,
    scales_shape,
    unpack,
)

DTYPES = ("int8", "int6")


def values():
    """Return a strategy of matrices with rows and columns of all the kinds that have scales."""
    shapes = st.sampled_from([(1, 7), (16, 40), (40, 6), (40, 33), (5, 3, 20)])
    return st.one_of(
        arrays(
            np.float32,
            shapes,
            elements=st.floats(-(2.0**100), 2.0**100, width=32),
            fill=st.just(0.0),
        ),
        st.builds(
            lambda shape, seed, size: np.float32(
                np.random.default_rng(seed).normal(size=shape) * 10.0**size
            ),
            shapes,
            st.integers(0, 99),
            st.integers(-44, 30),
        ),
    )


# Codes and scales -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=40)
@given(values())
def test_codes_are_the_nearest_and_the_largest_value_has_the_largest_code(dtype, matrix):
    codes, scales = quantise(matrix, dtype)
    found, levels = dequantise(codes, scales, dtype), largest_code(dtype)
    wide = np.broadcast_to(scales.astype(np.float64), matrix.shape)
    # Half a step, and what eleven bits of the scale change in the largest value.
    most = wide * (0.5 + levels * 2.0**-11) + np.finfo(np.float32).tiny * levels
    assert (np.abs(found - matrix.astype(np.float64)) <= most).all()
    axes = tuple(i for i, size in enumerate(scales.shape) if size == 1)
    largest = np.abs(codes).max(axis=axes, keepdims=True)
    assert (largest[scales > 0] == levels).all()
    assert (largest[scales == 0] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=40)
@given(values())
def test_quantising_again_changes_nothing(dtype, matrix):
    codes, scales = quantise(matrix, dtype)
    found = dequantise(codes, scales, dtype)
    for again in (found, found.astype(np.float64)):
        new_codes, new_scales = quantise(again, dtype)
        np.testing.assert_array_equal(new_codes, codes)
        np.testing.assert_array_equal(new_scales, scales)
        np.testing.assert_array_equal(dequantise(new_codes, new_scales, dtype), found)


@given(
    arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-32, 31))
)
def test_packed_codes_are_unpacked(codes):
    packed = pack(codes)
    assert len(packed) == -(-codes.size // 4) * 3
    np.testing.assert_array_equal(unpack(packed, codes.shape), codes)


def test_short_rows_have_scales_by_column():
    assert quantise(np.ones((64, 8)), "int8")[1].shape == (1, 8)
    assert quantise(np.ones((64, 32)), "int8")[1].shape == (64, 1)
    assert quantise(np.ones((8, 8)), "int8")[1].shape == (8, 1)


def test_scales_beyond_float16_are_float32():
    for size in (1e-9, 1.0, 1e30):
        matrix = np.full((4, 100), size, np.float32)
        codes, scales = quantise(matrix, "int8")
        assert scales.dtype == (np.float16 if size == 1 else np.float32)
        np.testing.assert_allclose(dequantise(codes, scales, "int8"), matrix, rtol=2.0**-11)


@settings(deadline=None, max_examples=40)
@given(values(), st.sampled_from(DTYPES))
def test_a_file_that_is_written_again_is_the_same(matrix, dtype):
    matrix = np.tile(matrix, (1,) * (matrix.ndim - 1) + (-(-256 // matrix.size),))
    data = container.to_bytes(Contents({}, {"a": matrix}, {"a": dtype}))
    found = container.from_bytes(data)
    assert found.kept_as("a") == dtype
    assert found.tensors["a"].shape == matrix.shape
    assert container.to_bytes(found) == data


# Files of models --------------------------------------------------------------------------------


def language_model():
    sizes = {"width": 32, "depth": 1, "mlp_width": 16, "vocabulary_size": 20, "context": 8}
    codes = np.arange(200) % 20
    return CausalLanguageModel(**sizes, rank=8, max_iter=2, random_state=0).fit(codes), codes, None


@pytest.fixture(scope="module")
def models():
    """Fitted models, and rows on which they are scored."""
    sizes = {"hidden_layer_sizes": (64, 32)}
    return {
        "classifier": (classifier(**sizes), X, CLASSES),
        "dora": (regressor(**sizes, adapter="dora"), X, TARGETS),
        "float64": (regressor(**sizes, dtype="float64"), X, TARGETS),
        "full": (classifier(**sizes, adapter="full"), X, CLASSES),
        "pipeline": (pipeline(), X, TARGETS),
        "series": (echo.classifier(units=100), echo.SERIES, echo.LABELS),
        "language": language_model(),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["classifier", "dora", "float64", "full", "pipeline", "series", "language"]
)
def test_each_kind_of_model_is_saved_and_saved_again(models, tmp_path, name, dtype):
    model, rows, y = models[name]
    path = save(model, tmp_path / "m.safetensors", dtype=dtype)
    contents, loaded = container.read(path), load(path)
    expected = contents_of(model, dtype=dtype).tensors
    step = 0.5 / largest_code(dtype) + 2.0**-10
    for tensor, values in contents.tensors.items():
        if contents.kept_as(tensor) in DTYPES:
            assert np.abs(values - expected[tensor]).max() <= step * np.abs(expected[tensor]).max()
            assert values.ndim >= 2
    score = model.score(rows) if y is None else model.score(rows, y)
    found = loaded.score(rows) if y is None else loaded.score(rows, y)
    assert found == pytest.approx(score, abs=0.05 if dtype == "int8" else 0.3)
    again = container.read(save(loaded, tmp_path / "n.safetensors", dtype=dtype))
    assert again.dtypes == contents.dtypes
    for tensor, values in contents.tensors.items():
        np.testing.assert_array_equal(again.tensors[tensor], values)


def test_tasks_and_reservoirs_are_quantised(tmp_path):
    model = gated(hidden_layer_sizes=(64, 32))
    loaded = load(save(model, tmp_path / "m.safetensors", dtype="int8"))
    for task in "abc":
        near = np.abs(loaded.predict_proba(X, task) - model.predict_proba(X, task)).max()
        assert 0 < near < 0.05
    series = echo.regressor(units=300)
    loaded = load(save(series, tmp_path / "n.safetensors", dtype="int8"))
    assert container.read(tmp_path / "n.safetensors").kept_as("readout.coef") == "int8"
    coefficients = [host(model.readout_.coef) for model in (loaded, series)]
    assert np.abs(np.subtract(*coefficients)).max() > 0


def test_what_is_quantised_and_what_it_takes(models, tmp_path):
    model = models["classifier"][0]
    for dtype, bits in (("int8", 8), ("int6", 6)):
        contents = container.read(save(model, tmp_path / "m.safetensors", dtype=dtype))
        for name, values in contents.tensors.items():
            if values.ndim == 1 or values.size < 256:
                assert contents.kept_as(name) == "float16"
            else:
                assert contents.bytes_by_type(name)[dtype] == values.size * bits // 8
        assert {"int8", "int6"} & set(contents.dtypes.values()) == {dtype}
    # B of the first layer, (64, 6), has a scale per column.
    assert contents.bytes_by_type("layers.0.B") == {"int6": 288, "scales": 12}


def test_the_cost_is_told(models, tmp_path):
    model = models["classifier"][0]
    path = save(model, tmp_path / "m.safetensors", dtype="int8", X=X, y=CLASSES)
    cost = container.read(path).document["precision"]
    assert 0 < cost["largest_error"] < 0.5 / 127 + 2.0**-10
    assert cost["score_rounded"] == load(path).score(X, CLASSES)
    told = CliRunner().invoke(main, ["inspect", str(path)]).output
    assert "int8" in told
    assert "scales" in told


def test_any_reader_of_safetensors_reads_codes_and_scales(models, tmp_path):
    model = models["classifier"][0]
    for dtype in DTYPES:
        path = save(model, tmp_path / "m.safetensors", dtype=dtype)
        found, contents = safetensors_load(path.read_bytes()), container.read(path)
        scales_of_all, start = found["quantised.scales"], 0
        for name in sorted(name for name in found if contents.dtypes.get(name) == dtype):
            codes, shape = found[name], scales_shape(contents.tensors[name].shape)
            scales = scales_of_all[start : start + math.prod(shape)].reshape(shape)
            start += scales.size
            if dtype == "int6":
                assert codes.dtype == np.uint8
                bits = np.unpackbits(codes, bitorder="little").reshape(-1, 6)
                numbers = bits @ (1 << np.arange(6))
                codes = np.where(numbers > 31, numbers - 64, numbers)
                codes = codes[: contents.tensors[name].size].reshape(contents.tensors[name].shape)
            np.testing.assert_array_equal(codes * scales.astype(np.float32), contents.tensors[name])
        assert 0 < start == len(scales_of_all)


def test_scales_are_float32_for_all_if_one_is_beyond_float16(tmp_path):
    tensors = {name: np.full((16, 16), value) for name, value in (("a", 1.0), ("b", 1e-9))}
    contents = Contents({}, tensors, dict.fromkeys("ab", "int8"))
    found = container.read(container.write(tmp_path / "m.safetensors", contents))
    for name, value in tensors.items():
        np.testing.assert_allclose(found.tensors[name], value, rtol=2.0**-11)
        assert found.bytes_by_type(name) == {"int8": 256, "scales": 64}


# What is refused ----------------------------------------------------------------------------


def test_values_must_be_finite_and_within_float32():
    bad = np.ones((16, 16))
    for value, message in ((np.nan, "not finite"), (np.inf, "not finite"), (1e39, "does not fit")):
        bad[3, 3] = value
        with pytest.raises(ArtifactError, match=f"tensor 'a': .*{message}"):
            container.to_bytes(Contents({}, {"a": bad}, {"a": "int8"}))


def test_scales_need_a_name_of_their_own():
    tensors = {"a": np.ones((16, 16)), "quantised.scales": np.ones(3)}
    with pytest.raises(ArtifactError, match=r"'quantised\.scales' is the name of the scales"):
        container.to_bytes(Contents({}, tensors, {"a": "int8"}))
    plain = container.from_bytes(container.to_bytes(Contents({}, tensors, {})))
    np.testing.assert_array_equal(plain.tensors["quantised.scales"], np.ones(3))


def file_of(packed=None, **tensors):
    """Return a file with a right hash of stored arrays: name -> (type, array)."""
    header, start = {}, 0
    for name, (kind, array) in tensors.items():
        entry = {"dtype": kind, "shape": list(array.shape)}
        header[name] = {**entry, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    zeros = "0" * 64
    document = {"sha256": zeros, "format": 1, **({} if packed is None else {"packed": packed})}
    head = json.dumps({"__metadata__": {"deepreservoir": json.dumps(document)}, **header}).encode()
    parts = [array.tobytes() for _, array in tensors.values()]
    data = b"".join([len(head).to_bytes(8, "little"), head, *parts])
    return data.replace(zeros.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


CODES, SCALES = quantise(np.float32(np.arange(1024).reshape(16, 64)), "int8")
SIX, SIX_SCALES = quantise(np.float32(np.arange(1023).reshape(33, 31)), "int6")
PACKED = pack(SIX)


def changed(array, value, at=0):
    new = array.copy()
    new.reshape(-1)[at] = value
    return new


def test_the_files_that_are_changed_below_are_read():
    found = container.from_bytes(file_of(a=("I8", CODES), **scales_of(SCALES)))
    np.testing.assert_array_equal(found.tensors["a"], dequantise(CODES, SCALES, "int8"))
    found = container.from_bytes(
        file_of({"a": [33, 31]}, a=("U8", PACKED), **scales_of(SIX_SCALES))
    )
    np.testing.assert_array_equal(found.tensors["a"], dequantise(SIX, SIX_SCALES, "int6"))


def scales_of(scales):
    """Return the entry of scales for a file, also of a type that is refused."""
    kinds = {"float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8"}
    return {"quantised.scales": (kinds[scales.dtype.name], scales.reshape(-1))}


@pytest.mark.parametrize(
    ("codes", "scales", "message"),
    [
        (CODES, None, "the file has no scales, 'quantised.scales'"),
        (CODES, SCALES[:5], "it must have 16 scales; the file has 5 for it"),
        (CODES, SCALES.astype("f8"), r"must be F16 or F32, of one axis; got F64 of shape \(16,\)"),
        (CODES, CODES, r"must be F16 or F32, of one axis; got I8"),
        (changed(CODES, -128), SCALES, "from -127 to 127; got -128"),
        (CODES, changed(SCALES, -1), "the scales must be finite and not negative"),
        (CODES, changed(SCALES, np.nan), "the scales must be finite and not negative"),
        (CODES, changed(SCALES, 0, 3), "codes of a line whose scale is zero must be zero"),
        (CODES, np.full((16, 1), 1e37, np.float32), "beyond the largest of float32"),
        (CODES[0], SCALES[0], r"of shape \(64,\) must not be stored as int8"),
        (CODES[:3], SCALES[:3], r"of shape \(3, 64\) must not be stored as int8"),
    ],
)
def test_codes_and_scales_must_match(codes, scales, message):
    more = {} if scales is None else scales_of(scales)
    with pytest.raises(ArtifactError, match=f"tensor 'a': .*{message}"):
        container.from_bytes(file_of(a=("I8", codes), **more))


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (np.ones(17, np.float16), "has 17 scales; the quantised tensors have 16"),
        (SCALES, r"of one axis; got F16 of shape \(16, 1\)"),
    ],
)
def test_the_scales_are_as_many_as_the_tensors_have(scales, message):
    with pytest.raises(ArtifactError, match=message):
        container.from_bytes(file_of(a=("I8", CODES), **{"quantised.scales": ("F16", scales)}))


@pytest.mark.parametrize(
    ("packed", "codes", "message"),
    [
        (None, PACKED, "packed has no shape for it"),
        ({}, PACKED, "packed has no shape for it"),
        ({"a": [33, 31], "b": [1]}, PACKED, "packed has a shape for 'b', which is not U8"),
        ({"a": [32, 31]}, PACKED, r"take 744 bytes; got shape \(768,\)"),
        ({"a": [33, 32]}, PACKED, r"take 792 bytes; got shape \(768,\)"),
        ({"a": [1 << 61, 1 << 61]}, PACKED, "codes of six bits"),
        ({"a": [1023]}, PACKED, "must not be stored as int6"),
        ({"a": [0, 3]}, PACKED, "packed must have shapes by name"),
        ([33, 31], PACKED, "packed must have shapes by name"),
        ({"a": [33, 31]}, PACKED.reshape(2, -1), r"got shape \(2, 384\)"),
        ({"a": [33, 31]}, changed(PACKED, 4, -1), "the codes after the last one must be zero"),
        ({"a": [33, 31]}, changed(PACKED, 32), "from -31 to 31; got -32"),
    ],
)
def test_packed_codes_must_match_their_shape(packed, codes, message):
    with pytest.raises(ArtifactError, match=message):
        container.from_bytes(file_of(packed, a=("U8", codes), **scales_of(SIX_SCALES)))


def test_values_that_would_need_more_memory_than_allowed_are_not_decoded(tmp_path):
    path = tmp_path / "a.safetensors"
    contents = Contents({}, {"a": np.ones((100, 1000))}, {"a": "int6"})
    assert container.write(path, contents).stat().st_size < 80_000
    with pytest.raises(ArtifactError, match=r"the values take 400,.* bytes in memory; max_bytes"):
        container.read(path, max_bytes=100_000)


def test_what_must_keep_its_digits_is_not_quantised(models, tmp_path):
    contents = container.read(save(models["classifier"][0], tmp_path / "m.safetensors"))
    wide = contents.tensors | {"reader.table": np.ones((16, 64), np.float32)}
    container.write(
        tmp_path / "n.safetensors", Contents(contents.document, wide, {"reader.table": "int8"})
    )
    with pytest.raises(ArtifactError, match=r"'reader.table' must not be stored as int8"):
        load(tmp_path / "n.safetensors")


@pytest.mark.host(reason="sparse matrices and texts are on the host")
def test_what_fewer_bits_cost_is_measured_on_all_that_a_score_takes(tmp_path):
    path = tmp_path / "m.safetensors"
    rows = scipy.sparse.random(40, 10, 0.3, format="csr", random_state=0)
    model = DeepReservoirClassifier((8,), max_iter=1).fit(rows, np.arange(40) % 3)
    save(model, path, dtype="float16", X=rows, y=np.arange(40) % 3)
    assert container.read(path).document["precision"]["rows"] == 40
    text = tmp_path / "text.txt"
    text.write_text("the dog runs and the cat sleeps. " * 20)
    model = CausalLanguageModel(width=8, depth=1, heads=1, mlp_width=8, context=16)
    model.set_params(vocabulary_size=280, max_iter=1, random_state=0).fit(text)
    save(model, path, dtype="int8", X=text)
    cost = container.read(path).document["precision"]
    assert "rows" not in cost
    assert cost["score"] == pytest.approx(model.score(text))
    printed = CliRunner().invoke(main, ["inspect", str(path)])
    assert printed.exit_code == 0
    assert "before, " in printed.output
