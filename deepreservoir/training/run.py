"""Training: epochs, minibatches, early stopping, history, progress."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from tqdm.auto import tqdm

from ..backend import Array, array_module, to_device, to_host
from ..layers import Step
from ..losses import Loss
from ..network import Network
from ..optim import OptimiserState, WeightAverage, clip_global_norm
from ..rows import take_rows
from ..scaffold import Stream
from .checkpoint import Checkpoint, Progress
from .plan import Outcome, Plan, StopReason, TrainingDiverged, TrainingSet, Validate
from .products import project

#: Steps whose losses are fetched from a device at a time: each fetch waits for all before it.
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
) -> Outcome:
    """Train `network` in place.

    With `validate`, the weights of the best validation score are the ones kept. Ctrl-C ends
    training at once and leaves a usable network, of finite weights; the outcome says so.

    Parameters
    ----------
    network : Network
    data : TrainingSet
    loss : Loss
    plan : Plan
    validate : callable, optional
        Network -> (loss, score), called after every epoch.
    state : OptimiserState, optional
        To go on from; fresh if not given.
    checkpoint : Checkpoint, optional
        Begun. Training goes on from its file, if there is one; the file is removed when training
        ends, but not when Ctrl-C ends it.

    Returns
    -------
    Outcome

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    """
    return _Run(network, data, loss, plan, validate, state, checkpoint).run()


class _Run:
    def __init__(
        self,
        network: Network,
        data: TrainingSet,
        loss: Loss,
        plan: Plan,
        validate: Validate | None,
        state: OptimiserState | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.network, self.data, self.loss, self.plan = network, data, loss, plan
        self.validate = validate
        self.checkpoint = checkpoint
        self.state = plan.optimiser.init(network.theta) if state is None else state
        # A state that was pickled comes back on the host, whatever device the network is on.
        self.state.moments = [to_device(m, network.device) for m in self.state.moments]
        self.decay_mask = network.params.decay_mask(network.theta)
        self.average = (
            None if plan.ema_decay is None else WeightAverage(network.theta, plan.ema_decay)
        )
        self.steps = -(-len(data.rows) // plan.batch_size)
        self.first_step = self.state.step
        self.history: dict[str, list[Any]] = {"loss": [], "learning_rate": [], "beta": []}
        if validate:
            self.history |= {"validation_loss": [], "validation_score": []}
        self.best: tuple[float, Array] | None = None  # (score, theta)
        self.best_metric, self.stale = -np.inf, 0
        self.rate = 0.0  # of the last step

    def run(self) -> Outcome:
        reason: StopReason
        try:
            # What overflows is found by the checks of loss and weights, and explained there.
            with np.errstate(over="ignore", invalid="ignore"):
                reason = self._epochs()
        except KeyboardInterrupt:
            reason = "interrupted"
        except TrainingDiverged:
            self._forget()  # it would do so again
            raise
        if reason != "interrupted":
            self._forget()
        self._keep_weights()
        best_score = None if self.best is None else self.best[0]
        return Outcome(self.history, reason, self.state, best_score)

    def _forget(self) -> None:
        if self.checkpoint is not None:
            self.checkpoint.remove()

    def _epochs(self) -> StopReason:
        plan = self.plan
        # The frozen product of the first layer, made once, pays from the second epoch on.
        limit = plan.projection_limit if plan.epochs > 1 else 0
        self.base = project(self.network, self.data.rows, limit)
        before = None if self.checkpoint is None else self.checkpoint.resume()
        first, step, total = (0, 0, 0.0) if before is None else self._go_on_from(before)
        bar = tqdm(initial=first, total=plan.epochs, unit="epoch", disable=not plan.verbose)
        with bar:
            for epoch in range(first, plan.epochs):
                self._epoch(epoch, step, total)
                step, total = 0, 0.0
                bar.set_postfix(self._latest(), refresh=False)
                bar.update()
                if plan.patience is not None and self.stale >= plan.patience:
                    return "converged"
        return "budget"

    def _epoch(self, epoch: int, first: int, total: float) -> None:
        """Train one epoch, from its step `first` on, whose steps before gave `total`."""
        plan, n = self.plan, len(self.data.rows)
        order = np.arange(n)
        if plan.shuffle and self.steps > 1:
            # Keyed by the step, so that going on with the same state goes on in the stream.
            key = self.first_step + epoch * self.steps
            order = Stream(plan.seed, "", "order").permutation(n, substream=key)
        there = to_device(order, self.network.device)  # once an epoch
        losses = _Losses(total, 1 if self.network.device == "cpu" else FETCHED)
        for step in range(first, self.steps):
            part = slice(step * plan.batch_size, (step + 1) * plan.batch_size)
            self.rate = self._rate()
            value = self._step(order[part], there[part])
            bad = losses.add(value, step, len(there[part]))
            if bad is not None:
                self._diverged(*bad, epoch, order)
            if self.checkpoint is not None and self.checkpoint.due:
                self._fetch(losses, epoch, order)
                self.checkpoint.save(self._progress(epoch, step + 1, losses.total))
        self._fetch(losses, epoch, order)
        self._check_weights(epoch)
        entry: dict[str, Any] = {
            "loss": losses.total / n,
            "learning_rate": self.rate,
            "beta": self.network.betas(),
        }
        entry |= self._judge(losses.total / n)
        for name, value in entry.items():
            self.history[name].append(value)

    def _fetch(self, losses: _Losses, epoch: int, order: np.ndarray) -> None:
        bad = losses.fetch()
        if bad is not None:
            self._diverged(*bad, epoch, order)

    def _step(self, index: np.ndarray, there: Array) -> Array:
        """Take one step on the rows at `index`, which are `there` on the network's device."""
        network, data, plan = self.network, self.data, self.plan
        base = None if self.base is None else take_rows(self.base, there)
        step = Step(plan.seed, self.state.step)
        x = data.rows.take(index if data.rows.sparse else there)
        outputs, cache = network.forward(x, step, base)
        weights = None if data.weights is None else take_rows(data.weights, there)
        value, doutputs = self.loss(outputs, take_rows(data.targets, there), weights)
        network.grad.fill(0)
        network.backward(doutputs, cache)
        if plan.clip_norm is not None:
            clip_global_norm(network.grad, plan.clip_norm)
        plan.optimiser.update(network.theta, network.grad, self.state, self.rate, self.decay_mask)
        if self.average is not None:
            self.average.update(network.theta)
        return value

    # Checkpoints -------------------------------------------------------------------------

    def _progress(self, epoch: int, step: int, total: float) -> Progress:
        numbers: dict[str, float] = {
            "optimiser_step": self.state.step,
            "first_step": self.first_step,
            "stale": self.stale,
            "best_metric": self.best_metric,
            "rate": self.rate,
        }
        arrays = {"theta": self.network.theta}
        arrays |= {f"moment.{i}": moment for i, moment in enumerate(self.state.moments)}
        if self.average is not None:
            numbers["average_steps"] = self.average.steps
            arrays["average"] = self.average.sum
        if self.best is not None:
            numbers["best_score"], arrays["best"] = self.best
        host = {name: to_host(array) for name, array in arrays.items()}
        return Progress(epoch, step, total, numbers, self.history, host)

    def _go_on_from(self, progress: Progress) -> tuple[int, int, float]:
        """Take up what :meth:`_progress` left; return epoch, step and the losses so far."""
        numbers, network = progress.numbers, self.network
        arrays = {name: to_device(a, network.device) for name, a in progress.arrays.items()}
        network.theta[:] = arrays["theta"]
        for i, moment in enumerate(self.state.moments):
            moment[:] = arrays[f"moment.{i}"]
        self.state.step = int(numbers["optimiser_step"])
        self.first_step = int(numbers["first_step"])
        self.stale, self.best_metric = int(numbers["stale"]), numbers["best_metric"]
        self.rate, self.history = numbers["rate"], progress.history
        if self.average is not None:
            self.average.steps = int(numbers["average_steps"])
            self.average.sum[:] = arrays["average"]
        if "best" in arrays:
            self.best = numbers["best_score"], arrays["best"]
        return progress.epoch, progress.step, progress.total

    # The end of an epoch -------------------------------------------------------------------

    def _rate(self) -> float:
        return self.plan.rate * self.plan.schedule(self.state.step - self.first_step)

    def _check_weights(self, epoch: int) -> None:
        """Refuse weights that the last update of an epoch made infinite; no loss saw them."""
        theta = self.network.theta
        if not bool(array_module(theta).isfinite(theta).all()):
            self._diverged(np.nan, self.steps - 1, epoch, np.arange(len(self.data.rows)))

    def _judge(self, loss: float) -> dict[str, float]:
        """Validate, remember the best weights, and count the epochs that did not improve.

        Returns
        -------
        dict
            What the history gets to know of it.
        """
        metric, entry = -loss, {}
        if self.validate is not None:
            with _averaged(self.network, self.average):
                validation_loss, metric = self.validate(self.network)
                # A score that is no number is neither kept nor compared with.
                if metric > (-np.inf if self.best is None else self.best[0]):
                    self.best = metric, self.network.theta.copy()
            entry = {"validation_loss": validation_loss, "validation_score": metric}
        # As in scikit-learn's MLP: an improvement of less than tol over the best is none.
        self.stale = 0 if metric > self.best_metric + self.plan.tol else self.stale + 1
        if metric > self.best_metric:
            self.best_metric = metric
        return entry

    def _keep_weights(self) -> None:
        if self.best is not None:
            self.network.theta[:] = self.best[1]
        elif self.average is not None and self.average.steps:
            self.network.theta[:] = self.average.value()

    def _latest(self) -> dict[str, float]:
        names = ("loss", "validation_score")
        return {name: self.history[name][-1] for name in names if name in self.history}

    def _diverged(self, value: float, step: int, epoch: int, order: np.ndarray) -> NoReturn:
        size = self.plan.batch_size
        index = order[step * size : (step + 1) * size]
        x = self.data.rows.take(index)
        largest = float(array_module(x).abs(x).max()) if x.size else 0.0
        if largest > 100:
            remedy = (
                f"the inputs reach {largest:.3g}; scale them first, for example with "
                "sklearn.preprocessing.StandardScaler"
            )
        else:
            remedy = (
                f"lower learning_rate_init (now {self.plan.rate:g}, try {self.plan.rate / 10:g}) "
                "or set max_grad_norm=1.0"
            )
        raise TrainingDiverged(
            f"the loss became {value} at epoch {epoch + 1}, step {step + 1}: {remedy}"
        )


