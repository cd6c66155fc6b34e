"""Training: epochs, minibatches, early stopping, history, progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn, cast

import numpy as np

from ..backend import Array, array_module, to_device
from ..kernels import join
from ..layers import Pass, Step
from ..losses import Loss
from ..network import Network
from ..optim import (
    LBFGS,
    OptimiserState,
    TabulatedOptimiser,
    WeightAverage,
    clip_global_norm,
)
from .accumulation import split
from .batches import Batches, ShuffledBatches, TrainingBatch
from .checkpoint import Checkpoint, Progress
from .divergence import diverged
from .epoch_loss import EpochLoss
from .lbfgs import minimise
from .monitor import Callback, CallbackError, Monitor
from .plan import Outcome, Plan, StopReason, TrainingDiverged, TrainingSet, Validate
from .progress import Best, progress_of, restore
from .resample import passes
from .step_graphs import StepGraphs

#: Number of steps whose losses are fetched from a device at once: a fetch waits for all of them.
FETCHED = 50


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
        is one; the file is removed when training ends, unless Ctrl-C or a callback ends it.
    callback : callable, optional
        Called with an :class:`EpochEnd` after every epoch; training ends if it returns True or
        raises StopIteration.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If :class:`deepreservoir.optim.LBFGS` cannot minimise the loss, or is to use a checkpoint.
    TrainingDiverged
        If the loss is not finite.
    """
    if isinstance(plan.optimiser, LBFGS):
        if checkpoint is not None:
            raise ValueError(
                "L-BFGS keeps its state inside SciPy, so that no checkpoint can be written: set "
                "checkpoint=None, or another optimizer"
            )
        return minimise(network, data, loss, plan, validate=validate, callback=callback)
    batches = ShuffledBatches(network, data, plan)
    return complete(Run(network, batches, loss, plan, validate, state, checkpoint), callback)


def complete(run: Run, callback: Callback | None = None) -> Outcome:
    """Run a training to its end; see :func:`train`."""
    reason: StopReason
    try:
        # Overflows are detected, and explained, by the checks of loss and weights.
        with np.errstate(over="ignore", invalid="ignore"), run.captured():
            reason = _epochs(run, callback)
    except KeyboardInterrupt:
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
                monitor.stopped(run.stale, validated=run.stops_on_score)
                return "converged"
            if ended:
                return "callback"
    return "budget"


