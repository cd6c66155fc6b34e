"""Training rows of a readout: the states after the washout, with their targets.

A run that uses only one core leaves the others idle, so the next block is computed in a separate
thread while the readout processes the current one.
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
    """Yield the training rows of a readout in blocks.

    Until the generator ends or is closed, it may hold one of the BLAS's threads.

    Parameters
    ----------
    driven : Driven
    u : array, shape (n_series, time, n_inputs)
    y : array, shape (n_series, time, n_outputs)
    washout : int, default=0
        Number of initial steps of each series that are left out.
    feedback : array, shape (n_series, time, n_feedback), optional
    noise_seed : int, optional

    Yields
    ------
    first : int
        Index of the first step of the block.
    states : array, shape (len, n_series, units)
    targets : array, shape (len, n_series, n_outputs)
    """
    blocks = driven.blocks(u, feedback=feedback, noise_seed=noise_seed)
    with closing(blocks if driven.parallel(len(u)) else one_ahead(blocks)) as ready:
        for steps, states in ready:
            skip = max(0, washout - steps.start)
            if skip < len(states):
                yield steps.start + skip, states[skip:], y[:, steps].swapaxes(0, 1)[skip:]
