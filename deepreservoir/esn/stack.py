"""Several reservoirs as one: in series, each reading the previous one, or in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import accumulate, pairwise
from math import sqrt
from typing import Any

import numpy as np

from ..backend import Array, Device, array_module
from .reservoir import Driven, Reservoir, ReservoirSpec

ARRANGEMENTS = ("deep", "grouped")


class ReservoirStack(Driven):
    """Several reservoirs with concatenated states, (time, n_series, total units).

    In a ``"deep"`` stack, the first reservoir reads the input and every other one the states of
    the previous reservoir (Gallicchio, Micheli and Pedrelli, 2017). The `input_scaling` of the
    latter is divided by the square root of the number of states it reads, so that units do not
    saturate when they read many states. In a ``"grouped"`` stack, all reservoirs read the input.
    Feedback goes to all of them.

    Parameters
    ----------
    specs : sequence of ReservoirSpec
    n_inputs : int
    n_feedback : int, default=0
    arrangement : {"deep", "grouped"}
    dtype : numpy dtype, default=float32
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
        Where it runs. A pickle does not depend on the device and is loaded on the CPU; see
        :meth:`to`.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, ReservoirSpec, ReservoirStack
    >>> specs = [ReservoirSpec(RecurrentSpec(50, path=f"reservoir.{i}")) for i in range(2)]
    >>> stack = ReservoirStack(specs, n_inputs=3)
    >>> stack.units
    100
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
        if not specs:
            raise ValueError("specs must hold at least one ReservoirSpec; got none")
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
        bounds = [0, *accumulate(int(part.units) for part in parts)]
        self._slices = [slice(*pair) for pair in pairwise(bounds)]
        self.units = bounds[-1]
        self.dtype = parts[0].dtype

    @classmethod
    def of(cls, parts: list[Reservoir], arrangement: str) -> ReservoirStack:
        """Return a stack of existing reservoirs, whose numbers of inputs match their positions."""
        stack = cls.__new__(cls)
        stack.deep, stack.device = arrangement == "deep", parts[0].device
        stack._join(parts)
        return stack

    def to(self, device: Device) -> ReservoirStack:
        """Return this stack on a device, or itself if it is already there."""
        if device == self.device:
            return self
        new = copy(self)
        new.device, new.parts = device, [part.to(device) for part in self.parts]
        return new

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"device": "cpu"}  # the parts are unpickled there

    def inputs_of(
        self, which: int, u: Array, feedback: Array | None = None
    ) -> Iterator[tuple[slice, Array]]:
        """Yield (steps, inputs (n_series, len, width)) of reservoir number `which`, in blocks."""
        before = self.parts[:which] if self.deep else []
        last = [part.start(len(u)) for part in before]
        for steps in self.block_steps(*u.shape[:2]):
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
        for part, units in zip(self.parts, self._slices, strict=True):
            states = part.block(inputs, h[:, units], feedback, noise_seed, first)
            joined.append(states)
            if self.deep:
                inputs = states.swapaxes(0, 1)
        return joined[0] if len(joined) == 1 else array_module(*joined).concatenate(joined, axis=2)


def _reading(spec: ReservoirSpec, width: int) -> ReservoirSpec:
    """Return `spec` with its input scaling adjusted to `width` states of another reservoir."""
    return replace(spec, input_scaling=spec.input_scaling / sqrt(width))