class _Losses:
    """The losses of an epoch's steps: on a device, fetched some at a time.

    Parameters
    ----------
    total : float
        Of the steps before, each loss times its rows.
    every : int
        Steps that may be pending.
    """

    def __init__(self, total: float, every: int) -> None:
        self.total = total
        self.every = every
        self._pending: list[tuple[Array, int, int]] = []

    def add(self, value: Array, step: int, rows: int) -> tuple[float, int] | None:
        """Take in a loss; return a loss that is not finite, and its step, once one is seen."""
        self._pending.append((value, step, rows))
        return self.fetch() if len(self._pending) >= self.every else None

    def fetch(self) -> tuple[float, int] | None:
        """Add what is pending to the total; return what :meth:`add` does."""
        if not self._pending:
            return None
        values = [value for value, _, _ in self._pending]
        if len(values) == 1:
            on_host = [float(values[0])]
        else:
            on_host = to_host(array_module(*values).stack(values)).tolist()
        pending, self._pending = self._pending, []
        for value, (_, step, rows) in zip(on_host, pending, strict=True):
            if not np.isfinite(value):
                return float(value), step
            self.total += float(value) * rows
        return None


class _averaged:
    """Put the averaged weights into the network for the length of a with block."""

    def __init__(self, network: Network, average: WeightAverage | None) -> None:
        self.network, self.average = network, average

    def __enter__(self) -> None:
        if self.average is not None:
            self.saved = self.network.theta.copy()
            self.network.theta[:] = self.average.value()

    def __exit__(self, *exception: object) -> None:
        if self.average is not None:
            self.network.theta[:] = self.saved
