"""Training on scaffolds that change: the controls of one that stays (paper, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..layers import Step
from ..network import Network
from .batches import Batches, TrainingBatch, parts_of
from .plan import Resample


def passes(
    resample: Resample, network: Network, batches: Batches, batch: TrainingBatch, step: Step
) -> Iterator[tuple[Network, TrainingBatch, Step]]:
    """Yield the passes of a step: the network on a scaffold, a batch, the pass's own step.

    The adapter is the network's own throughout, and the losses of all passes add up to a mean.
    Each pass has a step of its own, which its dropout masks are keyed by.

    Parameters
    ----------
    resample : Resample
        By step or by microbatch.
    network : Network
    batches : Batches
        Where the parts of a batch come from.
    batch : TrainingBatch
    step : Step
    """
    if resample.when == "step":
        parts = [batch] * resample.count
    else:
        indices = parts_of(batch.index, resample.count)
        parts = [batches.take(index, step.index) for index in indices]
    n = sum(part.target.n for part in parts)
    for j, part in enumerate(parts):
        index = step.index * resample.count + j
        on = network.with_scaffold(resample.seed(network.seed, index))
        yield on, replace(part, target=replace(part.target, n=n)), Step(step.seed, index)
