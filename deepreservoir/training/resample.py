"""Training on changing scaffolds, the control for a fixed one (paper, section 3)."""

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
    """Yield the passes of a step: the network on a scaffold, a batch, and the step of the pass.

    All passes share the network's adapter, and their losses add up to the mean. Each pass has its
    own step, by which its dropout masks are keyed.

    Parameters
    ----------
    resample : Resample
        Resampling by step or by microbatch.
    network : Network
    batches : Batches
        Source of the parts of a batch.
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
