"""The results of a comparison: records, their summary, and the file that stores them."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from threadpoolctl import threadpool_info

from ...files import write_whole
from ...versions import versions
from .arms import ALL_ARMS
from .protocol import Protocol
from .task import Record

#: Names of the metrics, in whose unit scores are shown: percent, except for R^2, nats and squared
#: errors. Higher is better in all of them.
METRICS = {
    "accuracy": "accuracy %",
    "roc_auc": "ROC AUC %",
    "r2": "R²",
    "nats": "minus nats per token",
    "mse": "minus mean squared error",
}


def default_metric(task: str) -> str:
    """Return the metric of a task whose data set names none."""
    return "accuracy" if task == "classification" else "r2"


@dataclass(frozen=True)
class Summary:
    """One row of a table: an arm at one rank, summarised over seeds.

    Attributes
    ----------
    arm : str
        An element of ``deepreservoir.experiments.ALL_ARMS``.
    rank : int or None
        None for arms without a rank.
    runs : int
        Number of runs, which is the number of seeds if the comparison is complete.
    mean, spread : float
        Mean and standard deviation of the scores over seeds, on held-out samples and in the metric
        of the comparison. The standard deviation of one run is 0.
    trained, stored_bytes : int
        Number of trained parameters and stored size of the model, as in :class:`Record`.
    seconds : float
        Mean training time.
    peak_bytes : int or None
        Largest peak of memory of all runs; None if it was not measured.

    Examples
    --------
    >>> from deepreservoir.experiments import Comparison, Protocol, Record
    >>> runs = (
    ...     Record("adapter", 4, seed=0, score=0.94, trained=4492, stored_bytes=17976, seconds=0.3,
    ...            peak_bytes=None),
    ...     Record("adapter", 4, seed=1, score=0.96, trained=4492, stored_bytes=17976, seconds=0.5,
    ...            peak_bytes=None),
    ... )
    >>> date = "2026-01-31T12:00:00+00:00"
    >>> comparison = Comparison("digits", "classification", Protocol(), (4,), (0, 1), runs, date)
    >>> (row,) = comparison.summary()
    >>> row.arm, row.rank, row.runs, round(row.mean, 3), round(row.spread, 4), row.seconds
    ('adapter', 4, 2, 0.95, 0.0141, 0.4)
    """

    arm: str
    rank: int | None
    runs: int
    mean: float
    spread: float  # standard deviation over seeds; 0 for one run
    trained: int
    stored_bytes: int
    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Comparison:
    """All runs of one comparison.

    Attributes
    ----------
    dataset : str
    task : {"classification", "regression", "language", "control"}
    protocol : Protocol
    ranks, seeds : tuple of int
    records : tuple of Record
    date : str
        Start of the comparison, ISO 8601, UTC.
    complete : bool
        False if the comparison was interrupted.
    notes : tuple of str
        Which arms were left out, and why.
    metric : {"accuracy", "r2", "roc_auc", "nats", "mse"}
        What the scores are; by default accuracy, or R^2 for a regression.
    n_held_out : int or None
        Number of samples that the scores are computed on; None for language models and
        trajectories.
    constant_score : float or None
        The score of always predicting the most frequent class, or the mean, of the training
        samples; None for language models and trajectories.

    Examples
    --------
    >>> from deepreservoir import compare
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(32,), max_iter=2)
    >>> result = compare("digits", ranks=(2,), seeds=2, arms=("adapter",), protocol=quick)
    >>> result.metric, result.complete, [(record.arm, record.seed) for record in result.records]
    ('accuracy', True, [('adapter', 0), ('adapter', 1)])
    """

    dataset: str
    task: str
    protocol: Protocol
    ranks: tuple[int, ...]
    seeds: tuple[int, ...]
    records: tuple[Record, ...]
    date: str
    complete: bool = True
    notes: tuple[str, ...] = ()
    metric: str = ""
    n_held_out: int | None = None
    constant_score: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", self.metric or default_metric(self.task))

    def summary(self) -> list[Summary]:
        """Return the mean and the standard deviation over seeds for each arm and rank."""
        keys = {(record.arm, record.rank) for record in self.records}
        ordered = sorted(keys, key=lambda key: (ALL_ARMS.index(key[0]), key[1] or 0))
        return [_summarise([r for r in self.records if (r.arm, r.rank) == key]) for key in ordered]

    def save(self, folder: str | Path) -> Path:
        """Write results.json into `folder` atomically and return its path."""
        document = {
            "dataset": self.dataset,
            "task": self.task,
            "metric": self.metric,
            "complete": self.complete,
            "date": self.date,
            "machine": machine(),
            "versions": versions(),
            "ranks": self.ranks,
            "seeds": self.seeds,
            "protocol": self.protocol.to_plain(),
            "notes": self.notes,
            "n_held_out": self.n_held_out,
            "constant_score": self.constant_score,
            "summary": [asdict(row) for row in self.summary()],
            "records": [asdict(record) for record in self.records],
        }
        path = Path(folder) / "results.json"
        write_atomically(path, json.dumps(finite(document), indent=1, allow_nan=False) + "\n")
        return path


def finite(value: Any) -> Any:
    """Return plain data with None in place of NaN and infinity, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _summarise(records: Sequence[Record]) -> Summary:
    scores = [record.score for record in records]
    peaks = [record.peak_bytes for record in records if record.peak_bytes is not None]
    first = records[0]
    return Summary(
        first.arm,
        first.rank,
        len(records),
        fmean(scores),
        stdev(scores) if len(scores) > 1 else 0.0,
        first.trained,
        first.stored_bytes,
        fmean(record.seconds for record in records),
        max(peaks, default=None),
    )


def now() -> str:
    """Return the current time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def machine() -> dict[str, Any]:
    """Return the properties of this machine that affect timings: processor, cores and BLAS."""
    blas = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "blas": sorted(
            {
                f"{b['internal_api']} {b['version']} ({b.get('architecture')}, "
                f"{b['num_threads']} threads)"
                for b in blas
            }
        ),
    }


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file atomically; its folder is created if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.encode() if isinstance(content, str) else content)


def merge_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the notes in order, without duplicates."""
    return tuple(dict.fromkeys(notes))
