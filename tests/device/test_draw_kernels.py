"""What a device draws has the bytes that the host draws; what it multiplies, the same numbers."""

import hashlib

import numpy as np
import pytest

from deepreservoir import kernels
from deepreservoir.kernels import draw
from deepreservoir.kernels.cuda import DeviceLimits
from deepreservoir.kernels.packing import codes_shape, draw_codes_, unpack, unpack_table
from deepreservoir.scaffold import FAMILIES, ScaffoldSpec, hadamard, make_scaffold, storage
from deepreservoir.scaffold.tables import codebook, lane_table

pytestmark = pytest.mark.usefixtures("thread_order")

KEY = (3 << 120) + (1 << 64) - 1  # of which both words are full
WIDTHS = [1, 15, 16, 17, 64, 100, 4113]
STORED = dict.fromkeys(FAMILIES, ("dense", "packed", "streamed"))
STORED |= {"orthogonal": ("dense",), "hadamard": ("structured",), "kronecker": ("structured",)}
CASES = [(name, kept) for name in FAMILIES for kept in STORED[name]]


# The lanes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 3, 2**50])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("grid")
def test_rows_have_the_bytes_of_the_host(cupy, width, start):
    table = lane_table("normal")
    found = kernels.draw_rows(cupy.asarray(table), KEY, start, start + 5, width)
    lanes = np.random.Philox(key=KEY, counter=start * -(-width // 16)).random_raw(
        5 * 4 * -(-width // 16)
    )
    expected = table[lanes.view(np.uint16).reshape(5, -1)[:, :width]]
    assert found.get().tobytes() == expected.tobytes()
    assert kernels.draw_rows(table, KEY, start, start + 5, width).tobytes() == expected.tobytes()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("grid")
def test_rows_by_index_have_the_bytes_of_rows_in_order(cupy, width):
    table, index = lane_table("normal"), np.array([4, 0, 7, 8, 4, 2**50, 9])
    expected = [kernels.draw_rows(table, KEY, row, row + 1, width) for row in index.tolist()]
    found = kernels.draw_rows_at(cupy.asarray(table), KEY, cupy.asarray(index), width)
    assert found.get().tobytes() == np.concatenate(expected).tobytes()
    on_host = kernels.draw_rows_at(table, KEY, index, width)
    assert on_host.tobytes() == np.concatenate(expected).tobytes()


FORMS = {"lanes": "exponential", "half": "normal", "codes": "normal_4bit", "two codes": "binary"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("many", [None, 0], ids=["any memory", "shared memory if it can"])
@pytest.mark.parametrize("family", FORMS.values(), ids=list(FORMS))
@pytest.mark.usefixtures("grid")
def test_every_form_of_a_table_gives_the_bytes_of_the_host(cupy, family, many, dtype, monkeypatch):
    if many is not None:
        monkeypatch.setattr(draw, "_MANY_WEIGHTS", many)
    values, table = codebook(family), lane_table(family)
    compact = cupy.asarray(kernels.compact_table(values))
    assert len(compact) == (32_768 if family == "normal" else len(values))
    for width in (1, 100, 4113, 4112):  # by weight, by four of them, by whole blocks
        found = kernels.draw_rows(compact, KEY, 3, 8, width, dtype=dtype)
        assert found.dtype == dtype
        expected = kernels.draw_rows(table, KEY, 3, 8, width)
        assert found.get().astype(np.float32).tobytes() == expected.tobytes()
        index = cupy.asarray(np.array([7, 3]))
        found = kernels.draw_rows_at(compact, KEY, index, width).get()
        assert found.tobytes() == expected[[4, 0]].tobytes()


def test_half_a_table_stays_where_it_is_on_a_device_with_little_shared_memory(cupy, monkeypatch):
    table = cupy.asarray(kernels.compact_table(codebook("normal")))
    expected = kernels.draw_rows(lane_table("normal"), KEY, 0, 3, 64)
    monkeypatch.setattr(draw, "_MANY_WEIGHTS", 0)
    monkeypatch.setattr(draw, "device_limits", lambda: DeviceLimits(2, 99 << 10))
    monkeypatch.setattr(draw, "_DRAW_SHARED_HALF", None)  # it is not launched
    assert kernels.draw_rows(table, KEY, 0, 3, 64).get().tobytes() == expected.tobytes()


def test_a_table_is_compact_only_if_it_is_mirrored_bit_by_bit():
    values = codebook("normal").copy()
    assert kernels.compact_table(values).tobytes() == values[32_768:].tobytes()
    values[0] = np.nextafter(values[0], np.float32(0))
    assert kernels.compact_table(values) is values
    zeros = np.zeros(65_536, np.float32)  # of which minus zero is another bit pattern
    assert kernels.compact_table(zeros) is zeros


@pytest.mark.parametrize("n", [3, 512, 65_535])
def test_a_table_of_another_length_is_refused(cupy, n):
    with pytest.raises(ValueError, match=f"a power of two up to 256; got {n}"):
        kernels.draw_rows(cupy.zeros(n, np.float32), KEY, 0, 1, 16)


def test_the_counter_carries_into_its_second_word(cupy):
    # NumPy adds one to the counter before it draws: the block after this one is number 2**64.
    table, last = lane_table("normal"), 2**64 - 1
    found = kernels.draw_rows(cupy.asarray(table), KEY, last, last + 1, 16).get()
    np.testing.assert_array_equal(found, kernels.draw_rows(table, KEY, last, last + 1, 16))


# Packed codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.usefixtures("grid")
def test_codes_and_their_weights_have_the_bytes_of_the_host(cupy, bits, width, start):
    rows = 5
    host = np.empty(*codes_shape(rows, width, bits))
    device = cupy.empty(*codes_shape(rows, width, bits))
    for codes in (host, device):
        draw_codes_(codes, KEY, start, width, bits)
    assert device.get().tobytes() == host.tobytes()
    values = np.random.default_rng(0).standard_normal(2**bits).astype(np.float32)
    table = unpack_table(values, bits)
    wide = unpack(device, cupy.asarray(table), width, np.float64)
    found = unpack(device, cupy.asarray(table), width)
    assert wide.dtype == np.float64
    assert wide.get().astype(np.float32).tobytes() == found.get().tobytes()
    lanes = kernels.lane_rows(KEY, start, start + rows, width)
    assert found.get().tobytes() == values[lanes >> (16 - bits)].tobytes()
    assert found.get().tobytes() == np.ascontiguousarray(unpack(host, table, width)).tobytes()


# Scaffolds -----------------------------------------------------------------------------------


def weights_on(scaffold, cupy):
    """The float32 weights that products use, read where products are computed."""
    if scaffold.spec.family == "hadamard":  # every entry is one term: nothing is rounded
        return scaffold.matmul(cupy.eye(scaffold.shape[1], dtype=np.float32)).get().T
    return np.concatenate([tile.get() for _, tile in scaffold.product_tiles(np.float32)])


@pytest.mark.parametrize("shape", [(33, 50), (5, 16), (7, 129)], ids=str)
@pytest.mark.parametrize(("family", "kept"), CASES)
def test_digests_of_all_families_hold_on_a_device(cupy, family, kept, shape, monkeypatch):
    spec = ScaffoldSpec(family, shape, 5, "layers.0", 1.5)
    expected = make_scaffold(spec).digest()
    for rows in (shape[0], 4):  # one tile, and tiles that begin elsewhere
        monkeypatch.setattr(storage, "tile_bytes", lambda device, rows=rows: 4 * shape[1] * rows)
        scaffold = make_scaffold(spec, kept, device="cuda")
        found = np.ascontiguousarray(weights_on(scaffold, cupy), "<f4")
        assert hashlib.sha256(found.tobytes()).hexdigest() == expected
        assert scaffold.digest() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(33, 50), (130, 64), (5, 1)], ids=str)
@pytest.mark.parametrize(
    ("family", "kept"), [case for case in CASES if case[0] in ("binary", *list(FAMILIES)[-3:])]
)
def test_products_and_norms_are_those_of_the_host(cupy, family, kept, shape, dtype):
    spec = ScaffoldSpec(family, shape, 5, "layers.0")
    host, device = (make_scaffold(spec, kept, dtype, where) for where in ("cpu", "cuda"))
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12}
    for method, width in (("matmul", shape[1]), ("rmatmul", shape[0])):
        x = np.random.default_rng(0).standard_normal((3, width)).astype(dtype)
        found, expected = getattr(device, method)(cupy.asarray(x)), getattr(host, method)(x)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.get(), expected, **tolerance)
    norms = device.row_norms_squared.get()
    np.testing.assert_allclose(norms, host.row_norms_squared, rtol=tolerance["rtol"])


