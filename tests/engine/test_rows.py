"""Rows: dense and sparse matrices give the same batches, in the type that was asked for."""

import numpy as np
import pytest
import scipy.sparse
from target import assert_array_equal, device, put, xp

from deepreservoir.inputs.table import Rows, take_rows

DENSE = np.arange(35.0).reshape(7, 5) * (np.arange(35).reshape(7, 5) % 3 > 0)
KINDS = [np.array, scipy.sparse.csr_matrix, scipy.sparse.csr_array]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@every_kind
@every_type
def test_take_returns_the_rows_in_the_order_of_the_index(kind, dtype):
    rows = Rows(kind(DENSE), dtype, device)
    index = np.array([6, 0, 3, 3])
    taken = rows.take(index)
    assert type(taken) is xp.ndarray
    assert taken.dtype == dtype
    assert_array_equal(taken, DENSE[index])
    assert (len(rows), rows.width) == (7, 5)


@every_kind
def test_taken_rows_are_a_copy(kind):
    matrix = kind(DENSE)
    rows = Rows(matrix, np.float64, device)
    rows.take(np.arange(7))[:] = -1
    assert_array_equal(rows.take(np.arange(7)), DENSE)


@every_kind
@every_type
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_chunks_cover_all_rows_in_order(kind, dtype, size):
    chunks = list(Rows(kind(DENSE), dtype, device).chunks(size))
    assert all(chunk.dtype == dtype and len(chunk) <= size for _, chunk in chunks)
    assert_array_equal(xp.concatenate([chunk for _, chunk in chunks]), DENSE)
    assert_array_equal(np.concatenate([np.arange(7)[where] for where, _ in chunks]), np.arange(7))


@every_kind
def test_no_rows_are_no_chunks(kind):
    assert list(Rows(kind(DENSE[:0]), np.float32, device).chunks()) == []


def test_a_sparse_matrix_is_made_dense_a_batch_at_a_time():
    wide = scipy.sparse.csr_matrix((10, 1_000_000_000), dtype=np.float32)
    rows = Rows(wide, np.float32, device)
    assert rows.sparse
    assert (len(rows), rows.width) == wide.shape


def test_take_rows_is_indexing():
    for array in (DENSE, DENSE[:, 0], np.arange(7)):
        assert_array_equal(take_rows(put(array), np.array([2, 2, 5])), array[[2, 2, 5]])
