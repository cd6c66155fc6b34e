"""Several reservoirs as one: stacked, each reading the one before, or side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt

import numpy as np

from .reservoir import Driven, Reservoir, ReservoirSpec, block_steps

ARRANGEMENTS = ("deep", "grouped")


class ReservoirStack(Driven):
    """Reservoirs whose states are joined, (time, n_series, units of all).

    ``"deep"``: the first reads the input, each other the states of the one before
    (Gallicchio, Micheli and Pedrelli, 2017), by weights of its `input_scaling` divided by the
    square root of the number of states read: a unit hears about as much of a hundred states as
    of one, and does not saturate. ``"grouped"``: all read the input. Feedback goes
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
        if deep:
            specs = [
                *specs[:1],
                *(_reading(spec, before.units) for before, spec in pairwise(specs)),
            ]
        self.n_inputs, self.n_feedback = n_inputs, n_feedback
        self.parts = [
            Reservoir(spec, n_inputs if widths is None else widths[i], n_feedback, dtype)
            for i, spec in enumerate(specs)
        ]
        bounds = np.cumsum([0, *(spec.units for spec in specs)])
        self._slices = [slice(*pair) for pair in pairwise(bounds)]
        self.units = int(bounds[-1])
        self.dtype = np.dtype(dtype)

    def inputs_of(
        self, which: int, u: np.ndarray, feedback: np.ndarray | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (steps, what one of the reservoirs reads: (n_series, len, width)), in blocks."""
        before = self.parts[:which] if self.deep else []
        last = [part.start(len(u)) for part in before]
        for steps in block_steps(*u.shape[:2]):
            inputs = u[:, steps]
            for k, part in enumerate(before):
                back = None if feedback is None else feedback[:, steps]
                states = part.block(inputs, last[k], back)
                last[k], inputs = states[-1], states.swapaxes(0, 1)
            yield steps, inputs

    def parallel(self, n_series: int) -> bool:
        return any(part.parallel(n_series) for part in self.parts)

    def block(
        self,
        u: np.ndarray,
        h: np.ndarray,
        feedback: np.ndarray | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> np.ndarray:
        inputs, joined = u, []
        for part, where in zip(self.parts, self._slices, strict=True):
            states = part.block(inputs, h[:, where], feedback, noise_seed, first)
            joined.append(states)
            if self.deep:
                inputs = states.swapaxes(0, 1)
        return joined[0] if len(joined) == 1 else np.concatenate(joined, axis=2)


def _reading(spec: ReservoirSpec, width: int) -> ReservoirSpec:
    """Return the specification of a reservoir that reads so many states of another."""
    return replace(spec, input_scaling=spec.input_scaling / sqrt(width))
