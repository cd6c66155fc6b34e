"""Parts of batches on the workers of a Dask cluster (the extra ``dask``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from uuid import uuid4

from ..clusters import (
    ClusterUnavailable,
    WorkerWatch,
    check_scheduler,
    check_versions,
    connected,
    connection_lost,
    version_problem,
)
from ..versions import versions
from .parts import PartGradient, PartsComputer, PartsTask, Work, grouped

#: How often the parts of one step are given to workers that do not know the training yet.
ATTEMPTS = 8


class ClusterExecutor:
    """Computes parts on the workers of a cluster, each of which draws the frozen weights itself.

    If a worker is lost, the cluster gives its parts to another one. Workers that join later are
    sent the training data when they first take part, and are refused if their versions differ.

    Parameters
    ----------
    work : Work
        With the digests of its scaffolds.
    scheduler : str
        Address of the scheduler.

    Raises
    ------
    ValueError
        If `scheduler` is not an address.
    ClusterUnavailable
        If there is no cluster, or a worker has other versions or draws other frozen weights.
    """

    def __init__(self, work: Work, scheduler: str) -> None:
        self.parts, self._work = work.parts, work
        self._token = uuid4().hex
        check_scheduler(scheduler)
        self._client = connected(scheduler)
        try:
            check_versions(self._client)
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Let all workers draw the frozen weights."""
        answers = self._client.run(_prepare, self._token, self._work, versions(), on_error="return")
        for worker, problem in answers.items():
            if problem is not None:
                raise ClusterUnavailable(f"the worker {worker} cannot take part: {problem}")
        self._n_workers = len(answers)

    def compute(self, task: PartsTask, count: int) -> Sequence[PartGradient]:
        """Return the gradients of the `count` parts of a step's batch, in their order.

        Raises
        ------
        ClusterUnavailable
            If the connection or all workers are lost.
        """
        groups = grouped(count, max(1, self._n_workers))
        found: dict[range, list[PartGradient]] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                self._prepare()
            missing = [chosen for chosen in groups if chosen not in found]
            found |= self._received(task, count, missing)
            if len(found) == len(groups):
                return [part for chosen in groups for part in found[chosen]]
        raise ClusterUnavailable(
            f"workers of the cluster were replaced {ATTEMPTS} times during one training step"
        )

    def _received(
        self, task: PartsTask, count: int, groups: Sequence[range]
    ) -> dict[range, list[PartGradient]]:
        """Return what has been computed by workers that know the training."""
        from distributed import CancelledError, KilledWorker

        futures = {
            chosen: self._client.submit(
                _compute,
                self._token,
                task,
                count,
                chosen,
                pure=False,  # otherwise the cluster might return the result of another step
            )
            for chosen in groups
        }
        found: dict[range, list[PartGradient]] = {}
        watch = WorkerWatch(self._client)
        try:
            for chosen, future in futures.items():
                parts = watch.result(future)
                if parts is not None:
                    found[chosen] = parts
        except KilledWorker as error:
            raise ClusterUnavailable(
                "every worker that computed a part of a training step was killed, possibly because "
                "memory was short; use a smaller batch_size or more parts"
            ) from error
        except CancelledError:
            raise connection_lost(self._client) from None
        finally:
            self._client.cancel([future for future in futures.values() if not future.done()])
        return found

    def close(self) -> None:
        """Let the workers forget the training, and disconnect."""
        try:
            if self._client.status == "running":
                self._client.run(_forget, self._token, on_error="ignore")
        finally:
            self._client.close()


# On the workers --------------------------------------------------------------------------

_computers: dict[str, PartsComputer] = {}
_one_at_a_time = Lock()


def _prepare(token: str, work: Work, expected: Mapping[str, str]) -> str | None:
    """Draw the frozen weights, unless that has been done; return why they cannot be used."""
    with _one_at_a_time:
        if token not in _computers:
            problem = version_problem(versions(), expected)
            if problem is not None:
                return f"it {problem}"
            try:
                _computers[token] = work.computer()
            except (ValueError, MemoryError) as error:
                return str(error) or repr(error)
        return None


def _compute(token: str, task: PartsTask, count: int, chosen: range) -> list[PartGradient] | None:
    """Return the chosen parts, or None on a worker that does not know the training."""
    with _one_at_a_time:
        computer = _computers.get(token)
        return None if computer is None else computer.compute_some(task, count, chosen)


def _forget(token: str) -> None:
    _computers.pop(token, None)
