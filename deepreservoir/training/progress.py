"""What a checkpoint keeps of a training run, and how a run is brought back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backend import to_device, to_host
from .checkpoint import Progress
from .early_stopping import Best

if TYPE_CHECKING:
    from .run import Run


def progress_of(run: Run, step: int) -> Progress:
    """Return the progress of a run after `step` steps of its current epoch."""
    stopping = run.stopping
    numbers: dict[str, float] = {
        "optimiser_step": run.state.step,
        "first_step": run.first_step,
        "stale": stopping.stale,
        "best_metric": stopping.best_metric,
        "least_loss": stopping.best_loss,
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
    if stopping.best is not None:
        best = stopping.best
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
    stopping = run.stopping
    stopping.stale = int(numbers["stale"])
    stopping.best_metric, stopping.best_loss = numbers["best_metric"], numbers["least_loss"]
    run.rate, run.history = numbers["rate"], progress.history
    if run.average is not None:
        run.average.steps = int(numbers["average_steps"])
        run.average.sum[:] = arrays["average"]
    if "best" in arrays:
        score, loss = numbers["best_score"], numbers["best_loss"]
        buffers = arrays.get("best_buffers", network.buffers.copy())
        stopping.best = Best(score, loss, arrays["best"], buffers, int(numbers["best_epoch"]))
