"""run_sweep(): every run of a declaration, each recorded as it ends."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..backend import DEVICES, resolve_device
from .plain_data import canonical
from .runs import Run, check_published, jobs_of, runs_of
from .spec import Sweep, read_sweep
from .store import Folder
from .work import Assignment, check_points, task_of
from .workers import Executor, here, processes


def run_sweep(
    sweep: Sweep | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    executor: Executor | None = None,
    device: str = "cpu",
    verbose: bool = False,
) -> Folder:
    """Run a sweep, or what is left of it.

    Every run's record is added to the folder as the run ends. Stopped and started again, a sweep
    goes on where it was; runs that failed are tried once more.

    Parameters
    ----------
    sweep : Sweep or path
        A declaration, or the TOML file of one; see :func:`read_sweep`.
    out : path
        Folder of the results.
    workers : int, default=1
        Processes on this machine. With one, runs are made in this process.
    executor : callable, optional
        Where runs are made instead: :func:`deepreservoir.sweeps.dask_cluster`, say.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where networks are trained. It is no part of the declaration, and is written into each
        record. With an executor, ``"auto"`` is decided by each worker.
    verbose : bool, default=False
        Show a bar.

    Returns
    -------
    Folder

    Raises
    ------
    ValueError
        For a declaration that is wrong, a folder of another sweep, or a device that is not
        there; before any run.
    OSError
        If a record cannot be written. Those before it are kept.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> sweep = Sweep("ranks", "digits", None, None, (0,), quick, (("rank", (1, 2)),))
    >>> with TemporaryDirectory() as folder:
    ...     records = run_sweep(sweep, folder).records()
    >>> sorted({record["arm"] for record in records})[:3]
    ['adapter', 'echo_state', 'equal_bytes']
    """
    if not isinstance(sweep, Sweep):
        sweep = read_sweep(Path(sweep))
    if workers < 1:
        raise ValueError(f"workers must be at least 1; got {workers}")
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}; got {device!r}")
    if executor is None:  # else it is the workers' device
        device = resolve_device(device)
    runs = runs_of(sweep)
    check_published(sweep, runs)
    check_points(sweep, runs)
    folder = Folder(out, sweep, task_of(canonical(sweep.to_dict())).data.task)
    if executor is None:
        executor = here if workers == 1 else processes(workers)
    with folder.writing():
        _go_on(sweep, runs, folder, executor, device, verbose)
    return folder


def _go_on(
    sweep: Sweep, runs: list[Run], folder: Folder, executor: Executor, device: str, verbose: bool
) -> None:
    """Make the runs that have no record, or one that says that they failed."""
    done = {record["run"] for record in folder.records() if "error" not in record}
    left = [run for run in runs if run.key not in done]
    kind = sweep.estimator_class
    assignments = [Assignment.of(sweep, job, device) for job in jobs_of(left, kind)]
    with (
        closing(executor(assignments)) as made,
        tqdm(
            initial=len(runs) - len(left), total=len(runs), unit="run", disable=not verbose
        ) as bar,
    ):
        for records in made:
            folder.append(records)
            bar.update(len(records))
            bar.set_postfix(_latest(records), refresh=False)


def _latest(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the bar shows of the run that has just ended."""
    last = records[-1]
    shown = {"score": round(last["score"], 4)} if "score" in last else {}
    return {"arm": last["arm"]} | last["at"] | shown | ({"failed": True} if "error" in last else {})