@pytest.mark.usefixtures("grid")
def test_a_hadamard_row_that_does_not_fit_shared_memory_takes_two_products(cupy, monkeypatch):
    spec = ScaffoldSpec("hadamard", (40, 30), 5, "layers.0")
    scaffold = make_scaffold(spec, device="cuda")
    x, g = (cupy.asarray(np.random.default_rng(0).standard_normal((4, n))) for n in (30, 40))
    expected = scaffold.matmul(x).get(), scaffold.rmatmul(g).get()
    monkeypatch.setattr(hadamard, "fits_shared_memory", lambda order, dtype: False)
    monkeypatch.delattr(hadamard, "hadamard_rows")
    for found, kernel in zip((scaffold.matmul(x), scaffold.rmatmul(g)), expected, strict=True):
        np.testing.assert_allclose(found.get(), kernel, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("dtype", "largest"), [(np.float32, 8192), (np.float64, 4096)])
def test_the_largest_hadamard_row_that_fits_runs(cupy, dtype, largest):
    assert kernels.fits_shared_memory(largest, dtype)
    assert not kernels.fits_shared_memory(2 * largest, dtype)
    scaffold = make_scaffold(ScaffoldSpec("hadamard", (largest, largest), 0, "p"), device="cuda")
    x = np.random.default_rng(0).standard_normal((1, largest)).astype(dtype)
    # The transform is its own inverse: rows are orthonormal.
    back = scaffold.rmatmul(scaffold.matmul(cupy.asarray(x)))
    np.testing.assert_allclose(back.get(), x, atol=1e-5)


@pytest.mark.parametrize("kept", ["dense", "packed", "streamed"])
@pytest.mark.parametrize("family", ["normal", "normal_4bit", "spectral_radius"])
def test_no_weights_are_moved_to_the_device(cupy, family, kept, monkeypatch):
    moved = []

    def to_device(array, device):
        moved.append(array.nbytes)
        return cupy.asarray(array)

    monkeypatch.setattr(storage, "to_device", to_device)
    scaffold = make_scaffold(ScaffoldSpec(family, (300, 500), 0, "p"), kept, device="cuda")
    scaffold.rmatmul(scaffold.matmul(cupy.ones((2, 500), np.float32)))
    assert sum(moved) <= 4 * 65_536  # the values of the lanes, once
