"""Rows by index: those of the dense weights, and no others are drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scaffold_tools import make, one_of_each
from target import assert_array_equal, device, host, put, xp

from deepreservoir.kernels import draw
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

HUGE = 10**12


@one_of_each
@settings(deadline=None, max_examples=25)
@given(
    data=st.data(),
    d_out=st.integers(1, 60),
    d_in=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1.0, 0.3, "family"]),
    index_dtype=st.sampled_from([np.int64, np.int32, np.uint8]),
    on_host=st.booleans(),
)
def test_rows_by_index_are_those_of_the_dense_weights(
    family, storage, data, d_out, d_in, dtype, scale, index_dtype, on_host
):
    scaffold = make(family, storage, (d_out, d_in), dtype, scale)
    shapes = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    index = data.draw(arrays(index_dtype, shapes, elements=st.integers(0, d_out - 1)))
    rows = scaffold.rows_at(index if on_host else put(index))
    assert type(rows) is xp.ndarray
    assert rows.dtype == dtype
    assert rows.shape == (*index.shape, d_in)
    assert_array_equal(rows, scaffold.dense()[index])


@one_of_each
def test_the_rows_are_a_copy(family, storage):
    scaffold = make(family, storage, (6, 5))
    before = scaffold.dense().copy()
    scaffold.rows_at([2, 2, 0])[:] = 7
    assert_array_equal(scaffold.rows_at([2, 0]), before[[2, 0]])
    assert_array_equal(scaffold.dense(), before)


@one_of_each
@pytest.mark.parametrize("index", [[0, 6], [[-1]], 6, [2**40]])
@pytest.mark.parametrize("on_host", [True, False])
def test_an_index_out_of_range_is_refused_with_the_range(family, storage, index, on_host):
    scaffold = make(family, storage, (6, 5))
    index = np.array(index)
    message = r"row indices of scaffold 'layers.0' must be from 0 to 5; got (6|-1|1099511627776)$"
    with pytest.raises(IndexError, match=message):
        scaffold.rows_at(index if on_host else put(index))


@pytest.mark.parametrize("index", [[0.0, 1.0], [True, False], ["a"]])
def test_an_index_that_is_not_whole_numbers_is_refused(index):
    with pytest.raises(TypeError, match="row indices must be integers; got an array of "):
        make("normal", "dense", (6, 5)).rows_at(index)


@pytest.mark.parametrize("family", ["normal", "binary"])
def test_rows_of_a_table_larger_than_any_memory_are_drawn_alone(family):
    scaffold = make_scaffold(ScaffoldSpec(family, (HUGE, 24), 0, "e"), "streamed", device=device)
    index = np.array([[HUGE - 1, 0], [7, HUGE - 1]])
    expected = np.stack([scaffold.spec.rows(row, row + 1)[0] for row in index.ravel().tolist()])
    assert_array_equal(scaffold.rows_at(put(index)), expected.reshape(2, 2, 24))


@pytest.mark.parametrize("family", ["hadamard", "kronecker"])
def test_rows_of_a_structure_take_memory_for_these_rows(family):
    scaffold = make(family, "structured", (2**20, 4096))  # 16 GB, were it written out
    rows = host(scaffold.rows_at([2**20 - 1, 12345]))
    assert_array_equal(rows[1], scaffold.tile(range(12345, 12346), range(4096))[0])


@pytest.mark.host(reason="a device draws each row by itself")
def test_each_row_is_drawn_once_and_neighbours_together(monkeypatch):
    drawn, whole = [], draw.lane_rows

    def lane_rows(key, start, stop, *rest):
        drawn.append((start, stop))
        return whole(key, start, stop, *rest)

    scaffold = make("normal", "streamed", (50, 8))
    monkeypatch.setattr(draw, "lane_rows", lane_rows)
    scaffold.rows_at(np.array([[9, 3, 4], [3, 40, 5]]))
    assert drawn == [(3, 6), (9, 10), (40, 41)]


@one_of_each
def test_an_index_on_a_device_leaves_the_table_where_it_is(family, storage, transfers):
    scaffold = make(family, storage, (40, 30))
    index = put(np.array([3, 39, 3]))
    scaffold.rows_at(index)  # moves the values of the lanes, once
    before = transfers.to_device, transfers.to_host
    scaffold.rows_at(index)
    # The host waits for the range of the index, and nothing else crosses.
    assert (transfers.to_device, transfers.to_host) == (before[0], before[1] + 1)
