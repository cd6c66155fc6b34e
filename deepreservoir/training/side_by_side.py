"""Several networks on one scaffold, trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ..layers import Step
from ..losses import Loss
from ..network import Network
from .batches import ShuffledBatches
from .interruption import keeps_interrupted_network
from .plan import Outcome, Plan, TrainingSet, Validate
from .run import Run


class Training(NamedTuple):
    """One of several training runs: its network, loss, plan and validation."""

    network: Network
    loss: Loss
    plan: Plan
    validate: Validate | None = None


def train_together(trainings: Sequence[Training], data: TrainingSet) -> list[Outcome]:
    """Train networks that share their first frozen weights side by side, step by step.

    Common work is done once: the first frozen product, the rows of a batch and the dropout masks.
    Each network gets the same bits as from :func:`train`.

    Parameters
    ----------
    trainings : sequence of Training
        With the same device, first scaffold, batch size, order of rows and number of epochs.
    data : TrainingSet

    Returns
    -------
    list of Outcome

    Raises
    ------
    ValueError
        If they differ in any of these.
    TrainingDiverged
        If the loss of any network is not finite.
    """
    first = trainings[0]
    _check(trainings)
    batches = ShuffledBatches(first.network, data, first.plan)
    runs = [Run(t.network, batches, t.loss, t.plan, t.validate) for t in trainings]
    active = list(runs)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            bar = tqdm(range(first.plan.epochs), unit="epoch", disable=not first.plan.verbose)
            for epoch in bar:
                batches.begin(runs[0].epoch_key(epoch))
                for run in active:
                    run.begin(epoch)
                for number in range(batches.steps):
                    step = Step(first.plan.seed, epoch * batches.steps + number, {})
                    batch = batches.batch(number, step.index)
                    for run in active:
                        run.take(number, batch, step)
                for run in active:
                    run.end()
                active = [run for run in active if not run.stopped]
                if not active:
                    break
    except KeyboardInterrupt:
        if not keeps_interrupted_network():
            raise
        return [run.outcome("interrupted" if run in active else "converged") for run in runs]
    return [run.outcome("budget" if run in active else "converged") for run in runs]


def _check(trainings: Sequence[Training]) -> None:
    """Raise if the training runs cannot be combined."""
    first = trainings[0]
    for name in ("epochs", "batch_size", "shuffle", "seed", "projection_limit"):
        values = {getattr(t.plan, name) for t in trainings}
        if len(values) > 1:
            raise ValueError(
                f"networks that are trained side by side must have the same {name}; got "
                + " and ".join(sorted(map(str, values)))
            )
    for t in trainings:
        if t.plan.resample is not None:
            raise ValueError("networks whose scaffold is resampled cannot be trained side by side")
        paths = t.network.body.frozen_widths()
        scaffolds, expected = t.network.frozen_scaffolds, first.network.frozen_scaffolds
        if paths != first.network.body.frozen_widths() or any(
            scaffolds.get(path) is not expected.get(path) for path in paths
        ):
            raise ValueError(
                "networks that are trained side by side must share their first frozen weights: "
                "build the others with scaffolds=first.scaffolds"
            )
