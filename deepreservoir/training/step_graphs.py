"""Training steps as CUDA graphs: captured once per form of batch, and replayed.

Steps are captured if a training is on a device, nvmath-python is installed, a batch is not split
into parts, the scaffold does not change within an epoch, and the optimiser can tabulate what
changes between its steps (:class:`deepreservoir.optim.TabulatedOptimiser`).

- Where an index on the device is all that a batch needs, its rows are gathered inside the graph.
- Otherwise a batch is made outside, and copied to where the graph reads it. There is one graph for
  each form of batch: the shapes and types of its arrays, and all that is not an array.

If an operation cannot be captured, because it waits for the device or copies from the host (a loss
of the user's may), training continues without graphs. Results have the same bits with graphs and
without.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from ..kernels.graphs import Recorder, StepTape, graphs_available
from ..layers import Step
from ..optim import TabulatedOptimiser
from .batches import ShuffledBatches, TrainingBatch
from .staged_batch import form_of, refill, staged

if TYPE_CHECKING:
    from .run import Run

#: Steps of each form of batch that are run before one is captured: they compile kernels, fill
#: caches, and let the pool of memory grow.
WARM_UP = 3

#: Forms of batches whose graphs are kept; batches of further forms are run without a graph.
MAX_FORMS = 16


class _Captured(NamedTuple):
    """A captured step: how it is replayed, and the batch that it reads if that is not gathered."""

    replay: Callable[[], None]
    batch: TrainingBatch | None


class StepGraphs:
    """The captured steps of one training run.

    Parameters
    ----------
    run : Run
        For which :meth:`possible` is true.

    Attributes
    ----------
    problem : Exception or None
        Why a step could not be captured, if it was tried.
    replayed : int
        Number of steps that were replayed.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._batches = batches = cast(ShuffledBatches, run.batches)
        self._optimiser = cast(TabulatedOptimiser, run.optimiser)
        self.problem: Exception | None = None
        self.replayed = 0
        self.recorder = Recorder()
        n_scalars = len(self._optimiser.scalars(1, 0.0))
        self.tape = StepTape(
            batches.steps, batches.size, batches.n_samples, n_scalars, run.network.dtype
        )
        self._forget()

    @staticmethod
    def possible(run: Run) -> bool:
        """Return whether the steps of a run may be captured; the rule is that of this module."""
        return (
            run.network.device != "cpu"
            and type(run.batches) is ShuffledBatches
            and run.plan.parts == 1
            and (run.plan.resample is None or run.plan.resample.when == "epoch")
            and hasattr(run.optimiser, "scalars")
            and graphs_available()
        )

    def _forget(self) -> None:
        """Drop the graphs, which belong to one network."""
        self._network = self._run.network
        self._runs: dict[Hashable, int] = {}
        self._captured: dict[Hashable, _Captured] = {}
        self._n_of: dict[Hashable, float] = {}

    def begin_epoch(self) -> None:
        """Prepare an epoch of the run, after its batches and its network have been set."""
        run = self._run
        if run.network is not self._network:
            self._forget()
        first, numbers = run.epoch_key(run.epoch), range(self._batches.steps)
        table = [
            self._optimiser.scalars(index + 1, run.rate_at(index))
            for index in (first + number for number in numbers)
        ]
        self.tape.begin_epoch(self._batches.order_on_device, np.array(table, np.float64))

    def take(self, number: int) -> None:
        """Take step `number` of the epoch, as a graph if possible."""
        run, batches, index = self._run, self._batches, self._run.state.step
        batch: TrainingBatch | None = None
        form: Hashable = batches.size_of(number)
        if not batches.chosen_on_device:
            batch = batches.batch(number, index)
            form = form_of(batch)
        captured = self._capture_of(form, batch)
        if captured is None:
            if batch is None:
                batch = batches.batch(number, index)
            with self.recorder.own_memory():
                run.take(number, batch, Step(run.plan.seed, index))
            return
        if captured.batch is not None and batch is not None:
            refill(captured.batch, batch)
        self.tape.move_to(number, index)
        captured.replay()
        self.replayed += 1
        run.count_replayed(number, self._n_of[form])

    def _capture_of(self, form: Hashable, batch: TrainingBatch | None) -> _Captured | None:
        """Return the captured step for a form of batch, or None while there is none."""
        if form in self._captured:
            return self._captured[form]
        if form is None or self.problem is not None or len(self._captured) == MAX_FORMS:
            return None
        self._runs[form] = self._runs.get(form, 0) + 1
        if self._runs[form] <= WARM_UP:
            return None
        kept = None if batch is None else staged(batch)
        n = form if isinstance(form, int) else 0

        def work() -> None:
            rows, scalars = self.tape.begin_step(n)
            clock = self.tape.index
            chosen = self._batches.gathered(rows, clock) if kept is None else kept
            self._n_of[form] = chosen.target.n
            step = Step(self._run.plan.seed, clock)
            self.tape.end_step(self._run.change_arrays(chosen, step, scalars))

        try:
            replay = self.recorder.capture(work)
        except Exception as problem:  # whatever it is, steps still run without a graph
            self.problem = problem
            return None
        self._captured[form] = _Captured(replay, kept)
        return self._captured[form]

    def close(self) -> None:
        """Return the memory of the graphs."""
        self._forget()
        self.recorder.close()
