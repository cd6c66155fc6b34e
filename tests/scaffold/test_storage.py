"""Storage: every way of keeping a scaffold answers as plain NumPy does on its weights.

Products are compared with float64 products of the weights. In float32 the bound is the
forward error of a sum of k products, k eps (|x| |W|^T); in float64 it is 1e-12 of that.
"""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from target import assert_allclose, assert_array_equal, device, host, put, xp

from deepreservoir.scaffold import (
    FAMILIES,
    STORAGES,
    ScaffoldSpec,
    Stream,
    get_family,
    make_scaffold,
    resolve_storage,
    storage,
    tables,
)

CASES = [
    ("normal", "dense"),
    ("exponential", "dense"),
    ("orthogonal", "dense"),
    ("spectral_radius", "dense"),
    ("normal", "packed"),
    ("spectral_radius", "packed"),
    ("normal_8bit", "packed"),
    ("normal_4bit", "packed"),
    ("normal_2bit", "packed"),
    ("binary", "packed"),
    ("zero", "packed"),
    ("sparse_normal", "streamed"),
    ("normal_4bit", "streamed"),
    ("spectral_radius", "streamed"),
    ("hadamard", "structured"),
    ("kronecker", "structured"),
]
each_case = pytest.mark.parametrize(("family", "kept"), CASES)
STORED = ("dense", "packed", "streamed")


def make(family, kept, shape, dtype=np.float32, scale=1.0):
    return make_scaffold(ScaffoldSpec(family, shape, 5, "layers.0", scale), kept, dtype, device)


def numbers(shape, dtype, seed=0):
    """A matrix of normal numbers, read-only on the host."""
    return read_only(put(np.random.default_rng(seed).standard_normal(shape), dtype))


def read_only(x):
    if xp is np:
        x.flags.writeable = False
    return x


def lanes_of(family, part, shape):
    """Unit-variance weights of one part of a structured scaffold."""
    stream = Stream(5, "layers.0", f"scaffold/{family}/{part}")
    return tables.lane_table(get_family(family).table)[stream.rows(0, *shape)]


