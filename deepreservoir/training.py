"""Training: epochs, minibatches, early stopping, history, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from .backend import Array, array_module, to_device
from .layers import Step
from .losses import Loss
from .network import Network
from .optim import Constant, Optimiser, OptimiserState, Schedule, WeightAverage, clip_global_norm
from .rows import Rows, take_rows
from .scaffold import Stream

#: Bytes that the first layer's product with the training set may take under "auto".
PROJECTION_LIMIT = 1 << 30


class TrainingDiverged(ArithmeticError):
    """The loss stopped being finite; the message names epoch, step and remedy."""


@dataclass(frozen=True)
class Plan:
    """How to train: everything but the network, the data and the loss.

    Attributes
    ----------
    optimiser : Optimiser
    rate : float
        Learning rate, before the schedule.
    schedule : Schedule
    epochs : int
    batch_size : int
        Rows a step; the last step of an epoch takes what is left.
    shuffle : bool
    seed : int
        Of the order of rows and the dropout masks.
    clip_norm : float, optional
        Limit of the gradient's Euclidean norm.
    ema_decay : float, optional
        Decay of the average of the weights that is kept in the end.
    tol : float
    patience : int
        Stop after this many epochs in a row that improve by no more than `tol`: the
        validation score where there is one, the training loss where there is none.
    projection_limit : int
        Bytes that the first layer's frozen product with the training set may take.
    verbose : bool
        Show a bar.
    """

    optimiser: Optimiser
    rate: float
    schedule: Schedule = field(default_factory=Constant)
    epochs: int = 100
    batch_size: int = 128
    shuffle: bool = True
    seed: int = 0
    clip_norm: float | None = None
    ema_decay: float | None = None
    tol: float = 0.0
    patience: int | None = None
    projection_limit: int = PROJECTION_LIMIT
    verbose: bool = False


@dataclass(frozen=True)
class TrainingSet:
    """Rows, targets and weights, in one order.

    Attributes
    ----------
    rows : Rows
    targets : array, shape (n,) or (n, n_outputs)
    weights : array, shape (n,), optional
        Of mean one.
    """

    rows: Rows
    targets: Array
    weights: Array | None = None


StopReason = Literal["budget", "converged", "interrupted"]


@dataclass
class Outcome:
    """What a training run leaves beside the trained network.

    Attributes
    ----------
    history : dict of str to list
        One entry a whole epoch: ``loss``, ``learning_rate`` (of its last step), ``beta``
        (path -> value), and with validation ``validation_loss`` and ``validation_score``.
    reason : {"budget", "converged", "interrupted"}
    state : OptimiserState
    best_score : float, optional
        Validation score of the weights that were kept.
    """

    history: dict[str, list[Any]]
    reason: StopReason
    state: OptimiserState
    best_score: float | None = None


Validate = Callable[[Network], tuple[float, float]]  # network -> (loss, score)


def train(
    network: Network,
    data: TrainingSet,
    loss: Loss,
    plan: Plan,
    *,
    validate: Validate | None = None,
    state: OptimiserState | None = None,
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

    Returns
    -------
    Outcome

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    """
    return _Run(network, data, loss, plan, validate, state).run()


