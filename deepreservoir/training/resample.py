"""Training on scaffolds that change: the controls of one that stays (paper, section 3)."""

from __future__ import annotations

from collections.abc import Iterator

from ..layers import Step
from ..network import Network
from .batches import Batch
from .plan import Resample


def passes(
    resample: Resample, network: Network, batch: Batch, step: Step
) -> Iterator[tuple[Network, Batch, Step, float]]:
    """Yield the passes of a step: the network on a scaffold, rows, step, share of the loss.

    The adapter is the network's own throughout. Each pass has a step of its own, which is what
    its dropout masks are keyed by.

    Parameters
    ----------
    resample : Resample
        By step or by microbatch.
    network : Network
    batch : Batch
    step : Step
    """
    whole = resample.when == "step"
    parts = [batch] * resample.count if whole else batch.parts(resample.count)
    rows = sum(map(len, parts))
    for j, part in enumerate(parts):
        index = step.index * resample.count + j
        on = network.with_scaffold(resample.seed(network.seed, index))
        yield on, part, Step(step.seed, index), len(part) / rows