def nearest_factors(n):
    return max((a, n // a) for a in range(1, n + 1) if n % a == 0 and a * a <= n)


def kronecker_weights(shape, scale):
    """numpy.kron of the two factors times the scale, in float64: nothing rounded."""
    (p_out, q_out), (p_in, q_in) = nearest_factors(shape[0]), nearest_factors(shape[1])
    p = lanes_of("kronecker", "P", (p_out, p_in)).astype(np.float64)
    q = lanes_of("kronecker", "Q", (q_out, q_in)).astype(np.float64)
    return np.kron(p, q) * float(np.float32(scale / np.sqrt(shape[1])))


def hadamard_weights(shape, scale):
    """D2 H D1 written out: signs about scipy's Sylvester matrix, one D1 a block of rows."""
    d_out, d_in = shape
    order = next(2**k for k in range(20) if 2**k >= d_in)
    blocks = -(-d_out // order)
    signs_in = lanes_of("hadamard", "D1", (blocks, d_in))
    signs_out = lanes_of("hadamard", "D2", (1, d_out))[0]
    sylvester = scipy.linalg.hadamard(order)[:, :d_in]
    stacked = np.concatenate([sylvester * signs for signs in signs_in])[:d_out]
    return signs_out[:, None] * stacked * np.float32(scale / np.sqrt(d_in))


def product_weights(scaffold):
    """The float64 weights that products stand for."""
    # A Kronecker product never rounds p q, so there it is more exact than the float32 weights.
    if scaffold.spec.family == "kronecker":
        return kronecker_weights(scaffold.shape, scaffold.spec.scale)
    return scaffold.dense().astype(np.float64)


def assert_products_agree(scaffold, dtype, n=3):
    d_out, d_in = scaffold.shape
    w = product_weights(scaffold)
    for method, weights, width in (("matmul", w.T, d_out), ("rmatmul", w, d_in)):
        given = numbers((n, weights.shape[0]), dtype)
        found = getattr(scaffold, method)(given)
        x, found = host(given).astype(np.float64), host(found)
        assert found.shape == (n, width)
        assert found.dtype == dtype
        # Adding k terms, whatever the order, and three roundings of each: table, scale, product.
        unit = np.finfo(np.float32).eps * (len(weights) + 3) if dtype == np.float32 else 1e-12
        bound = unit * (np.abs(x) @ np.abs(weights))
        assert np.all(np.abs(found - x @ weights) <= bound)


@each_case
@settings(deadline=None, max_examples=30)
@given(
    d_out=st.integers(1, 40),
    d_in=st.integers(1, 70),
    n=st.integers(0, 4),
    tile_rows=st.integers(1, 50),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_products_agree_with_the_weights_at_any_shape(
    family, kept, d_out, d_in, n, tile_rows, dtype
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "tile_bytes", lambda device: 4 * d_in * tile_rows)
        assert_products_agree(make(family, kept, (d_out, d_in), dtype), dtype, n)


@each_case
@settings(deadline=None, max_examples=30)
@given(data=st.data(), d_out=st.integers(1, 40), d_in=st.integers(1, 70))
def test_any_tile_is_the_slice_of_dense(family, kept, data, d_out, d_in):
    scaffold = make(family, kept, (d_out, d_in))
    top, left = data.draw(st.integers(0, d_out - 1)), data.draw(st.integers(0, d_in - 1))
    bottom, right = data.draw(st.integers(top + 1, d_out)), data.draw(st.integers(left + 1, d_in))
    tile = scaffold.tile(range(top, bottom), range(left, right))
    assert tile.dtype == np.float32
    assert_array_equal(tile, scaffold.dense()[top:bottom, left:right])


@each_case
@pytest.mark.parametrize(("rows", "cols"), [((2, 2), (1, 8)), ((1, 4), (3, 3)), ((0, 0), (0, 0))])
def test_a_tile_without_rows_or_columns_is_empty(family, kept, rows, cols):
    tile = make(family, kept, (5, 12)).tile(range(*rows), range(*cols))
    assert tile.shape == (rows[1] - rows[0], cols[1] - cols[0])
    assert tile.dtype == np.float32


@each_case
@pytest.mark.parametrize("shape", [(37, 50), (64, 64), (31, 17)])
def test_results_do_not_depend_on_the_size_of_a_tile(family, kept, shape, monkeypatch):
    whole = make(family, kept, shape, np.float64)
    dense, norms, x = whole.dense(), whole.row_norms_squared, numbers((2, shape[1]), np.float64)
    product, digest = whole.matmul(x), whole.digest()
    monkeypatch.setattr(storage, "tile_bytes", lambda device: 4 * shape[1] * 5)
    tiled = make(family, kept, shape, np.float64)
    parts = list(tiled.row_tiles())
    assert [len(rows) for rows, _ in parts[:-1]] == [5] * (len(parts) - 1)
    assert_array_equal(np.concatenate([tile for _, tile in parts]), dense)
    assert_array_equal(tiled.dense(), dense)
    assert_array_equal(tiled.row_norms_squared, norms)
    assert_allclose(tiled.matmul(x), product, rtol=1e-12, atol=1e-13)
    assert tiled.digest() == digest


@pytest.mark.parametrize("shape", [(600, 500), (2, 300_000)])
@pytest.mark.parametrize("kept", STORED)
def test_matrices_beyond_one_strip_of_lanes_are_whole(kept, shape):
    spec = ScaffoldSpec("normal", shape, 5, "layers.0")
    table = tables.lane_table("normal") * np.float32(shape[1] ** -0.5)
    expected = table[spec.stream.rows(0, *shape)]
    assert_array_equal(make_scaffold(spec, kept, device=device).dense(), expected)


@each_case
@pytest.mark.parametrize("scaffold_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7, 12), (40, 12)], ids=["one block", "stacked blocks"])
def test_products_are_in_the_dtype_of_the_argument(family, kept, scaffold_dtype, dtype, shape):
    scaffold = make(family, kept, shape, scaffold_dtype)
    assert scaffold.matmul(numbers((3, shape[1]), dtype)).dtype == dtype
    assert scaffold.rmatmul(numbers((3, shape[0]), dtype)).dtype == dtype


# The scale of `kronecker` is folded into P, which is rounded to the scaffold's own dtype.
@pytest.mark.parametrize(("family", "kept"), [case for case in CASES if case[0] != "kronecker"])
def test_float64_products_of_a_float32_scaffold_are_exact_to_1e_12(family, kept):
    assert_products_agree(make(family, kept, (40, 27), np.float32), np.float64)


@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_layout_of_the_argument_does_not_matter(family, kept, dtype):
    scaffold = make(family, kept, (45, 30), dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for method, width in (("matmul", 30), ("rmatmul", 45)):
        product = getattr(scaffold, method)
        wide = numbers((8, 2 * width), dtype)
        for x in (wide[::2, ::2], wide[::-1, width:], wide[:, :width].T.copy().T):
            expected = product(xp.ascontiguousarray(x))
            read_only(x)
            assert_allclose(product(x), expected, rtol=tolerance, atol=tolerance)


@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_norms_squared_are_those_of_the_weights(family, kept, dtype):
    scaffold = make(family, kept, (45, 30), dtype)
    expected = np.sum(scaffold.dense().astype(np.float64) ** 2, axis=1)
    assert scaffold.row_norms_squared.dtype == dtype
    rtol = np.finfo(dtype).eps * (1 if dtype == np.float32 else 30)  # one rounding; a sum of 30
    assert_allclose(scaffold.row_norms_squared, expected, rtol=rtol)


@each_case
def test_shape_storage_and_dtype_of_dense(family, kept):
    scaffold = make(family, kept, (9, 21), np.float64)
    assert (scaffold.shape, scaffold.storage) == ((9, 21), kept)
    dense = scaffold.dense()
    assert (dense.shape, dense.dtype) == ((9, 21), np.float32)


@each_case
def test_writing_to_what_was_handed_out_leaves_the_scaffold_as_it_was(family, kept):
    scaffold = make(family, kept, (9, 21))
    x = numbers((2, 21), np.float32)
    product, weights = scaffold.matmul(x), scaffold.dense().copy()
    whole = range(9), range(21)
    for handed_out in (scaffold.dense(), scaffold.tile(*whole), scaffold.matmul(x)):
        if not isinstance(handed_out, np.ndarray) or handed_out.flags.writeable:
            handed_out[:] = 7
    assert_array_equal(scaffold.dense(), weights)
    assert_array_equal(scaffold.matmul(x), product)


@pytest.mark.host(reason="a device has no arrays that are read-only")
@pytest.mark.parametrize("family", ["normal", "orthogonal"])
def test_weights_that_are_held_cannot_be_written(family):
    with pytest.raises(ValueError, match="read-only"):
        make(family, "dense", (3, 4)).weights[0, 0] = 1


# What is held


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 4), (np.float64, 8)])
def test_dense_holds_one_number_a_weight(dtype, size):
    assert make("normal", "dense", (33, 50), dtype).nbytes == 33 * 50 * size


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 50, 64])
@pytest.mark.parametrize(
    "family", ["binary", "normal_2bit", "normal_4bit", "normal_8bit", "normal", "spectral_radius"]
)
def test_packed_holds_whole_bytes_a_row_and_no_more(family, width):
    bits = get_family(family).bits
    assert make(family, "packed", (5, width)).nbytes == 5 * -(-width * bits // 8)


@pytest.mark.parametrize("width", [8, 24, 784])
def test_packed_binary_is_one_thirty_second_of_dense(width):
    dense, packed = make("binary", "dense", (10, width)), make("binary", "packed", (10, width))
    assert 32 * packed.nbytes == dense.nbytes


def test_packed_codes_are_little_end_first_and_a_row_starts_on_a_byte():
    scaffold = make("normal_2bit", "packed", (2, 6))
    codes = scaffold.spec.stream.rows(0, 2, 6).astype(int) >> 14
    expected = [
        [sum(c << 2 * i for i, c in enumerate(r[k : k + 4])) for k in (0, 4)] for r in codes
    ]
    assert scaffold.codes.tolist() == expected


@pytest.mark.host(reason="it traces the host's memory")
@pytest.mark.parametrize(
    ("family", "kept"), [("normal", "streamed"), ("binary", "packed"), ("hadamard", "structured")]
)
def test_products_need_memory_for_a_tile_and_not_for_the_matrix(family, kept, monkeypatch):
    monkeypatch.setattr(storage, "tile_bytes", lambda device: 1 << 16)
    scaffold = make(family, kept, (8192, 256))  # 8 MB of weights
    x, g = numbers((1, 256), np.float32), numbers((1, 8192), np.float32)
    scaffold.matmul(x)  # makes the table of its scaled values, 256 KB
    tracemalloc.start()
    try:
        scaffold.matmul(x)
        scaffold.rmatmul(g)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    assert held < 1 << 14


def test_streamed_holds_no_weights():
    scaffold = make("normal", "streamed", (64, 512))
    scaffold.matmul(numbers((1, 512), np.float32))
    assert scaffold.nbytes == 0
    assert not [v for v in vars(scaffold).values() if isinstance(v, np.ndarray)]
    kept = [v for v in vars(scaffold.spec).values() if isinstance(v, np.ndarray)]
    assert {v.shape for v in kept} == {(65_536,)}  # the table of values, whatever the shape


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 4), (np.float64, 8)])
def test_structured_memory_grows_with_the_width_alone(dtype, size):
    # Signs in and out and two 32 by 32 matrices; two 32 by 32 factors.
    assert make("hadamard", "structured", (1024, 1024), dtype).nbytes == 4 * 1024 * size
    assert make("kronecker", "structured", (1024, 1024), dtype).nbytes == 2 * 1024 * size


