"""The loop of a training run: epochs and steps until it ends, for whatever reason."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np

from ..losses import Loss
from ..network import Network
from ..optim import LBFGS, OptimiserState
from .batches import ShuffledBatches
from .checkpoint import Checkpoint
from .interruption import keeps_interrupted_network
from .lbfgs import minimise
from .monitor import Callback, CallbackError, Monitor
from .plan import Outcome, Plan, StopReason, TrainingDiverged, TrainingSet, Validate
from .run import Run
from .spread import Spread


def train(
    network: Network,
    data: TrainingSet,
    loss: Loss,
    plan: Plan,
    *,
    validate: Validate | None = None,
    state: OptimiserState | None = None,
    checkpoint: Checkpoint | None = None,
    callback: Callback | None = None,
    spread: Spread | None = None,
) -> Outcome:
    """Train `network` in place.

    With `validate`, the weights with the best validation score are kept, unless the plan says
    ``early_stopping=False``. Ctrl-C ends training at once and leaves a usable network with finite
    weights; the outcome reports the interruption. So does an exception in the callback, which the
    outcome carries, and after which a checkpoint has the last epoch.

    Parameters
    ----------
    network : Network
    data : TrainingSet
    loss : Loss
    plan : Plan
    validate : callable, optional
        Network -> (loss, score), called after every epoch.
    state : OptimiserState, optional
        State to continue from; a new one by default.
    checkpoint : Checkpoint, optional
        A checkpoint after its :meth:`~Checkpoint.begin`. Training resumes from its file, if there
        is one; the file is removed when training ends, unless Ctrl-C or an exception in the
        callback ends it.
    callback : callable, optional
        Called with an :class:`EpochEnd` after every epoch; training ends if it returns True or
        raises StopIteration.
    spread : Spread, optional
        How batches are cut into parts, and where these are computed.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If :class:`deepreservoir.optim.LBFGS` cannot minimise the loss, or is to use a checkpoint.
    TrainingDiverged
        If the loss is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import MLPConfig, Network
    >>> from deepreservoir.inputs import Table
    >>> from deepreservoir.losses import SquaredError
    >>> from deepreservoir.optim import AdamW
    >>> from deepreservoir.training import Plan, TrainingSet, train
    >>> X = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    >>> y = X[:, :1]
    >>> network = Network(MLPConfig(4, 1, (16,), rank=2), seed=0)
    >>> data = TrainingSet(Table(X, np.float32), y)
    >>> plan = Plan(AdamW(), rate=0.01, epochs=20, batch_size=50)
    >>> outcome = train(network, data, SquaredError(), plan)
    >>> outcome.reason, outcome.state.step, outcome.history["loss"][-1] < 0.1
    ('budget', 80, True)
    """
    if isinstance(plan.optimiser, LBFGS):
        if checkpoint is not None:
            raise ValueError(
                "L-BFGS keeps its state inside SciPy, so that no checkpoint can be written: set "
                "checkpoint=None, or another optimizer"
            )
        return minimise(network, data, loss, plan, validate=validate, callback=callback)
    if spread is None:
        batches = ShuffledBatches(network, data, plan)
        return complete(Run(network, batches, loss, plan, validate, state, checkpoint), callback)
    # Frozen products are with those who compute the parts.
    batches = ShuffledBatches(network, data, replace(plan, projection_limit=0))
    with closing(spread.executor(network, data, loss, plan)) as parts:
        run = Run(network, batches, loss, plan, validate, state, checkpoint, parts)
        return complete(run, callback)


def complete(run: Run, callback: Callback | None = None) -> Outcome:
    """Run a training to its end; see :func:`train`."""
    reason: StopReason
    try:
        # Overflows are detected, and explained, by the checks of loss and weights.
        with np.errstate(over="ignore", invalid="ignore"), run.captured():
            reason = _epochs(run, callback)
    except KeyboardInterrupt:
        if not keeps_interrupted_network():
            raise
        return run.outcome("interrupted")
    except CallbackError as failure:
        run.save_epoch()
        return replace(run.outcome("interrupted"), error=failure.__cause__)
    except TrainingDiverged:
        _remove(run.checkpoint)  # a resumed run would diverge again
        raise
    _remove(run.checkpoint)
    return run.outcome(reason)


def _remove(checkpoint: Checkpoint | None) -> None:
    if checkpoint is not None:
        checkpoint.remove()


def _epochs(run: Run, callback: Callback | None) -> StopReason:
    plan, batches = run.plan, run.batches
    first, step, so_far = run.resume()
    with Monitor(plan, callback, first) as monitor:
        for epoch in range(first, plan.epochs):
            batches.begin(run.epoch_key(epoch))
            run.begin(epoch, *so_far)
            for number in range(step, batches.steps):
                run.take_next(number)
            run.end()
            step, so_far = 0, (0.0, 0.0)
            ended = monitor.epoch_ended(run.network, run.history)
            if run.stopped:
                monitor.stopped(run.stopping.stale, validated=run.stops_on_score)
                return "converged"
            if ended:
                return "callback"
    return "budget"
