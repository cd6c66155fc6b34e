"""Passes of batch normalisation and ReLU over blocks of rows, each of which holds several pixels.

A row (width,) holds width / c pixels of c channels, so that loops are long where channels are few;
factors of channels are repeated over the pixels.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from . import compiled
from .products import inner


def pixel_moments(rows: Array, c: int) -> tuple[Array, Array]:
    """Return the means of the channels, and the sums of squares around them, (c,) each.

    Parameters
    ----------
    rows : array, shape (n, width)
    c : int
        Number of channels, of which the width is a multiple.
    """
    xp = array_module(rows)
    if xp is np and compiled.suits(rows):
        mean, squares = np.empty(c, rows.dtype), np.empty(c, rows.dtype)
        compiled.loops().column_moments(rows, mean, squares)
        return mean, squares
    repeats = rows.shape[1] // c
    mean = rows.mean(axis=0).reshape(repeats, c).mean(axis=0)
    centred = rows - xp.tile(mean, repeats)
    return mean, inner(centred, centred, axis=0).reshape(repeats, c).sum(axis=0)


def affine_relu(rows: Array, slope: Array, shift: Array, out: Array) -> None:
    """Write ``max(rows slope + shift, 0)`` into out.

    Parameters
    ----------
    rows, out : array, shape (n, width)
    slope, shift : array, shape (width,)
    """
    xp = array_module(rows)
    if xp is np and compiled.suits(rows):
        compiled.loops().affine_relu(rows, slope, shift, out)
        return
    xp.multiply(rows, slope, out=out)
    out += shift
    xp.maximum(out, 0, out=out)


def relu_sums(
    rows: Array, dy: Array, mean: Array, slope: Array, shift: Array, out: Array
) -> tuple[Array, Array]:
    """Return the sums over rows of d and of ``d (rows - mean)``, (width,) each.

    Here d is the gradient below the ReLU of :func:`affine_relu`.

    Parameters
    ----------
    rows, dy : array, shape (n, width)
    mean, slope, shift : array, shape (width,)
    out : array, shape (n, width)
        For :func:`norm_gradient_`.
    """
    xp = array_module(rows)
    if xp is np and compiled.suits(rows):
        total, along = np.zeros((2, rows.shape[1]), rows.dtype)
        compiled.loops().relu_sums(rows, dy, mean, slope, shift, total, along)
        return total, along
    centred = rows - mean
    d = xp.multiply(dy, centred * slope > -(shift + mean * slope), out=out)
    return d.sum(axis=0), inner(d, centred, axis=0)


def norm_gradient_(
    rows: Array, dy: Array, slope: Array, shift: Array, by_x: Array, constant: Array, out: Array
) -> None:
    """Write ``d slope + rows by_x + constant`` into out, with the d of :func:`relu_sums`.

    Parameters
    ----------
    rows, dy : array, shape (n, width)
    slope, shift, by_x, constant : array, shape (width,)
    out : array, shape (n, width)
        As :func:`relu_sums` has left it: a compiled loop derives d again, NumPy reads it here.
    """
    if array_module(rows) is np and compiled.suits(rows):
        compiled.loops().relu_norm_gradient(rows, dy, slope, shift, by_x, constant, out)
        return
    out *= slope
    out += rows * by_x
    out += constant
