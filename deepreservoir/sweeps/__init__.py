"""Sweeps: grids of runs with their controls, declared in a file, on one machine or a cluster."""

from ..clusters import ClusterUnavailable
from .cluster import dask_cluster
from .published import Figure, Published
from .runs import Run, jobs_of, runs_of
from .spec import Sweep, read_sweep
from .store import Folder
from .sweep import run_sweep
from .workers import WorkerKilled

__all__ = [
    "ClusterUnavailable",
    "Figure",
    "Folder",
    "Published",
    "Run",
    "Sweep",
    "WorkerKilled",
    "dask_cluster",
    "jobs_of",
    "read_sweep",
    "run_sweep",
    "runs_of",
]
