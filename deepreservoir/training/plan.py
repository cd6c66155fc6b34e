"""Plans, training sets and outcomes of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..backend import Array
from ..inputs import Batch, Inputs, Target, take_rows
from ..network import Network
from ..optim import LBFGS, Constant, Optimiser, OptimiserState, Schedule
from ..params import DECAYED
from ..scaffold import Stream

#: Maximum size in bytes of the frozen products with the training set, under "auto".
PROJECTION_LIMIT = 1 << 30


class TrainingDiverged(ArithmeticError, ValueError):
    """The loss stopped being finite; the message names epoch, step and remedy.

    It is a ValueError too, as scikit-learn raises for weights that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import DeepReservoirRegressor
    >>> X = np.random.default_rng(0).standard_normal((300, 3))
    >>> model = DeepReservoirRegressor((8,), rank=2, learning_rate_init=1e9, random_state=0)
    >>> try:
    ...     model.fit(X, X[:, 0])
    ... except TrainingDiverged as error:
    ...     print("lower learning_rate_init" in str(error))
    True
    """


@dataclass(frozen=True)
class Resample:
    """When scaffolds are redrawn during training (paper, arXiv 2604.08749, MNIST section).

    Attributes
    ----------
    when : {"epoch", "step", "microbatch"}
        One scaffold per epoch; `count` scaffolds per step, each applied to the whole batch, with
        their gradients averaged; or `count` parts of a batch, each on a scaffold of its own.
    count : int, default=1

    Examples
    --------
    >>> Resample("step", 2).seed(7, 0) == Resample("step", 2).seed(7, 1)
    False
    """

    when: Literal["epoch", "step", "microbatch"]
    count: int = 1

    def seed(self, seed: int, index: int) -> int:
        """Return the seed of scaffold number `index` in a training run that began with `seed`."""
        return int(Stream(seed, "", "resample").words(1, start_block=index)[0] >> 1)


@dataclass(frozen=True)
class Plan:
    """How to train: everything except the network, the data and the loss.

    Attributes
    ----------
    optimiser : Optimiser or LBFGS
    rate : float
        Learning rate, before the schedule.
    schedule : Schedule
    epochs : int
    batch_size : int
        Samples per step; the last step of an epoch takes the remainder.
    shuffle : bool
    seed : int
        Seed of the order of samples and of the dropout masks.
    clip_norm : float, optional
        Upper limit on the Euclidean norm of the gradient.
    ema_decay : float, optional
        Decay of the moving average of the weights, which is kept at the end.
    tol : float
    patience : int
        Stop after this many consecutive epochs that improve by no more than `tol`: in the
        validation score or loss if there is a validation, in the training loss otherwise.
    patience_steps : int
        The smallest number of steps without such an improvement after which training stops.
    projection_limit : int
        Maximum size in bytes of the frozen products with the training set.
    decayed : collection of str
        Groups of parameters that weight decay applies to.
    resample : Resample, optional
        When scaffolds are redrawn; never by default.
    parts : int
        Number of parts into which a batch is split, whose gradients are summed before the step.
    early_stopping : bool
        Whether the validation score, if there is one, decides which weights are kept and when
        training stops; otherwise it is only recorded.
    verbose : int
        0 for no output, 1 for a progress bar, 2 for a line per epoch.

    Examples
    --------
    >>> from deepreservoir.optim import AdamW, Cosine
    >>> plan = Plan(AdamW(weight_decay=0.01), rate=3e-3, schedule=Cosine(500), epochs=10)
    >>> plan.rate * plan.schedule(250)
    0.0015
    """

    optimiser: Optimiser | LBFGS
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
    patience_steps: int = 0
    projection_limit: int = PROJECTION_LIMIT
    decayed: frozenset[str] = DECAYED
    resample: Resample | None = None
    parts: int = 1
    early_stopping: bool = True
    verbose: int = 0


class TakeTarget(Protocol):
    """Selects the target of a batch from encoded targets."""

    def __call__(self, y: Array, index: Any, batch: Batch, weights: Array | None) -> Target: ...


def take_target(y: Array, index: Any, batch: Batch, weights: Array | None) -> Target:
    """Return the target of the samples at `index`, one row of `y` per sample."""
    chosen = _chosen(y, index)
    return Target(chosen, len(chosen), None if weights is None else _chosen(weights, index))


def _chosen(array: Array, index: Any) -> Array:
    return array[index] if isinstance(index, slice) else take_rows(array, index)


@dataclass(frozen=True)
class TrainingSet:
    """Samples with their targets and weights.

    Attributes
    ----------
    inputs : Inputs
    y : array, shape (n, ...)
        Encoded targets in the form that the loss takes, on the device of the inputs.
    weights : array, shape (n,), optional
        With mean one.
    take_target : callable, optional
        (y, index, batch, weights) -> Target, as :meth:`Targets.take`; takes rows of y by default.
    """

    inputs: Inputs
    y: Array
    weights: Array | None = None
    take_target: TakeTarget = take_target


StopReason = Literal["budget", "converged", "interrupted", "callback"]


@dataclass
class Outcome:
    """The result of a training run.

    Attributes
    ----------
    network : Network
        The trained network; if its scaffold was resampled, the network on the scaffold that the
        kept weights belong to.
    history : dict of str to list
        One entry per whole epoch: ``loss``, ``learning_rate`` (of its last step), ``beta``
        (path -> value), and with validation ``validation_loss`` and ``validation_score``.
    reason : {"budget", "converged", "interrupted", "callback"}
    state : OptimiserState
    best_score : float, optional
        Validation score of the weights that were kept.
    error : exception, optional
        What a callback raised, if that interrupted training.
    """

    network: Network
    history: dict[str, list[Any]]
    reason: StopReason
    state: OptimiserState
    best_score: float | None = None
    error: BaseException | None = None


Validate = Callable[[Network], tuple[float, float]]  # network -> (loss, score)
