"""Training with L-BFGS: SciPy minimises the loss on the whole training set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.optimize

from ..backend import Array, to_device, to_host
from ..layers import Pass, Step, StochasticDepth
from ..losses import Loss
from ..network import Network
from ..optim import LBFGS, OptimiserState
from .batches import ShuffledBatches, TrainingBatch
from .interruption import keeps_interrupted_network
from .monitor import Callback, CallbackError, Monitor
from .plan import Outcome, Plan, StopReason, TrainingDiverged, TrainingSet, Validate

#: Largest number of samples in a pass; larger training sets are summed over several passes.
PASS_SAMPLES = 1 << 14


def minimise(
    network: Network,
    data: TrainingSet,
    loss: Loss,
    plan: Plan,
    *,
    validate: Validate | None = None,
    callback: Callback | None = None,
) -> Outcome:
    """Train `network` in place with L-BFGS.

    An iteration of L-BFGS takes the place of an epoch. Of the plan, batch size, learning rate,
    schedule, order of samples, clipping and averaging have no meaning here; `tol` is the largest
    entry of the gradient at which the loss counts as minimal.

    Parameters
    ----------
    network, data, loss, plan, validate, callback : as in :func:`deepreservoir.training.train`
        `validate` is only recorded.

    Returns
    -------
    Outcome
        Its history has ``loss``, without the penalty of weight decay, and ``beta``; if the loss
        cannot be lowered at all, that at the start.

    Raises
    ------
    ValueError
        If the loss is not a function of the parameters alone: with dropout, scaffolds that
        change, or running statistics.
    TrainingDiverged
        If the loss is not finite.
    """
    optimiser = plan.optimiser
    assert isinstance(optimiser, LBFGS)
    _check(network, plan)
    objective = _Objective(network, data, loss, plan, optimiser.weight_decay)
    history: dict[str, list[Any]] = {"loss": [], "beta": []}
    if validate is not None:
        history |= {"validation_loss": [], "validation_score": []}
    kept = to_host(network.theta).astype(np.float64)
    ended, error = False, None

    def record(x: np.ndarray) -> None:
        history["loss"].append(objective.data_loss_at(x))
        history["beta"].append(network.betas())
        if validate is not None:
            for name, value in zip(("loss", "score"), validate(network), strict=True):
                history[f"validation_{name}"].append(value)

    def iteration_ended(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        nonlocal kept, ended, error
        record(intermediate_result.x)
        kept = intermediate_result.x.copy()
        try:
            ended = monitor.epoch_ended(network, history)
        except CallbackError as failure:
            ended, error = True, failure.__cause__
        if ended:
            raise StopIteration

    reason: StopReason = "interrupted"
    try:
        # Overflows are detected, and explained, by the checks of loss and weights.
        with np.errstate(over="ignore", invalid="ignore"), Monitor(plan, callback) as monitor:
            result = scipy.optimize.minimize(
                objective,
                kept,
                jac=True,
                method="L-BFGS-B",
                callback=iteration_ended,
                options={
                    "maxiter": plan.epochs,
                    "maxfun": optimiser.max_fun,
                    "gtol": plan.tol,
                    # SciPy's default, unless it is below the precision of the loss.
                    "ftol": max(2.2e-9, float(np.finfo(network.dtype).eps)),
                },
            )
            if not history["loss"]:
                record(kept)
    except KeyboardInterrupt:
        if not keeps_interrupted_network():
            raise
    else:
        if error is None:
            # 1 is SciPy's status of a budget that is used up.
            reason = "callback" if ended else "budget" if result.status == 1 else "converged"
    objective.place(kept)
    if not np.isfinite(kept).all() or not np.isfinite(history["loss"]).all():
        raise TrainingDiverged(_diverged(history["loss"]))
    return Outcome(network, history, reason, OptimiserState(), error=error)


def _check(network: Network, plan: Plan) -> None:
    if plan.resample is not None:
        raise ValueError(
            "L-BFGS needs a loss that stays the same, but scaffolds are resampled; set "
            "resample=None, or another optimizer"
        )
    if network.buffers.size:
        raise ValueError(
            "L-BFGS needs a loss of the parameters alone, but the network keeps running "
            "statistics; use another optimizer"
        )
    layers = [layer for part in network.config.build() for layer in part.walk()]
    for layer in layers:
        adapter = getattr(layer, "adapter", None)
        if isinstance(layer, StochasticDepth) and layer.rate:
            raise ValueError(
                f"L-BFGS needs a loss that stays the same, but layer {layer.path!r} drops samples; "
                "set stochastic_depth=0, or another optimizer"
            )
        if getattr(layer, "dropout", 0) or getattr(adapter, "dropout", 0):
            raise ValueError(
                f"L-BFGS needs a loss that stays the same, but layer {layer.path!r} has dropout; "
                "set dropout=0 and adapter_dropout=0, or another optimizer"
            )


def _diverged(losses: list[float]) -> str:
    return (
        f"the loss of L-BFGS became {losses[-1]} at iteration {len(losses)}: Solver produced "
        "non-finite parameter weights. The input data may contain large values and need to be "
        "preprocessed, for example with sklearn.preprocessing.StandardScaler"
    )


class _Objective:
    """The loss on the whole training set with its penalty, and its gradient, in float64."""

    def __init__(
        self, network: Network, data: TrainingSet, loss: Loss, plan: Plan, weight_decay: float
    ) -> None:
        self.network, self.loss = network, loss
        self.step = Step(plan.seed, 0)
        whole = replace(plan, batch_size=PASS_SAMPLES, shuffle=False)
        self.batches = ShuffledBatches(network, data, whole)
        self.batches.begin(0)
        self._only = self.batches.batch(0, 0) if self.batches.steps == 1 else None
        self.n = sum(batch.target.n for batch in self._parts())
        mask = to_host(network.params.decay_mask(network.theta, plan.decayed))
        self.decay = weight_decay * mask.astype(np.float64)
        self._last: tuple[np.ndarray, float] | None = None

    def _parts(self) -> Iterator[TrainingBatch]:
        if self._only is not None:
            yield self._only
        else:
            yield from (self.batches.batch(number, 0) for number in range(self.batches.steps))

    def place(self, x: np.ndarray) -> None:
        """Set the parameters of the network."""
        network = self.network
        network.theta[:] = to_device(x.astype(network.dtype), network.device)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        network = self.network
        self.place(x)
        network.grad.fill(0)
        value = sum(float(self._pass(part)) for part in self._parts())
        self._last = x.copy(), value
        gradient = to_host(network.grad).astype(np.float64)
        return value + 0.5 * float(self.decay @ (x * x)), gradient + self.decay * x

    def _pass(self, part: TrainingBatch) -> Array:
        on = Pass(self.step, products=part.products, dtype=self.network.dtype)
        target = replace(part.target, n=self.n)  # every part adds its share of the mean
        return self.network.gradient(part.batch, target, self.loss, on)

    def data_loss_at(self, x: np.ndarray) -> float:
        """Return the loss at `x` without its penalty; the network then has these parameters."""
        if self._last is None or not np.array_equal(self._last[0], x):
            self(x)
        assert self._last is not None
        return self._last[1]