# Structured scaffolds, written out

SHAPES = [(1, 1), (3, 1), (5, 8), (8, 8), (20, 8), (33, 50), (130, 64), (7, 13), (13, 7), (2, 97)]


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_hadamard_is_signs_about_a_sylvester_matrix(shape, scale):
    found = make("hadamard", "structured", shape, scale=scale).dense()
    assert_array_equal(found, hadamard_weights(shape, scale).astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (5, 16), (64, 64), (100, 128)])
def test_hadamard_rows_are_orthonormal_up_to_a_power_of_two(shape):
    weights = make("hadamard", "structured", shape).dense().astype(np.float64)
    assert_allclose(weights @ weights.T, np.eye(shape[0]), rtol=0, atol=1e-6)


def test_stacked_hadamard_blocks_have_signs_of_their_own():
    weights = make("hadamard", "structured", (48, 16)).dense().astype(np.float64)
    blocks = weights.reshape(3, 16, 16)
    for block in blocks:
        assert_allclose(block @ block.T, np.eye(16), rtol=0, atol=1e-6)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        # With shared input signs every row of one block would be a row of the other, but for
        # its sign: a product of exactly +-1.
        assert np.abs(blocks[a] @ blocks[b].T).max() < 0.99


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_kronecker_is_numpy_kron_of_its_factors(shape, scale):
    found = make("kronecker", "structured", shape, scale=scale).dense()
    expected = kronecker_weights(shape, scale)
    assert_allclose(found, expected, rtol=2 * 2.0**-24 * 1.01)  # two roundings


