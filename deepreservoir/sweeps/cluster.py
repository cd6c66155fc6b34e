"""Runs of a sweep on an existing Dask cluster (the extra ``dask``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..backend import cuda_problem
from ..experiments.comparisons.results import versions
from .work import Assignment, failed, work
from .workers import Executor, Records, WorkerKilled

# Longest wait for a scheduler's first answer.
_SECONDS = 5.0


class ClusterUnavailable(RuntimeError):
    """There is no cluster to make runs on; the message says what is missing."""


def dask_cluster(
    scheduler: str, make: Callable[[Assignment], Records] = work, device: str = "auto"
) -> Executor:
    """Return an executor of the workers of a Dask cluster.

    A specification travels to a worker, which draws the scaffold from its seed and loads the
    data set itself; its records come back. A worker that is lost costs the run that it was
    making, which the cluster makes again. A run that keeps killing workers is made once more
    when the others are done, and has failed if it does so again.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``"tcp://127.0.0.1:8786"``. Start workers with one thread each: a
        process makes one run at a time.
    make : callable
        What a worker does with an assignment.
    device : {"cpu", "cuda", "auto"}, default="auto"
        With ``"cuda"``, workers without a CUDA device are refused.

    Returns
    -------
    callable
        For the `executor` of :func:`run_sweep`.

    Raises
    ------
    ValueError
        If `scheduler` is no address.
    ClusterUnavailable
        If Dask is not installed here, no scheduler answers there, it has no workers, or a worker
        has other versions of what the records depend on, or lacks the device.

    Examples
    --------
    >>> from deepreservoir.sweeps import dask_cluster, run_sweep
    >>> run_sweep("ranks.toml", "out", executor=dask_cluster("tcp://10.0.0.1:8786"))
    ... # doctest: +SKIP
    """
    distributed = _distributed()
    _check_scheduler(scheduler)
    with distributed.Client(scheduler, timeout=_SECONDS) as client:
        _check_versions(client)
        if device == "cuda":
            _check_cuda(client)

    def execute(assignments: Sequence[Assignment]) -> Generator[Records]:
        with distributed.Client(scheduler, timeout=_SECONDS) as client:
            suspects: list[Assignment] = []
            for assignment, records in _received(client, make, assignments):
                if records is None:
                    suspects += assignment.one_by_one()
                else:
                    yield records
            # Some of them may only have waited on a worker that another killed.
            for suspect in suspects:
                for _, records in _received(client, make, [suspect]):
                    yield records or [failed(run, _KILLED) for run in suspect.runs]

    return execute


_KILLED = WorkerKilled("it killed every worker it was given to; were they out of memory?")


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ClusterUnavailable(
            "a cluster needs Dask: pip install 'deepreservoir[dask]'"
        ) from None
    return distributed


def _received(
    client: Any, make: Callable[[Assignment], Records], assignments: Sequence[Assignment]
) -> Generator[tuple[Assignment, Records | None]]:
    """Yield records as workers send them; None for runs that kept killing workers."""
    from distributed import CancelledError, KilledWorker, as_completed

    # Not pure: the cluster may remember what another client had from the same assignment.
    futures = {client.submit(make, each, pure=False): each for each in assignments}
    try:
        for future in as_completed(list(futures)):
            assignment = futures.pop(future)
            try:
                records = future.result()
            except KilledWorker:
                records = None
            except CancelledError:
                raise ClusterUnavailable(
                    f"the scheduler at {client.scheduler.address} was lost; what was recorded is "
                    "kept, and the sweep goes on when it is started again"
                ) from None
            yield assignment, records
    finally:
        client.cancel(list(futures))


def _check_scheduler(scheduler: str) -> None:
    """Ask who is there, and wait seconds for an answer and for workers."""
    from distributed import Security, rpc

    answered = False

    async def ask() -> None:
        nonlocal answered
        async with rpc(scheduler, connection_args=Security().get_connection_args("client")) as one:
            while not (await one.identity())["workers"]:  # they may just be starting
                answered = True
                await asyncio.sleep(0.1)

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a loop in this one
            thread.submit(asyncio.run, asyncio.wait_for(ask(), _SECONDS)).result()
    except OSError:  # a timeout too
        if answered:
            raise ClusterUnavailable(
                f"the scheduler at {scheduler} has no workers; start some with "
                f"`dask worker {scheduler} --nthreads 1`"
            ) from None
        raise ClusterUnavailable(
            f"no Dask scheduler answers at {scheduler} within {_SECONDS:g} seconds; start one with "
            "`dask scheduler`, or correct the address"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"scheduler must be an address such as tcp://127.0.0.1:8786; got {scheduler!r}: {error}"
        ) from None


def _check_cuda(client: Any) -> None:
    for worker, problem in client.run(cuda_problem, on_error="return").items():
        if problem is not None:
            raise ClusterUnavailable(
                f"device 'cuda' is not available on the worker {worker}: {problem}. Or use the "
                "device 'cpu'"
            )


def _check_versions(client: Any) -> None:
    """Refuse workers whose records would not be ours."""
    ours = versions()
    for worker, theirs in client.run(versions, on_error="return").items():
        if not isinstance(theirs, dict):
            raise ClusterUnavailable(f"the worker {worker} cannot make runs: {theirs!r}")
        for name in ours.keys() - {"python"}:
            if theirs.get(name) != ours[name]:
                raise ClusterUnavailable(
                    f"the worker {worker} has {name} {theirs.get(name)}, and here is {ours[name]}: "
                    "records would depend on where they were made; install one version everywhere"
                )
