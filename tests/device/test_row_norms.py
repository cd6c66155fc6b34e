"""Squared norms of rows: right, and the same bits whatever other rows are beside them."""

import numpy as np
import pytest

from deepreservoir.kernels import squared_norms

pytestmark = pytest.mark.usefixtures("thread_order", "grid")


@pytest.mark.parametrize("width", [1, 3, 64, 1000, 3001])
def test_norms_are_those_of_float64_whatever_the_other_rows_are(cupy, width):
    x = np.random.default_rng(width).standard_normal((7, width)).astype(np.float32)
    found = squared_norms(cupy.asarray(x))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.get(), squared_norms(x), rtol=1e-13)
    parts = [squared_norms(cupy.asarray(x[rows])) for rows in (slice(2), slice(2, 3), slice(3, 7))]
    np.testing.assert_array_equal(np.concatenate([part.get() for part in parts]), found.get())


def test_no_rows_have_no_norms(cupy):
    assert squared_norms(cupy.zeros((0, 4), np.float32)).shape == (0,)
    assert (squared_norms(cupy.zeros((3, 0), np.float32)).get() == 0).all()
