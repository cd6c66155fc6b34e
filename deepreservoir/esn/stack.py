"""Several reservoirs as one: stacked, each reading the one before, or side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from ..backend import Array, Device, array_module
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
    device : {"cpu", "cuda"}, default="cpu"
        Where it runs. A pickle is of no device, and comes back on the CPU: see :meth:`to`.
    """

    def __init__(
        self,
        specs: Sequence[ReservoirSpec],
        n_inputs: int,
        n_feedback: int = 0,
        arrangement: str = "deep",
        dtype: np.dtype | type = np.float32,
        device: Device = "cpu",
    ) -> None:
        if arrangement not in ARRANGEMENTS:
            raise ValueError(f"arrangement must be one of {ARRANGEMENTS}; got {arrangement!r}")
        deep = arrangement == "deep"
        widths = [n_inputs, *(spec.units for spec in specs[:-1])] if deep else None
        self.deep = deep
        self.device = device
        if deep:
            specs = [
                *specs[:1],
                *(_reading(spec, before.units) for before, spec in pairwise(specs)),
            ]
        self._join(
            [
                Reservoir(
                    spec,
                    n_inputs if widths is None else widths[i],
                    n_feedback,
                    dtype,
                    device=device,
                )
                for i, spec in enumerate(specs)
            ]
        )

    def _join(self, parts: list[Reservoir]) -> None:
        self.parts = parts
        self.n_inputs, self.n_feedback = parts[0].n_inputs, parts[0].n_feedback
        bounds = np.cumsum([0, *(part.units for part in parts)])
        self._slices = [slice(*pair) for pair in pairwise(bounds)]
        self.units = int(bounds[-1])
        self.dtype = parts[0].dtype

    @classmethod
    def of(cls, parts: list[Reservoir], arrangement: str) -> ReservoirStack:
        """Return a stack of reservoirs that are there, each for inputs of its place's width."""
        stack = cls.__new__(cls)
        stack.deep, stack.device = arrangement == "deep", parts[0].device
        stack._join(parts)
        return stack

    def to(self, device: Device) -> ReservoirStack:
        """Return this stack on a device; itself, if it is there."""
        if device == self.device:
            return self
        new = copy(self)
        new.device, new.parts = device, [part.to(device) for part in self.parts]
        return new

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"device": "cpu"}  # where the parts come back

    def inputs_of(
        self, which: int, u: Array, feedback: Array | None = None
    ) -> Iterator[tuple[slice, Array]]:
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
        u: Array,
        h: Array,
        feedback: Array | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> Array:
        inputs, joined = u, []
        for part, where in zip(self.parts, self._slices, strict=True):
            states = part.block(inputs, h[:, where], feedback, noise_seed, first)
            joined.append(states)
            if self.deep:
                inputs = states.swapaxes(0, 1)
        return joined[0] if len(joined) == 1 else array_module(*joined).concatenate(joined, axis=2)


def _reading(spec: ReservoirSpec, width: int) -> ReservoirSpec:
    """Return the specification of a reservoir that reads so many states of another."""
    return replace(spec, input_scaling=spec.input_scaling / sqrt(width))
