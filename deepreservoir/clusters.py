"""Connections to an existing Dask cluster (the extra ``dask``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .versions import differing, versions

# Time limit for the first response of a scheduler.
_SECONDS = 5.0

#: Seconds without any worker after which the wait for results ends.
PATIENCE = 60.0

#: Seconds between looks for workers.
LOOK_EVERY = 1.0


class ClusterUnavailable(RuntimeError):
    """There is no cluster to run on; the message says what is missing."""


def connected(scheduler: str) -> Any:
    """Return a client of the scheduler at an address, which closes at the end of a with block.

    Raises
    ------
    ClusterUnavailable
        If Dask is not installed.
    """
    return _distributed().Client(scheduler, timeout=_SECONDS)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ClusterUnavailable(
            "running on a cluster needs Dask: pip install 'deepreservoir[dask]'"
        ) from None
    return distributed


def check_scheduler(scheduler: str) -> None:
    """Raise unless the scheduler at an address responds, and has workers, within five seconds.

    Raises
    ------
    ValueError
        If `scheduler` is not an address.
    ClusterUnavailable
        If Dask is not installed, no scheduler responds, or the scheduler has no workers.
    """
    distributed = _distributed()
    responded = False

    async def wait_for_workers() -> None:
        nonlocal responded
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(scheduler, connection_args=arguments) as connection:
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


def check_versions(client: Any) -> None:
    """Refuse workers whose package versions would change results.

    Raises
    ------
    ClusterUnavailable
        If a worker has other versions than this process, or lacks the package.
    """
    expected = versions()
    for worker, found in client.run(versions, on_error="return").items():
        if not isinstance(found, dict):
            raise ClusterUnavailable(f"the worker {worker} cannot be used: {found!r}")
        if (problem := version_problem(found, expected)) is not None:
            raise ClusterUnavailable(f"the worker {worker} {problem}")


def version_problem(found: Mapping[str, str], expected: Mapping[str, str]) -> str | None:
    """Return what a worker's package versions would change, or None if they change no result.

    A worker may join the cluster after :func:`check_versions`, so it compares its own versions with
    those of the client once more before it works for it.

    Parameters
    ----------
    found, expected : mapping of str to str
        Versions of the worker and of the client, as :func:`~deepreservoir.versions.versions`
        returns them.

    Returns
    -------
    str or None
        The rest of a sentence that begins with the worker.
    """
    name, other, own = next(differing(found, expected), (None, None, None))
    if name is None:
        return None
    theirs = f"lacks {name}" if other is None else f"has {name} {other}"
    ours = "lacks it" if own is None else f"has {own}"
    return (
        f"{theirs}, this machine {ours}: results would depend on the worker. Install the same "
        "version on all machines"
    )


class WorkerWatch:
    """Ends the wait for the results of a cluster that has had no worker for some time.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._without_since: float | None = None
        self._looked = -LOOK_EVERY

    def result(self, future: Any) -> Any:
        """Return the result of a future, which the cluster computes again if its worker is lost.

        Raises
        ------
        ClusterUnavailable
            As :meth:`check`.
        """
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:
                if future.status == "error":  # of the worker
                    raise
                self.check()

    def check(self) -> None:
        """Raise if there has been no worker for :data:`PATIENCE` seconds, as this has seen.

        The scheduler is asked at most every :data:`LOOK_EVERY` seconds.

        Raises
        ------
        ClusterUnavailable
            If there has been no worker for so long, or the connection to the scheduler is lost.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        try:
            found = self._client.status == "running" and self._client.nthreads()
        except OSError:
            raise connection_lost(self._client) from None
        if found:
            self._without_since = None
        elif self._without_since is None:
            self._without_since = now
        elif now - self._without_since > PATIENCE:
            raise ClusterUnavailable(f"the cluster has had no worker for {PATIENCE:g} seconds")


def connection_lost(client: Any) -> ClusterUnavailable:
    """Return the error of a client that has lost its scheduler."""
    return ClusterUnavailable(
        f"the connection to the scheduler at {client.scheduler.address} was lost"
    )
