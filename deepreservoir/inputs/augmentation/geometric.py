"""Crops, mirror images and erased rectangles of standardised images, in which 0 is the mean."""

from __future__ import annotations

import numpy as np

from ...backend import Array, array_module, to_device
from .draws import Draws

# Area of an erased rectangle as a share of the image, and its largest aspect ratio (Zhong et al.).
_ERASED = (0.02, 1 / 3)
_ASPECT = 3.3


def cropped(x: Array, padding: int, draws: Draws) -> Array:
    """Return images cut at random from images padded with zeros (He et al., 2016).

    Parameters
    ----------
    x : array, shape (n, height, width, channels)
    padding : int
        Number of pixels that are added on each side.
    draws : Draws
    """
    xp, (n, height, width, channels) = array_module(x), x.shape
    padded = xp.zeros((n, height + 2 * padding, width + 2 * padding, channels), x.dtype)
    padded[:, padding : padding + height, padding : padding + width] = x
    corners = draws.integers("crop", 2 * padding + 1, n, 2)
    if xp is np:
        out = np.empty_like(x)
        for i, (top, left) in enumerate(corners.tolist()):
            out[i] = padded[i, top : top + height, left : left + width]
        return out
    corners = to_device(corners, "cuda")
    rows = corners[:, :1] + xp.arange(height)  # (n, height)
    columns = corners[:, 1:] + xp.arange(width)
    return padded[xp.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def mirrored(x: Array, probability: float, draws: Draws) -> Array:
    """Return images of which some are mirrored left to right."""
    xp = array_module(x)
    chosen = draws.uniform("flip", len(x)) < probability
    if xp is np:
        x[chosen] = x[chosen, :, ::-1]
        return x
    return xp.where(to_device(chosen, "cuda")[:, None, None, None], x[:, :, ::-1], x)


def erased(x: Array, probability: float, draws: Draws) -> Array:
    """Return images in some of which a rectangle is set to the mean (Zhong et al., 2020)."""
    n, height, width, _ = x.shape
    u = draws.uniform("erasing", n, 5)
    area = (_ERASED[0] + (_ERASED[1] - _ERASED[0]) * u[:, 1]) * height * width
    aspect = np.exp((2 * u[:, 2] - 1) * np.log(_ASPECT))
    heights = np.clip(np.rint(np.sqrt(area * aspect)), 1, height).astype(int)
    widths = np.clip(np.rint(np.sqrt(area / aspect)), 1, width).astype(int)
    tops = (u[:, 3] * (height - heights + 1)).astype(int)
    lefts = (u[:, 4] * (width - widths + 1)).astype(int)
    for i in np.flatnonzero(u[:, 0] < probability).tolist():
        top, left = int(tops[i]), int(lefts[i])
        x[i, top : top + int(heights[i]), left : left + int(widths[i])] = 0
    return x