@pytest.mark.parametrize(
    ("shape", "p", "q"),
    [((12, 36), (3, 6), (4, 6)), ((7, 13), (1, 1), (7, 13)), ((1024, 10), (32, 2), (32, 5))],
)
def test_kronecker_factors_are_the_nearest_ones(shape, p, q):
    scaffold = make("kronecker", "structured", shape)
    assert scaffold.nbytes == 4 * (p[0] * p[1] + q[0] * q[1])


# Which storage can hold which family

HOLDS = {name: {"dense", "packed", "streamed"} for name in FAMILIES} | {
    "orthogonal": {"dense"},
    "hadamard": {"structured"},
    "kronecker": {"structured"},
}
PAIRS = [(f, s) for f in FAMILIES for s in STORAGES if s != "auto"]


@pytest.mark.parametrize(("family", "kept"), [p for p in PAIRS if p[1] in HOLDS[p[0]]])
def test_a_storage_that_can_hold_the_family_is_used(family, kept):
    assert resolve_storage(get_family(family), kept) == kept


@pytest.mark.parametrize(("family", "kept"), [p for p in PAIRS if p[1] not in HOLDS[p[0]]])
def test_a_storage_that_cannot_hold_the_family_is_refused_by_name(family, kept):
    with pytest.raises(ValueError, match="cannot hold") as caught:
        make(family, kept, (4, 4))
    message = str(caught.value)
    assert f"storage={kept!r}" in message
    assert f"scaffold={family!r}" in message
    advice = message.split("; use ")[1]
    assert {s for s in STORAGES if repr(s) in advice} == HOLDS[family] | {"auto"}


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_is_structured_where_the_family_is_and_dense_elsewhere(family):
    structured = family in ("hadamard", "kronecker")
    assert make(family, "auto", (4, 4)).storage == ("structured" if structured else "dense")


def test_an_unknown_storage_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match="storage must be one of") as caught:
        make("normal", "sparse", (4, 4))
    assert all(known in str(caught.value) for known in STORAGES)
    assert "'sparse'" in str(caught.value)
