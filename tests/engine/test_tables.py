"""Tables: dense and sparse matrices give the same batches, in the type that was asked for."""

import numpy as np
import pytest
import scipy.sparse
from target import assert_array_equal, device, put, xp

from deepreservoir.inputs import CHUNK_ROWS, Table, take_rows

DENSE = np.arange(35.0).reshape(7, 5) * (np.arange(35).reshape(7, 5) % 3 > 0)
KINDS = [np.array, scipy.sparse.csr_matrix, scipy.sparse.csr_array]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@every_kind
@every_type
def test_take_returns_the_rows_in_the_order_of_the_index(kind, dtype):
    rows = Table(kind(DENSE), dtype, device)
    index = np.array([6, 0, 3, 3])
    taken = rows.take(index).x
    assert type(taken) is xp.ndarray
    assert taken.dtype == dtype
    assert_array_equal(taken, DENSE[index])
    assert (len(rows), rows.width) == (7, 5)


@every_kind
def test_taken_rows_are_a_copy(kind):
    matrix = kind(DENSE)
    rows = Table(matrix, np.float64, device)
    rows.take(np.arange(7)).x[:] = -1
    assert_array_equal(rows.take(np.arange(7)).x, DENSE)


@every_kind
@every_type
@pytest.mark.parametrize(
    ("nbytes", "sizes"),
    [(0, [1] * 7), (59, [2, 2, 2, 1]), (60, [3, 3, 1]), (140, [7]), (1 << 30, [7])],
)
def test_chunks_cover_all_rows_in_order_and_keep_to_the_bytes(kind, dtype, nbytes, sizes):
    chunks = list(Table(kind(DENSE), dtype, device).chunks(nbytes, sample_bytes=20))
    assert [len(batch.x) for _, batch in chunks] == sizes
    assert all(batch.x.dtype == dtype and not batch.side for _, batch in chunks)
    assert_array_equal(xp.concatenate([batch.x for _, batch in chunks]), DENSE)
    assert_array_equal(np.concatenate([np.arange(7)[where] for where, _ in chunks]), np.arange(7))


@every_kind
def test_a_chunk_has_a_limited_number_of_rows_whatever_the_bytes(kind):
    rows = Table(kind(np.ones((CHUNK_ROWS + 1, 1))), np.float32, device)
    assert [len(batch.x) for _, batch in rows.chunks(1 << 30, 4)] == [CHUNK_ROWS, 1]


@every_kind
def test_no_rows_are_no_chunks(kind):
    assert list(Table(kind(DENSE[:0]), np.float32, device).chunks(1 << 20, 20)) == []


def test_a_sparse_matrix_is_made_dense_a_batch_at_a_time():
    wide = scipy.sparse.csr_matrix((10, 1_000_000_000), dtype=np.float32)
    rows = Table(wide, np.float32, device)
    assert rows.sparse
    assert (len(rows), rows.width) == wide.shape


def test_take_rows_is_indexing():
    for array in (DENSE, DENSE[:, 0], np.arange(7)):
        assert_array_equal(take_rows(put(array), np.array([2, 2, 5])), array[[2, 2, 5]])


# What a table says of itself ------------------------------------------------------------


@every_kind
def test_a_subset_has_the_rows_at_its_index(kind):
    index = np.array([5, 1, 1])
    part = Table(kind(DENSE), np.float32, device).subset(index)
    assert (len(part), part.dtype, part.device) == (3, np.float32, device)
    assert_array_equal(part.take(np.arange(3)).x, DENSE[index].astype(np.float32))


@every_kind
def test_equal_rows_have_the_same_key_and_others_do_not(kind):
    keys = Table(kind(DENSE[[0, 1, 0, 2]]), np.float64, device).keys()
    assert keys[0] == keys[2]
    assert len(set(keys)) == 3


def test_the_key_of_a_sparse_row_does_not_depend_on_how_it_is_stored():
    explicit = scipy.sparse.csr_matrix(([1.0, 2.0, 0.0, 3.0], [0, 2, 1, 2], [0, 2, 4]), (2, 3))
    halves = scipy.sparse.csr_matrix(([1.0, 1.0, 1.0, 3.0], [0, 2, 2, 2], [0, 3, 4]), (2, 3))
    stored = [Table(matrix, np.float64, device).keys() for matrix in (explicit, halves)]
    assert stored[0] == stored[1]
    assert stored[0][0] != stored[0][1]


@every_kind
def test_a_digest_is_of_every_value_the_shape_and_the_type(kind):
    changed = DENSE.copy()
    changed[6, 4] += 1
    tables = (DENSE, changed, DENSE[:6], DENSE.astype(np.float32), DENSE.reshape(5, 7))
    digests = [Table(kind(values), np.float64, device).digest() for values in tables]
    assert len(set(digests)) == 5
    assert Table(kind(DENSE.copy()), np.float64, device).digest() == digests[0]
