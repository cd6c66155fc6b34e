"""run_sweep(): execute the runs of a declaration and record each when it ends."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..backend import is_device_name, resolve_device
from .plain_data import canonical
from .published import check_unit
from .runs import AT_A_TIME, Run, check_published, jobs_of, runs_of
from .spec import Sweep, read_sweep
from .store import Folder
from .work import Assignment, check_points, task_of
from .workers import CountedExecutor, Executor, here, processes


def run_sweep(
    sweep: Sweep | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    executor: Executor | None = None,
    device: str = "cpu",
    verbose: bool = False,
) -> Folder:
    """Run a sweep, or its remaining runs.

    The record of each run is added to the folder when the run ends. If a sweep was stopped,
    calling this function again continues it; runs that failed are retried once per call.

    Parameters
    ----------
    sweep : Sweep or path
        A declaration, or its TOML file; see :func:`read_sweep`.
    out : path
        Folder for the results.
    workers : int, default=1
        Number of processes on this machine. With one, runs are executed in this process.
    executor : callable, optional
        Executes the runs elsewhere, such as the result of
        :func:`deepreservoir.sweeps.dask_cluster`.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Where networks are trained. The device is not part of the declaration; each record names
        the device that was used. With an executor, each worker resolves ``"auto"`` itself.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    Folder

    Raises
    ------
    ValueError
        If the declaration is invalid, the folder belongs to another sweep, or the device is not
        available. It is raised before any run.
    OSError
        If a record cannot be written. Earlier records are kept.

    Warns
    -----
    UserWarning
        If records were made under other versions of the packages on which they depend, or a
        published figure in percent seems to be a fraction.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0,), quick, (("rank", (1, 2)),))
    >>> with TemporaryDirectory() as folder:
    ...     records = run_sweep(sweep, folder).records()
    >>> sorted({record["arm"] for record in records})[:3]
    ['adapter', 'echo_state', 'equal_bytes']
    """
    if not isinstance(sweep, Sweep):
        sweep = read_sweep(Path(sweep))
    if workers < 1:
        raise ValueError(f"workers must be at least 1; got {workers}")
    if not is_device_name(device):
        raise ValueError(f"device must be one of cpu, cuda, cuda:N, auto; got {device!r}")
    if executor is None:  # otherwise each worker resolves it
        device = resolve_device(device)
    runs = runs_of(sweep)
    check_published(sweep, runs)
    check_points(sweep, runs)
    data = task_of(canonical(sweep.to_dict())).data
    if sweep.published is not None:
        check_unit(sweep.name, sweep.published, data.scored_by)
    folder = Folder(out, sweep, data.task, data.scored_by)
    if executor is None:
        executor = here if workers == 1 else processes(workers)
    if isinstance(executor, CountedExecutor):
        workers = executor.n_workers
    with folder.writing():
        _run_remaining(sweep, runs, folder, executor, workers, device, verbose)
    return folder


def _run_remaining(
    sweep: Sweep,
    runs: list[Run],
    folder: Folder,
    executor: Executor,
    workers: int,
    device: str,
    verbose: bool,
) -> None:
    """Execute the runs that have no record, or whose record says that they failed."""
    done = {record["run"] for record in folder.records() if "error" not in record}
    remaining = [run for run in runs if run.key not in done]
    if remaining:
        folder.warn_of_other_versions()
    kind = sweep.estimator_class
    # No more runs side by side than leave work for every worker.
    at_a_time = min(AT_A_TIME, max(1, len(remaining) // workers))
    jobs = jobs_of(remaining, kind, at_a_time)
    assignments = [Assignment.of(sweep, job, device) for job in jobs]
    with (
        closing(executor(assignments)) as results,
        tqdm(
            initial=len(runs) - len(remaining), total=len(runs), unit="run", disable=not verbose
        ) as bar,
    ):
        for records in results:
            folder.append(records)
            bar.update(len(records))
            bar.set_postfix(_latest(records), refresh=False)


def _latest(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the progress bar shows of the run that has just ended."""
    last = records[-1]
    score = {"score": round(last["score"], 4)} if "score" in last else {}
    return {"arm": last["arm"]} | last["at"] | score | ({"failed": True} if "error" in last else {})
