"""Patches of images: against slices of padded images, and the kernels against both."""

import numpy as np
import pytest
from target import assert_array_equal, host, put

from deepreservoir import kernels

SIZES = [  # n, h, w, c, kernel, stride, padding
    (2, 5, 6, 3, 3, 1, 1),
    (1, 1, 1, 1, 1, 1, 0),
    (3, 1, 1, 2, 3, 1, 1),
    (2, 7, 4, 1, 3, 2, 1),
    (1, 8, 9, 2, 5, 3, 2),
    (2, 6, 6, 4, 2, 2, 0),
    (1, 7, 7, 1, 2, 3, 2),
    (2, 4, 5, 2, 1, 2, 0),
    (2, 3, 3, 1, 1, 2, 2),
    (0, 5, 5, 2, 3, 1, 1),
]
every_size = pytest.mark.parametrize("sizes", SIZES, ids=str)


def slices(x, kernel, stride, padding):
    """Return the patches as the definition has them."""
    n, h, w, c = x.shape
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = range(0, h + 2 * padding - kernel + 1, stride)
    columns = range(0, w + 2 * padding - kernel + 1, stride)
    out = np.empty((n, len(rows), len(columns), kernel * kernel * c), x.dtype)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            patch = padded[:, row : row + kernel, column : column + kernel]
            out[:, i, j] = patch.reshape(n, kernel * kernel * c)
    return out


@every_size
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_patches_are_slices_of_padded_images(sizes, dtype):
    *shape, kernel, stride, padding = sizes
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    found = kernels.patches(put(x, dtype), kernel, stride, padding)
    assert_array_equal(found, slices(x, kernel, stride, padding))
    assert found.dtype == dtype


@every_size
def test_the_adjoint_has_the_same_inner_products(sizes):
    *shape, kernel, stride, padding = sizes
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape)
    patches = slices(x, kernel, stride, padding)
    g = rng.standard_normal(patches.shape)
    back = host(kernels.patches_adjoint(put(g), tuple(shape[1:3]), kernel, stride, padding))
    assert back.shape == tuple(shape)
    np.testing.assert_allclose(np.vdot(back, x), np.vdot(g, patches), rtol=1e-12)


def test_patches_are_written_to_a_buffer_and_read_from_any_order():
    x = np.random.default_rng(2).standard_normal((3, 6, 5, 2))
    buffer = put(np.full((3, 6, 5, 18), np.nan))
    given = put(x.transpose(0, 2, 1, 3).copy()).transpose(0, 2, 1, 3)
    found = kernels.patches(given, 3, 1, 1, out=buffer[:3])
    assert_array_equal(found, slices(x, 3, 1, 1))
    assert_array_equal(buffer, slices(x, 3, 1, 1))


@pytest.mark.parametrize(("padding", "words"), [(0, "2 x 5 pixels is"), (1, "1 rows and columns")])
def test_an_image_smaller_than_the_kernel_is_refused(padding, words):
    with pytest.raises(ValueError, match=words):
        kernels.patches(put(np.zeros((1, 2, 5, 1))), 5, 1, padding)


@every_size
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("thread_order", "grid")
def test_kernels_give_what_numpy_gives(cupy, sizes, dtype):
    *shape, kernel, stride, padding = sizes
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape).astype(dtype)
    expected = kernels.patches(x, kernel, stride, padding)
    found = kernels.patches(cupy.asarray(x), kernel, stride, padding)
    np.testing.assert_array_equal(found.get(), expected)
    g = rng.standard_normal(expected.shape).astype(dtype)
    arguments = tuple(shape[1:3]), kernel, stride, padding
    back = kernels.patches_adjoint(cupy.asarray(g), *arguments).get()
    eps = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(back, kernels.patches_adjoint(g, *arguments), rtol=eps, atol=eps)
