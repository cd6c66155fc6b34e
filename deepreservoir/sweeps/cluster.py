"""Runs of a sweep on an existing Dask cluster (the extra ``dask``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..backend import cuda_problem, device_number
from ..experiments.comparisons.results import versions
from .work import Assignment, failed, work
from .workers import Executor, Records, WorkerKilled

# Time limit for the first response of a scheduler.
_SECONDS = 5.0


class ClusterUnavailable(RuntimeError):
    """There is no cluster to run on; the message says what is missing."""


def dask_cluster(
    scheduler: str, make: Callable[[Assignment], Records] = work, device: str = "auto"
) -> Executor:
    """Return an executor that runs assignments on the workers of a Dask cluster.

    A worker receives the specification of a run, loads the data set, draws the scaffold from its
    seed, and returns the record. If a worker is lost, the cluster repeats the run that the worker
    was executing. A run that repeatedly kills its workers is retried once after all other runs; if
    it kills a worker again, it is recorded as failed.

    Parameters
    ----------
    scheduler : str
        Address of the scheduler, such as ``"tcp://127.0.0.1:8786"``. Start the workers with one
        thread each, because a process executes one run at a time.
    make : callable
        Function that a worker applies to an assignment.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="auto"
        With ``"cuda"``, workers without a CUDA device are refused.

    Returns
    -------
    callable
        For the parameter `executor` of :func:`run_sweep`.

    Raises
    ------
    ValueError
        If `scheduler` is not an address.
    ClusterUnavailable
        If Dask is not installed, no scheduler responds, the scheduler has no workers, a worker has
        different versions of the packages on which records depend, or a worker lacks the device.

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
        if device not in ("cpu", "auto"):
            _check_cuda(client, device)

    def execute(assignments: Sequence[Assignment]) -> Generator[Records]:
        with distributed.Client(scheduler, timeout=_SECONDS) as client:
            suspects: list[Assignment] = []
            for assignment, records in _received(client, make, assignments):
                if records is None:
                    suspects += assignment.one_by_one()
                else:
                    yield records
            # Some of them may only have been queued on a worker that another run killed.
            for suspect in suspects:
                for _, records in _received(client, make, [suspect]):
                    yield records or [failed(run, _KILLED) for run in suspect.runs]

    return execute


_KILLED = WorkerKilled("the run killed every worker that executed it, possibly out of memory")


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ClusterUnavailable(
            "running on a cluster needs Dask: pip install 'deepreservoir[dask]'"
        ) from None
    return distributed


def _received(
    client: Any, make: Callable[[Assignment], Records], assignments: Sequence[Assignment]
) -> Generator[tuple[Assignment, Records | None]]:
    """Yield records as workers return them; None for runs that repeatedly killed workers."""
    from distributed import CancelledError, KilledWorker, as_completed

    # pure=False: otherwise the cluster might return another client's result for the assignment.
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
                    f"the connection to the scheduler at {client.scheduler.address} was lost; all "
                    "records are kept; start the sweep again to continue it"
                ) from None
            yield assignment, records
    finally:
        client.cancel(list(futures))


def _check_scheduler(scheduler: str) -> None:
    """Raise ClusterUnavailable unless the scheduler responds and has workers within the limit."""
    from distributed import Security, rpc

    responded = False

    async def wait_for_workers() -> None:
        nonlocal responded
        arguments = Security().get_connection_args("client")
        async with rpc(scheduler, connection_args=arguments) as connection:
            while not (await connection.identity())["workers"]:  # they may be starting up
                responded = True
                await asyncio.sleep(0.1)

    try:
        # In another thread, since a notebook already runs an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, asyncio.wait_for(wait_for_workers(), _SECONDS)).result()
    except OSError:  # includes timeouts
        if responded:
            raise ClusterUnavailable(
                f"the scheduler at {scheduler} has no workers; start some with "
                f"`dask worker {scheduler} --nthreads 1`"
            ) from None
        raise ClusterUnavailable(
            f"no Dask scheduler responded at {scheduler} within {_SECONDS:g} seconds; start one "
            "with `dask scheduler`, or correct the address"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"scheduler must be an address such as tcp://127.0.0.1:8786; got {scheduler!r}: {error}"
        ) from None


def _check_cuda(client: Any, device: str) -> None:
    number = device_number(device)
    for worker, problem in client.run(cuda_problem, number, on_error="return").items():
        if problem is not None:
            raise ClusterUnavailable(
                f"device {device!r} is not available on the worker {worker}: {problem}. Or use the "
                "device 'cpu'"
            )


def _check_versions(client: Any) -> None:
    """Refuse workers whose package versions would change the records."""
    local_versions = versions()
    for worker, worker_versions in client.run(versions, on_error="return").items():
        if not isinstance(worker_versions, dict):
            raise ClusterUnavailable(
                f"the worker {worker} cannot execute runs: {worker_versions!r}"
            )
        for name in sorted((local_versions.keys() | worker_versions.keys()) - {"python"}):
            own, other = (v.get(name, "not at all") for v in (local_versions, worker_versions))
            if other != own:
                raise ClusterUnavailable(
                    f"the worker {worker} has {name} {other}, this machine has "
                    f"{own}: records would depend on the worker; install the same "
                    "version on all machines"
                )
