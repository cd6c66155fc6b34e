"""What a user sees of a training run: a progress bar or lines, and a callback after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from tqdm.auto import tqdm

from ..network import Network
from .plan import Plan


@dataclass(frozen=True)
class EpochEnd:
    """The state of a training run after an epoch, as a callback gets it.

    Attributes
    ----------
    epoch : int
        Number of epochs so far, from 1.
    max_iter : int
        Largest number of epochs.
    loss : float
        Mean training loss of the epoch.
    validation_loss, validation_score : float or None
        On the held-out samples; None without any.
    network : Network
        The network that is being trained, which the next epoch changes; copy what is to be kept.

    Examples
    --------
    A callback that ends training when the loss is small enough:

    >>> from deepreservoir import DeepReservoirRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> def callback(epoch):
    ...     return epoch.loss < 0.1
    >>> model = DeepReservoirRegressor((16,), max_iter=500, random_state=0)
    >>> model.fit(X, X[:, 0], callback=callback).stop_reason_
    'callback'
    """

    epoch: int
    max_iter: int
    loss: float
    validation_loss: float | None
    validation_score: float | None
    network: Network


#: Called after every epoch; it ends training by returning True or raising StopIteration.
Callback = Callable[[EpochEnd], Any]


class CallbackError(Exception):
    """A callback raised the exception that is this one's cause."""


class Monitor:
    """Shows the progress of a training run and calls the user's callback; a context manager.

    Parameters
    ----------
    plan : Plan
        With ``verbose=1`` there is a progress bar, with 2 or more a line per epoch, as
        scikit-learn's multilayer perceptron prints them.
    callback : callable, optional
    first : int, default=0
        Number of epochs that are already completed.
    """

    def __init__(self, plan: Plan, callback: Callback | None = None, first: int = 0) -> None:
        self.plan, self.callback, self.first = plan, callback, first

    def __enter__(self) -> Self:
        total, hidden = self.plan.epochs, self.plan.verbose != 1
        self._bar = tqdm(initial=self.first, total=total, unit="epoch", disable=hidden)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def epoch_ended(self, network: Network, history: dict[str, list[Any]]) -> bool:
        """Show the last entries of the history; return whether the callback ends training.

        Raises
        ------
        CallbackError
            If the callback raises anything but StopIteration.
        """
        latest = {name: values[-1] for name, values in history.items() if values}
        epoch = len(history["loss"])
        loss, score = latest["loss"], latest.get("validation_score")
        shown = {"loss": loss} if score is None else {"loss": loss, "validation_score": score}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
        if self.plan.verbose > 1:
            print(f"Iteration {epoch}, loss = {loss:.8f}")
            if score is not None:
                print(f"Validation score: {score:.6f}")
        if self.callback is None:
            return False
        state = EpochEnd(
            epoch, self.plan.epochs, loss, latest.get("validation_loss"), score, network
        )
        try:
            result = self.callback(state)
        except StopIteration:
            return True
        except Exception as error:
            raise CallbackError from error
        return isinstance(result, bool | np.bool_) and bool(result)

    def stopped(self, stale: int, validated: bool) -> None:
        """Say that training stops after `stale` epochs without improvement."""
        if self.plan.verbose:
            what = "Validation score" if validated else "Training loss"
            message = (
                f"{what} did not improve more than tol={self.plan.tol:f} for "
                f"{stale} consecutive epochs. Stopping."
            )
            print(message) if self.plan.verbose > 1 else self._bar.write(message)
