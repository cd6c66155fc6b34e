"""Rows for a readout: states after the washout, beside what they should give.

A run that uses one core leaves the others idle, so the next block is run in a thread of its own
while the readout takes in the one before.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from ..backend import Array
from .reservoir import Driven
from .threads import one_ahead


def harvest(
    driven: Driven,
    u: Array,
    y: Array,
    washout: int = 0,
    feedback: Array | None = None,
    noise_seed: int | None = None,
) -> Generator[tuple[int, Array, Array]]:
    """Yield what a readout is trained on, a block at a time.

    Until the generator ends or is closed, it may hold one of the BLAS's threads.

    Parameters
    ----------
    driven : Driven
    u : array, shape (n_series, time, n_inputs)
    y : array, shape (n_series, time, n_outputs)
    washout : int, default=0
        Steps at the start of each series that are left out.
    feedback : array, shape (n_series, time, n_feedback), optional
    noise_seed : int, optional

    Yields
    ------
    first : int
        Number of the first step of the block.
    states : array, shape (len, n_series, units)
    wanted : array, shape (len, n_series, n_outputs)
    """
    blocks = driven.blocks(u, feedback=feedback, noise_seed=noise_seed)
    with closing(blocks if driven.parallel(len(u)) else one_ahead(blocks)) as ready:
        for steps, states in ready:
            skip = max(0, washout - steps.start)
            if skip < len(states):
                yield steps.start + skip, states[skip:], y[:, steps].swapaxes(0, 1)[skip:]
