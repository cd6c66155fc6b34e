"""Products over leading axes: those of the rows, with the axes put back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scaffold_tools import make, one_of_each
from target import assert_array_equal, put, xp

each_product = pytest.mark.parametrize("method", ["matmul", "rmatmul"])


def widths(scaffold, method):
    return scaffold.shape[::-1] if method == "matmul" else scaffold.shape


@one_of_each
@each_product
@settings(deadline=None, max_examples=15)
@given(
    leading=st.lists(st.integers(0, 4), min_size=0, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
    x_dtype=st.sampled_from([np.float32, np.float64]),
)
def test_products_over_leading_axes_are_those_of_the_rows(
    family, storage, method, leading, dtype, x_dtype
):
    scaffold = make(family, storage, (21, 12), dtype)
    width, out_width = widths(scaffold, method)
    x = put(np.random.default_rng(0).standard_normal((*leading, width)), x_dtype)
    found = getattr(scaffold, method)(x)
    assert found.dtype == x_dtype
    assert found.shape == (*leading, out_width)
    rows = getattr(scaffold, method)(x.reshape(-1, width))
    assert_array_equal(found.reshape(-1, out_width), rows)


@one_of_each
@each_product
def test_the_order_of_the_axes_in_memory_does_not_matter(family, storage, method):
    scaffold = make(family, storage, (21, 12), np.float64)
    width, out_width = widths(scaffold, method)
    x = put(np.random.default_rng(0).standard_normal((5, width, 3)))
    found = getattr(scaffold, method)(xp.swapaxes(x, 1, 2))
    expected = getattr(scaffold, method)(xp.ascontiguousarray(xp.swapaxes(x, 1, 2)))
    assert found.shape == (5, 3, out_width)
    assert_array_equal(found, expected)


@one_of_each
@each_product
def test_rows_are_handed_on_as_they_are(family, storage, method, monkeypatch):
    scaffold = make(family, storage, (21, 12))
    seen = []
    monkeypatch.setattr(scaffold, f"_{method}", lambda x: seen.append(x) or x)
    x = put(np.ones((3, widths(scaffold, method)[0]), np.float32))
    assert getattr(scaffold, method)(x) is x
    assert seen[0] is x


@one_of_each
@each_product
@pytest.mark.parametrize("shape", [(), (7,), (2, 12, 7), (4, 3, 7)])
def test_a_last_axis_of_another_width_is_refused(family, storage, method, shape):
    scaffold = make(family, storage, (21, 12))
    with pytest.raises(ValueError, match=r"scaffold 'layers\.0' of shape \(21, 12\) needs a last"):
        getattr(scaffold, method)(put(np.ones(shape, np.float32)))


@pytest.mark.parametrize(
    ("family", "storage"),
    [("normal", "dense"), ("normal", "streamed"), ("binary", "packed"), ("hadamard", "structured")],
)
def test_products_refuse_rows_of_another_width_and_integers(family, storage):
    shape = (8, 8) if family == "hadamard" else (5, 7)
    scaffold = make(family, storage, shape)
    for product, width in ((scaffold.matmul, shape[1]), (scaffold.rmatmul, shape[0])):
        with pytest.raises(ValueError, match=f"needs a last axis of {width}; got shape"):
            product(put(np.ones((2, width + 2), np.float32)))
        with pytest.raises(TypeError, match="must be a floating-point one; got int64"):
            product(put(np.ones((2, width), np.int64)))