class Run:
    """One training run, an epoch and a step at a time; :func:`train` is the loop around it."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        loss: Loss,
        plan: Plan,
        validate: Validate | None = None,
        state: OptimiserState | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        within_epoch = plan.resample is not None and plan.resample.when != "epoch"
        if within_epoch and network.buffers.size:
            raise ValueError(
                f"resample={plan.resample.when!r} changes the scaffold within an epoch, but the "  # type: ignore[union-attr]
                "network keeps running statistics of one scaffold; use resample='epoch' or None"
            )
        if isinstance(plan.optimiser, LBFGS):
            raise ValueError(
                "L-BFGS trains one network on its whole training set; use another optimizer for "
                "several tasks, or for networks that are trained side by side"
            )
        self.network, self.batches, self.loss, self.plan = network, batches, loss, plan
        self.optimiser = plan.optimiser
        self.original = network  # on the first scaffold
        self.validate = validate
        self.checkpoint = checkpoint
        self.state = self.optimiser.init(network.theta)
        if state is not None:
            if len(state.moments) != len(self.state.moments):
                raise ValueError(
                    "training cannot continue with another optimizer: the state of the earlier "
                    f"steps has {len(state.moments)} moment vectors, and this optimizer keeps "
                    f"{len(self.state.moments)}. Set optimizer back to that of the first call of "
                    "partial_fit, or fit a fresh estimator"
                )
            self.state = state
        # A pickled state is restored on the host, whatever device the network is on.
        self.state.moments = [to_device(m, network.device) for m in self.state.moments]
        self.decay_mask = network.params.decay_mask(network.theta, plan.decayed)
        self.average = (
            None if plan.ema_decay is None else WeightAverage(network.theta, plan.ema_decay)
        )
        self.first_step = self.state.step
        self.history: dict[str, list[Any]] = {"loss": [], "learning_rate": [], "beta": []}
        if validate:
            self.history |= {"validation_loss": [], "validation_score": []}
        self.best: Best | None = None
        self.best_metric, self.best_loss, self.stale = -np.inf, np.inf, 0
        self.rate = 0.0  # of the last step
        self.graphs: StepGraphs | None = None

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Take steps as CUDA graphs within a with block, where this is possible."""
        if not StepGraphs.possible(self):
            yield
            return
        self.graphs = StepGraphs(self)
        try:
            with self.graphs.recorder.on_stream():
                yield
        finally:
            self.graphs.close()
            self.graphs = None

    @property
    def stops_on_score(self) -> bool:
        """Whether the validation score decides which weights are kept and when training stops."""
        return self.validate is not None and self.plan.early_stopping

    @property
    def _each_epoch(self) -> bool:
        return self.plan.resample is not None and self.plan.resample.when == "epoch"

    def _on_scaffold_of(self, epoch: int) -> Network:
        """Return the network on the scaffold of an epoch; epoch 0 uses the original scaffold."""
        if epoch == 0 or self.plan.resample is None:
            return self.original
        return self.original.with_scaffold(self.plan.resample.seed(self.original.seed, epoch))

    @property
    def stopped(self) -> bool:
        """Whether patience has run out: in epochs and, as an epoch may be one step, in steps."""
        patience, steps = self.plan.patience, self.stale * self.batches.steps
        return patience is not None and self.stale >= patience and steps >= self.plan.patience_steps

    def epoch_key(self, epoch: int) -> int:
        """Return the key of the order of an epoch's rows: the step with which it begins.

        Training that continues with the same state thus continues in the stream.
        """
        return self.first_step + epoch * self.batches.steps

    def begin(self, epoch: int, total: float = 0.0, n: float = 0.0) -> None:
        """Begin an epoch, the losses of whose steps so far sum to `total` over `n`."""
        self.epoch = epoch
        stored = None if self.graphs is None else self.graphs.tape.losses
        self.losses = EpochLoss(total, n, 1 if self.network.device == "cpu" else FETCHED, stored)
        if self._each_epoch:
            before = self.network.buffers
            self.network = self._on_scaffold_of(epoch)
            self.network.buffers[:] = before
        if self.graphs is not None:
            self.graphs.begin_epoch()

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted as the optimiser's state counts."""
        return self.plan.rate * self.plan.schedule(step - self.first_step)

    def take_next(self, number: int) -> None:
        """Take step `number` of the epoch, with its batch."""
        if self.graphs is not None:
            self.graphs.take(number)
            return
        index = self.state.step
        self.take(number, self.batches.batch(number, index), Step(self.plan.seed, index))

    def take(self, number: int, batch: TrainingBatch, step: Step) -> None:
        """Take step `number` of the epoch on a batch."""
        network = self.network
        self.rate = self.rate_at(self.state.step)
        value = self._clipped_gradient(batch, step)
        self.optimiser.update(network.theta, network.grad, self.state, self.rate, self.decay_mask)
        if self.average is not None:
            self.average.update(network.theta)
        self._taken(number, value, batch.target.n)

    def change_arrays(self, batch: TrainingBatch, step: Step, scalars: Array) -> Array:
        """Do what a step does to arrays, with the optimiser's scalars on the device.

        Returns
        -------
        scalar, on the device
            The loss.
        """
        network, optimiser = self.network, cast(TabulatedOptimiser, self.optimiser)
        value = self._clipped_gradient(batch, step)
        optimiser.apply(network.theta, network.grad, self.state.moments, scalars, self.decay_mask)
        if self.average is not None:
            self.average.accumulate(network.theta)
        return value

    def count_replayed(self, number: int, n: float) -> None:
        """Count step `number`, whose arrays :meth:`change_arrays` has changed in a graph."""
        self.rate = self.rate_at(self.state.step)
        self.state.step += 1
        if self.average is not None:
            self.average.steps += 1
        self._taken(number, None, n)

    def _clipped_gradient(self, batch: TrainingBatch, step: Step) -> Array:
        """Set the gradient to that of a batch's loss; return the loss."""
        grad = self.network.grad
        grad.fill(0)
        value = self._gradient(batch, step)
        join("gradients")
        if self.plan.clip_norm is not None:
            clip_global_norm(grad, self.plan.clip_norm)
        return value

    def _taken(self, number: int, value: Array | None, n: float) -> None:
        """Keep the loss of a step that has been taken, and save a checkpoint if one is due."""
        bad = self.losses.add(value, number, n)
        if bad is not None:
            self._diverged(*bad)
        if self.checkpoint is not None and self.checkpoint.due:
            self._fetch()
            self.checkpoint.save(self._progress(number + 1))

    def _gradient(self, batch: TrainingBatch, step: Step) -> Array:
        """Add the gradient of a batch's loss; return the loss."""
        resample = self.plan.resample
        if resample is None or self._each_epoch:
            network = self.network if batch.network is None else batch.network
            if self.plan.parts == 1:
                return self._pass(network, batch, step)
            parts = enumerate(split(batch, self.plan.parts))
            return sum(self._pass(network, part, step, call) for call, part in parts)
        shares = passes(resample, self.network, self.batches, batch, step)
        return sum(self._pass(*share) for share in shares)

    def _pass(self, network: Network, batch: TrainingBatch, step: Step, call: int = 0) -> Array:
        on = Pass(step, products=batch.products, dtype=network.dtype)
        # Each part of a batch is a separate call, with its own dropout masks.
        return network.gradient(batch.batch, batch.target, self.loss, on.at(call) if call else on)

    def end(self) -> None:
        """End the epoch: check the weights, validate, and extend the history."""
        self._fetch()
        self._check_weights()
        mean = self.losses.mean
        entry: dict[str, Any] = {
            "loss": mean,
            "learning_rate": self.rate,
            "beta": self.network.betas(),
        }
        entry |= self._judge(mean)
        for name, value in entry.items():
            self.history[name].append(value)

    def outcome(self, reason: StopReason) -> Outcome:
        """Set the weights that are to be kept, and return the result of the training run."""
        network = self.network
        if self.best is not None:
            network.theta[:] = self.best.theta
            if self._each_epoch:
                network = self._on_scaffold_of(self.best.epoch)
            network.buffers[:] = self.best.buffers
        elif self.average is not None and self.average.steps:
            network.theta[:] = self.average.value()
        best_score = None if self.best is None else self.best.score
        return Outcome(network, self.history, reason, self.state, best_score)

    def _fetch(self) -> None:
        bad = self.losses.fetch()
        if bad is not None:
            self._diverged(*bad)

    # Checkpoints -------------------------------------------------------------------------

    def save_epoch(self) -> None:
        """Write a checkpoint at the end of an epoch, if the training run has one."""
        if self.checkpoint is not None:
            self.losses = EpochLoss(0.0, 0.0, 1)
            self.checkpoint.save(replace(self._progress(0), epoch=self.epoch + 1))

    def _progress(self, step: int) -> Progress:
        return progress_of(self, step)

    def resume(self) -> tuple[int, int, tuple[float, float]]:
        """Restore the progress of a checkpoint; return epoch, step and the losses so far."""
        progress = None if self.checkpoint is None else self.checkpoint.resume()
        if progress is None:
            return 0, 0, (0.0, 0.0)
        restore(self, progress)
        return progress.epoch, progress.step, (progress.total, progress.numbers["loss_n"])

    # The end of an epoch -------------------------------------------------------------------

    def _check_weights(self) -> None:
        """Raise if the last update of an epoch, which no loss shows, has made a weight infinite."""
        theta = self.network.theta
        if not bool(array_module(theta).isfinite(theta).all()):
            self._diverged(np.nan, self.batches.steps - 1)

    def _judge(self, loss: float) -> dict[str, float]:
        """Validate, remember the best weights, and count the epochs that did not improve.

        Returns
        -------
        dict
            Entries for the history.
        """
        metric, entry = -loss, {}
        if self.validate is not None:
            with _averaged(self.network, self.average):
                validation_loss, score = self.validate(self.network)
                # A score that is NaN is neither kept nor compared with.
                if (
                    self.plan.early_stopping
                    and not np.isnan(score)
                    and (self.best is None or self.best.is_beaten_by(score, validation_loss))
                ):
                    theta, buffers = self.network.theta.copy(), self.network.buffers.copy()
                    self.best = Best(score, validation_loss, theta, buffers, self.epoch)
            if not np.isfinite(validation_loss):
                self._diverged(validation_loss, self.batches.steps - 1, "validation loss")
            entry = {"validation_loss": validation_loss, "validation_score": score}
            if self.plan.early_stopping:
                metric, loss = score, validation_loss
        # As in scikit-learn's MLP, an improvement of less than tol over the best does not count.
        tol = self.plan.tol
        improved = metric > self.best_metric + tol or loss < self.best_loss - tol
        self.stale = 0 if improved else self.stale + 1
        self.best_metric = max(self.best_metric, metric)  # in this order, NaN is never kept
        self.best_loss = min(self.best_loss, loss)
        return entry

    def _diverged(self, value: float, step: int, what: str = "loss") -> NoReturn:
        x = self.batches.batch(step, self.state.step).batch.x
        raise diverged(what, value, self.epoch, step, x, self.plan.rate)


class _averaged:
    """Put the averaged weights into the network for the duration of a with block."""

    def __init__(self, network: Network, average: WeightAverage | None) -> None:
        self.network, self.average = network, average

    def __enter__(self) -> None:
        if self.average is not None:
            self.saved = self.network.theta.copy()
            self.network.theta[:] = self.average.value()

    def __exit__(self, *exception: object) -> None:
        if self.average is not None:
            self.network.theta[:] = self.saved