class _Run:
    def __init__(
        self,
        network: Network,
        data: TrainingSet,
        loss: Loss,
        plan: Plan,
        validate: Validate | None,
        state: OptimiserState | None,
    ) -> None:
        self.network, self.data, self.loss, self.plan = network, data, loss, plan
        self.validate = validate
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

    def run(self) -> Outcome:
        reason: StopReason
        try:
            # What overflows is found by the checks of loss and weights, and explained there.
            with np.errstate(over="ignore", invalid="ignore"):
                reason = self._epochs()
        except KeyboardInterrupt:
            reason = "interrupted"
        self._keep_weights()
        best_score = None if self.best is None else self.best[0]
        return Outcome(self.history, reason, self.state, best_score)

    def _epochs(self) -> StopReason:
        plan = self.plan
        # The frozen product of the first layer, made once, pays from the second epoch on.
        limit = plan.projection_limit if plan.epochs > 1 else 0
        self.base = project(self.network, self.data.rows, limit)
        with tqdm(total=plan.epochs, unit="epoch", disable=not plan.verbose) as bar:
            for epoch in range(plan.epochs):
                self._epoch(epoch)
                bar.set_postfix(self._latest(), refresh=False)
                bar.update()
                if plan.patience is not None and self.stale >= plan.patience:
                    return "converged"
        return "budget"

    def _epoch(self, epoch: int) -> None:
        plan, n = self.plan, len(self.data.rows)
        order = np.arange(n)
        if plan.shuffle and self.steps > 1:
            # Keyed by the step, so that going on with the same state goes on in the stream.
            order = Stream(plan.seed, "", "order").permutation(n, substream=self.state.step)
        total, rate = 0.0, 0.0
        for step in range(self.steps):
            index = order[step * plan.batch_size : (step + 1) * plan.batch_size]
            rate = self._rate()
            value = self._step(index, rate)
            if not np.isfinite(value):
                raise TrainingDiverged(self._diagnosis(value, epoch, step, index))
            total += value * len(index)
        self._check_weights(epoch)
        entry: dict[str, Any] = {
            "loss": total / n,
            "learning_rate": rate,
            "beta": self.network.betas(),
        }
        entry |= self._judge(total / n)
        for name, value in entry.items():
            self.history[name].append(value)

    def _step(self, index: np.ndarray, rate: float) -> float:
        network, data, plan = self.network, self.data, self.plan
        base = None if self.base is None else take_rows(self.base, index)
        step = Step(plan.seed, self.state.step)
        outputs, cache = network.forward(data.rows.take(index), step, base)
        weights = None if data.weights is None else take_rows(data.weights, index)
        value, doutputs = self.loss(outputs, take_rows(data.targets, index), weights)
        network.grad.fill(0)
        network.backward(doutputs, cache)
        if plan.clip_norm is not None:
            clip_global_norm(network.grad, plan.clip_norm)
        plan.optimiser.update(network.theta, network.grad, self.state, rate, self.decay_mask)
        if self.average is not None:
            self.average.update(network.theta)
        return float(value)

    def _rate(self) -> float:
        return self.plan.rate * self.plan.schedule(self.state.step - self.first_step)

    def _check_weights(self, epoch: int) -> None:
        """Refuse weights that the last update of an epoch made infinite; no loss saw them."""
        theta = self.network.theta
        if not bool(array_module(theta).isfinite(theta).all()):
            index = np.arange(min(self.plan.batch_size, len(self.data.rows)))
            raise TrainingDiverged(self._diagnosis(np.nan, epoch, self.steps - 1, index))

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

    def _diagnosis(self, value: float, epoch: int, step: int, index: np.ndarray) -> str:
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
        return f"the loss became {value} at epoch {epoch + 1}, step {step + 1}: {remedy}"


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


def project(network: Network, rows: Rows, limit: int) -> Array | None:
    """Return the first scaffold's product with all rows, or None where it would not fit.

    Both are frozen, so the product is computed once, not once an epoch.

    Parameters
    ----------
    network : Network
    rows : Rows
    limit : int
        Bytes that the product may take.

    Returns
    -------
    array, shape (n, d_out), or None
    """
    scaffold = network.first_scaffold
    if scaffold is None:
        return None
    shape = (len(rows), scaffold.shape[0])
    if shape[0] * shape[1] * network.dtype.itemsize > limit:
        return None
    base = array_module(network.theta).empty(shape, network.dtype)
    for where, chunk in rows.chunks():
        base[where] = scaffold.matmul(chunk)
    return base


def validator(rows: Any, targets: Array, loss: Loss, score: Callable[[Array], float]) -> Validate:
    """Return a function network -> (loss, score) on held-out rows.

    Parameters
    ----------
    rows : array or CSR matrix, shape (n, n_features)
    targets : array
    loss : Loss
    score : callable
        Outputs -> score, higher is better.
    """

    def validate(network: Network) -> tuple[float, float]:
        outputs = network.outputs(rows)
        value, _ = loss(outputs, to_device(targets, network.device))
        return float(value), score(outputs)

    return validate
