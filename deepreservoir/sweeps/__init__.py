"""Sweeps: a grid of runs as a file, on this machine's cores or a cluster, with their controls."""

from .cluster import ClusterUnavailable, dask_cluster
from .page import save_report
from .published import Figure, Published
from .runs import Run, jobs_of, runs_of
from .spec import Sweep, read_sweep
from .store import Folder
from .summary import Beside, Row, beside, beside_table, summary, summary_table
from .sweep import run_sweep
from .workers import WorkerKilled

__all__ = [
    "Beside",
    "ClusterUnavailable",
    "Figure",
    "Folder",
    "Published",
    "Row",
    "Run",
    "Sweep",
    "WorkerKilled",
    "beside",
    "beside_table",
    "dask_cluster",
    "jobs_of",
    "read_sweep",
    "run_sweep",
    "runs_of",
    "save_report",
    "summary",
    "summary_table",
]
