"""References for images: random convolutional features, and a reservoir that reads rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...datasets.image_table import pixel_table
from ...estimators import EchoStateClassifier
from ...inputs import ImageReader
from ...scaffold import ScaffoldSpec, make_scaffold

#: Filters, their size in pixels, and images that are computed at a time.
_FILTERS, _SIZE, _CHUNK = 256, 5, 64


class RandomConvolutions:
    """One frozen convolution, both signs of its responses averaged over quadrants, and a readout.

    The features are those of Coates, Ng and Lee (2011) with filters drawn from a seed.

    Parameters
    ----------
    readout : estimator
    scaffold : str
        Family of the filters.
    seed : int
    """

    def __init__(self, readout: Any, scaffold: str, seed: int) -> None:
        self.scaffold, self.seed, self.readout = scaffold, seed, readout
        self.model = make_pipeline(StandardScaler(), readout)

    def fit(self, X: Any, y: np.ndarray) -> Self:
        self.reader = ImageReader().fit(X)
        self.reader.fit_training(self.reader.read(X, np.float32, "cpu"))
        height, width, channels = self.reader.image_shape
        self.size = min(_SIZE, height, width)
        shape = (_FILTERS, self.size * self.size * channels)
        self.filters = make_scaffold(ScaffoldSpec(self.scaffold, shape, self.seed, "filters"))
        self.model.fit(self._features(X), y)
        return self

    def _features(self, X: Any) -> np.ndarray:
        inputs = self.reader.read(X, np.float32, "cpu")
        parts = [
            self._responses(inputs.take(np.arange(i, min(i + _CHUNK, len(inputs)))).x)
            for i in range(0, len(inputs), _CHUNK)
        ]
        return np.concatenate(parts)

    def _responses(self, x: np.ndarray) -> np.ndarray:
        """Return the features (n, 8 filters) of standardised images (n, height, width, c)."""
        windows = sliding_window_view(x, (self.size, self.size), axis=(1, 2))
        n, height, width = windows.shape[:3]
        patches = windows.reshape(n * height * width, -1)
        out = self.filters.matmul(patches).reshape(n, height, width, -1)
        halves = [
            part
            for rows in np.array_split(np.arange(height), min(2, height))
            for part in (
                out[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                for columns in np.array_split(np.arange(width), min(2, width))
            )
        ]
        pooled = [
            np.maximum(sign * part, 0).mean(axis=(1, 2)) for part in halves for sign in (1, -1)
        ]
        return np.concatenate(pooled, axis=1)

    def score(self, X: Any, y: np.ndarray) -> float:
        return float(self.model.score(self._features(X), y))


class RowByRow:
    """An echo-state network that reads each image as a series of its rows.

    Parameters
    ----------
    penalties : tuple of float
        Of the ridge readout.
    seed : int
    shape : (int, int), optional
        Shape of the images in the rows of a table, which is standardised already. By default, X
        are images.
    """

    def __init__(
        self, penalties: tuple[float, ...], seed: int, shape: tuple[int, int] | None = None
    ) -> None:
        self.shape = shape
        self.model = EchoStateClassifier(
            500,
            leak_rate=0.4,
            input_scaling=0.15,
            features=(0.25, 0.5, 0.75, 1.0),
            ridge=penalties,
            dtype="float32",
            random_state=seed % 2**32,
        )

    @property
    def readout_(self) -> Any:
        """The fitted readout of the reservoir."""
        return self.model.readout_

    def _rows(self, X: Any) -> np.ndarray:
        """Return images as series of rows, (n, height, width * c), standardised as a whole."""
        if self.shape is not None:
            return X.reshape(-1, *self.shape)
        n, height = X.shape[:2]
        table = pixel_table(X)
        return ((table - self.mean) / self.scale).reshape(n, height, -1)

    def fit(self, X: Any, y: np.ndarray) -> Self:
        if self.shape is None:
            table = pixel_table(X)
            self.mean, self.scale = float(table.mean()), float(table.std()) or 1.0
        self.model.fit(self._rows(X), y)
        return self

    def score(self, X: Any, y: np.ndarray) -> float:
        return float(self.model.score(self._rows(X), y))
