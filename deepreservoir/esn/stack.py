"""Several reservoirs as one: stacked, each reading the one before, or side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from .reservoir import BLOCK, Reservoir, ReservoirSpec

ARRANGEMENTS = ("deep", "grouped")


class ReservoirStack:
    """Reservoirs whose states are joined, (time, n_series, units of all).

    ``"deep"``: the first reads the input, each other the states of the one before
    (Gallicchio, Micheli and Pedrelli, 2017). ``"grouped"``: all read the input. Feedback goes
    to all.

    Parameters
    ----------
    specs : sequence of ReservoirSpec
    n_inputs : int
    n_feedback : int, default=0
    arrangement : {"deep", "grouped"}
    dtype : numpy dtype, default=float32
    """

    def __init__(
        self,
        specs: Sequence[ReservoirSpec],
        n_inputs: int,
        n_feedback: int = 0,
        arrangement: str = "deep",
        dtype: np.dtype | type = np.float32,
    ) -> None:
        if arrangement not in ARRANGEMENTS:
            raise ValueError(f"arrangement must be one of {ARRANGEMENTS}; got {arrangement!r}")
        deep = arrangement == "deep"
        widths = [n_inputs, *(spec.units for spec in specs[:-1])] if deep else None
        self.deep = deep
        self.n_inputs, self.n_feedback = n_inputs, n_feedback
        self.parts = [
            Reservoir(spec, n_inputs if widths is None else widths[i], n_feedback, dtype)
            for i, spec in enumerate(specs)
        ]
        bounds = np.cumsum([0, *(spec.units for spec in specs)])
        self._slices = [slice(*pair) for pair in pairwise(bounds)]
        self.units = int(bounds[-1])
        self.dtype = np.dtype(dtype)

    def start(self, n_series: int = 1) -> np.ndarray:
        """Return the state before any input: zeros, (n_series, units)."""
        return np.zeros((n_series, self.units), self.dtype)

    def blocks(
        self,
        u: np.ndarray,
        h: np.ndarray | None = None,
        feedback: np.ndarray | None = None,
        noise_seed: int | None = None,
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (steps, states (len, n_series, units)); see :meth:`Reservoir.blocks`."""
        h = self.start(len(u)) if h is None else h
        for first in range(0, u.shape[1], BLOCK):
            steps = slice(first, min(first + BLOCK, u.shape[1]))
            back = None if feedback is None else feedback[:, steps]
            states = self._block(u[:, steps], h, back, noise_seed, first)
            h = states[-1]
            yield steps, states

    def _block(
        self,
        u: np.ndarray,
        h: np.ndarray,
        feedback: np.ndarray | None,
        noise_seed: int | None,
        first: int,
    ) -> np.ndarray:
        inputs, joined = u, []
        for part, where in zip(self.parts, self._slices, strict=True):
            states = part.block(inputs, h[:, where], feedback, noise_seed, first)
            joined.append(states)
            if self.deep:
                inputs = states.swapaxes(0, 1)
        return joined[0] if len(joined) == 1 else np.concatenate(joined, axis=2)

    def states(self, u: np.ndarray, h: np.ndarray | None = None) -> np.ndarray:
        """Return all states of series of one length: (n, time, n_inputs) -> (n, time, units)."""
        out = np.empty((*u.shape[:2], self.units), self.dtype)
        for steps, states in self.blocks(u, h):
            out[:, steps] = states.swapaxes(0, 1)
        return out
