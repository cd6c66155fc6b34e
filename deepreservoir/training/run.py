"""One training run: steps, epochs, history."""

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
from .early_stopping import EarlyStopping
from .epoch_loss import EpochLoss
from .parts import PartsExecutor, PartsTask, sum_parts
from .plan import Outcome, Plan, StopReason, Validate
from .progress import progress_of, restore
from .resample import passes
from .step_graphs import StepGraphs
from .validation import averaged

#: Number of steps whose losses are fetched from a device at once: a fetch waits for all of them.
FETCHED = 50


class Run:
    """One training run, an epoch and a step at a time; :mod:`.loop` is the loop around it."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        loss: Loss,
        plan: Plan,
        validate: Validate | None = None,
        state: OptimiserState | None = None,
        checkpoint: Checkpoint | None = None,
        parts: PartsExecutor | None = None,
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
        self.parts = parts
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
        self.stopping = EarlyStopping(plan.tol)
        self.rate = 0.0  # of the last step
        self.checked = False
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
        patience, stale = self.plan.patience, self.stopping.stale
        steps = stale * self.batches.steps
        return patience is not None and stale >= patience and steps >= self.plan.patience_steps

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
        if self.parts is not None:
            self._take_in_parts(number, self.parts)
            return
        index = self.state.step
        self.take(number, self.batches.batch(number, index), Step(self.plan.seed, index))

    def take(self, number: int, batch: TrainingBatch, step: Step) -> None:
        """Take step `number` of the epoch on a batch."""
        self._update(number, self._clipped_gradient(batch, step), batch.target.n)

    def _take_in_parts(self, number: int, parts: PartsExecutor) -> None:
        """Take step `number` of the epoch on a batch that is computed in parts."""
        network, key = self.network, self.epoch_key(self.epoch)
        # In this process, a part changes the buffers with which the next one must begin.
        before = network.buffers.copy()
        task = PartsTask(network.theta, before, network.seed, key, number, self.state.step)
        count = min(parts.parts, cast(ShuffledBatches, self.batches).size_of(number))
        value, n = sum_parts(parts.compute(task, count), network)
        self._clip()
        self._update(number, value, n)

    def _update(self, number: int, value: Array | float, n: float) -> None:
        """Let the optimiser change the weights, after the gradient of step `number` is set."""
        network = self.network
        self.rate = self.rate_at(self.state.step)
        self.optimiser.update(network.theta, network.grad, self.state, self.rate, self.decay_mask)
        if self.average is not None:
            self.average.update(network.theta)
        self._taken(number, value, n)

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
        self.network.grad.fill(0)
        value = self._gradient(batch, step)
        join("gradients")
        if not self.checked:
            self.network.check_bound()
            self.checked = True
        self._clip()
        return value

    def _clip(self) -> None:
        if self.plan.clip_norm is not None:
            clip_global_norm(self.network.grad, self.plan.clip_norm)

    def _taken(self, number: int, value: Array | float | None, n: float) -> None:
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
        network, best = self.network, self.stopping.best
        if best is not None:
            network.theta[:] = best.theta
            if self._each_epoch:
                network = self._on_scaffold_of(best.epoch)
            network.buffers[:] = best.buffers
        elif self.average is not None and self.average.steps:
            network.theta[:] = self.average.value()
        best_score = None if best is None else best.score
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
            with averaged(self.network, self.average):
                validation_loss, score = self.validate(self.network)
                if self.plan.early_stopping:
                    self.stopping.keep_if_best(score, validation_loss, self.network, self.epoch)
            if not np.isfinite(validation_loss):
                self._diverged(validation_loss, self.batches.steps - 1, "validation loss")
            entry = {"validation_loss": validation_loss, "validation_score": score}
            if self.plan.early_stopping:
                metric, loss = score, validation_loss
        self.stopping.count(metric, loss)
        return entry

    def _diverged(self, value: float, step: int, what: str = "loss") -> NoReturn:
        x = self.batches.batch(step, self.state.step).batch.x
        raise diverged(what, value, self.epoch, step, x, self.plan)
