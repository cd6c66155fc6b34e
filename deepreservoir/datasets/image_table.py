"""Images as rows of a table, for references that read one."""

from __future__ import annotations

from typing import Any

import numpy as np


def pixel_table(X: Any) -> np.ndarray:
    """Return images as rows of numbers from 0 to 1.

    Parameters
    ----------
    X : ndarray of uint8 or ImageFiles, shape (n, height, width, channels)

    Returns
    -------
    ndarray of float32, shape (n, height * width * channels)
    """
    return np.asarray(X).reshape(len(X), -1).astype(np.float32) / np.float32(255)
