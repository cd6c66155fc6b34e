"""What a checkpoint keeps of a training run, and how a run is brought back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..backend import Array, to_device, to_host
from .checkpoint import Progress

if TYPE_CHECKING:
    from .run import Run


class Best(NamedTuple):
    """The best epoch so far: its weights, and the buffers that belong to these weights."""

    score: float
    loss: float
    theta: Array
    buffers: Array
    epoch: int

    def is_beaten_by(self, score: float, loss: float) -> bool:
        """Return whether a score is higher, or equal at a lower loss.

        The accuracy on a few held-out rows is coarse, so many epochs have the best one.
        """
        return score > self.score or (score == self.score and loss < self.loss)


def progress_of(run: Run, step: int) -> Progress:
    """Return the progress of a run after `step` steps of its current epoch."""
    numbers: dict[str, float] = {
        "optimiser_step": run.state.step,
        "first_step": run.first_step,
        "stale": run.stale,
        "best_metric": run.best_metric,
        "least_loss": run.best_loss,
        "rate": run.rate,
        "loss_n": run.losses.n,
    }
    arrays = {"theta": run.network.theta}
    if run.network.buffers.size:
        arrays["buffers"] = run.network.buffers
    arrays |= {f"moment.{i}": moment for i, moment in enumerate(run.state.moments)}
    if run.average is not None:
        numbers["average_steps"] = run.average.steps
        arrays["average"] = run.average.sum
    if run.best is not None:
        best = run.best
        numbers |= {"best_score": best.score, "best_loss": best.loss, "best_epoch": best.epoch}
        arrays["best"] = best.theta
        if best.buffers.size:
            arrays["best_buffers"] = best.buffers
    host = {name: to_host(array) for name, array in arrays.items()}
    return Progress(run.epoch, step, run.losses.total, numbers, run.history, host)


def restore(run: Run, progress: Progress) -> None:
    """Bring a run that has not begun to the progress of a checkpoint."""
    numbers, network = progress.numbers, run.network
    arrays = {name: to_device(a, network.device) for name, a in progress.arrays.items()}
    network.theta[:] = arrays["theta"]
    network.buffers[:] = arrays.get("buffers", network.buffers)
    for i, moment in enumerate(run.state.moments):
        moment[:] = arrays[f"moment.{i}"]
    run.state.step = int(numbers["optimiser_step"])
    run.first_step = int(numbers["first_step"])
    run.stale = int(numbers["stale"])
    run.best_metric, run.best_loss = numbers["best_metric"], numbers["least_loss"]
    run.rate, run.history = numbers["rate"], progress.history
    if run.average is not None:
        run.average.steps = int(numbers["average_steps"])
        run.average.sum[:] = arrays["average"]
    if "best" in arrays:
        score, loss = numbers["best_score"], numbers["best_loss"]
        buffers = arrays.get("best_buffers", network.buffers.copy())
        run.best = Best(score, loss, arrays["best"], buffers, int(numbers["best_epoch"]))
