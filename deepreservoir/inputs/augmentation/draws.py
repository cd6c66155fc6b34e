"""Random numbers of one training step, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...scaffold import Stream


@dataclass(frozen=True)
class Draws:
    """Random numbers that depend only on a seed, a training step and a name.

    Attributes
    ----------
    seed, step : int
    """

    seed: int
    step: int

    def uniform(self, name: str, *shape: int) -> np.ndarray:
        """Return numbers in [0, 1), float64, of any shape."""
        stream = Stream(self.seed, "augmentation", name)
        words = stream.words(int(np.prod(shape)), substream=self.step)
        return ((words >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def integers(self, name: str, n_values: int, *shape: int) -> np.ndarray:
        """Return integers from 0 to `n_values` - 1, of any shape."""
        return (self.uniform(name, *shape) * n_values).astype(np.int64)
