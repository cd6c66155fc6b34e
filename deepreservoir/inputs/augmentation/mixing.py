"""Mixup and CutMix: each image of a batch is mixed with the one at the mirrored position."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from ...backend import Array
from .draws import Draws


def mixed(
    x: Array,
    mixup: tuple[float, float] | None,
    cutmix: tuple[float, float] | None,
    draws: Draws,
) -> tuple[Array, float]:
    """Return mixed images, and the share of the target that belongs to the image itself.

    CutMix (Yun et al., 2019) is applied to a batch with its probability, and otherwise Mixup
    (Zhang et al., 2018) with its own. Image i is mixed with image n - 1 - i.

    Parameters
    ----------
    x : array, shape (n, height, width, channels)
    mixup, cutmix : (float, float), optional
        Parameter alpha of the share's distribution Beta(alpha, alpha), and the probability.
    draws : Draws
    """
    u = draws.uniform("mixing", 5)
    if cutmix is not None and u[0] < cutmix[1]:
        return _cut(x, _share(cutmix[0], u[2]), u[3], u[4])
    if mixup is not None and u[1] < mixup[1]:
        share = _share(mixup[0], u[2])
        return x * x.dtype.type(share) + x[::-1] * x.dtype.type(1 - share), share
    return x, 1.0


def _share(alpha: float, u: float) -> float:
    """Return the quantile of Beta(alpha, alpha) at u."""
    return float(betaincinv(alpha, alpha, u))


def _cut(x: Array, share: float, down: float, across: float) -> tuple[Array, float]:
    """Replace a rectangle that covers about 1 - share of the image, centred at random."""
    height, width = x.shape[1:3]
    side = np.sqrt(1 - share)
    middle = int(down * height), int(across * width)
    half = round(side * height / 2), round(side * width / 2)
    top, bottom = max(0, middle[0] - half[0]), min(height, middle[0] + half[0])
    left, right = max(0, middle[1] - half[1]), min(width, middle[1] + half[1])
    out = x.copy()
    out[:, top:bottom, left:right] = x[::-1, top:bottom, left:right]
    return out, 1 - (bottom - top) * (right - left) / (height * width)
