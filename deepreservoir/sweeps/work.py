"""The work of a worker: execute runs from their specification and return their records."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import RLock
from typing import Any

import numpy as np

from ..backend import resolve_device
from ..datasets import load_dataset, read_table
from ..estimators import fit_many
from ..experiments.budget import given_epochs
from ..experiments.comparisons import arms, control_arms, graph_arms, text_arms
from ..experiments.comparisons.resources import measured
from ..experiments.comparisons.runner import checked_estimator
from ..experiments.comparisons.task import Interrupted, Record, Task
from ..thread_limits import limited
from .plain_data import canonical, plain
from .runs import SIDE_BY_SIDE, Job, Run
from .spec import Sweep, file_digest

_ALONE: dict[str, Callable[[Task, int], Record | None]] = {
    "full": arms.full,
    "random_features": arms.random_features,
    "echo_state": arms.echo_state,
    "linear": arms.linear,
    "label_propagation": graph_arms.label_propagation,
    "fingerprints": graph_arms.fingerprints,
    "trigram": text_arms.trigram,
    "behaviour_cloning": control_arms.behaviour_cloning,
}

_ONE_AT_A_TIME = RLock()


@dataclass(frozen=True)
class Assignment:
    """What is sent to a worker: a sweep, some of its runs and a device's name, as plain data."""

    sweep: str
    runs: Job
    device: str = "cpu"

    @staticmethod
    def of(sweep: Sweep, runs: Job, device: str = "cpu") -> Assignment:
        """Return the assignment of a group of runs; the worker resolves the device "auto"."""
        return Assignment(canonical(sweep.to_dict()), runs, device)

    def one_by_one(self) -> Iterator[Assignment]:
        """Yield one assignment per run."""
        for run in self.runs:
            yield replace(self, runs=(run,))


def work(assignment: Assignment) -> list[dict[str, Any]]:
    """Execute runs and return their records; the record of a failed run states the reason.

    Each run uses one BLAS thread, because the number of threads changes the last digits of matrix
    products, and records must not depend on the machine. Runs are executed one at a time, because
    the thread limit applies to the whole process and would be lifted when the first run ends.
    """
    with _ONE_AT_A_TIME, limited(1), given_epochs():
        task = replace(task_of(assignment.sweep), device=resolve_device(assignment.device))
        try:
            return _together(task, assignment.runs)
        except Exception as error:
            if len(assignment.runs) == 1:
                return [failed(assignment.runs[0], error)]
        # One run failed and ended the others; execute each of them alone.
        return [record for single in assignment.one_by_one() for record in work(single)]


class FileDiffers(ValueError):
    """A file that a sweep names is missing, or is another one than when it was declared."""


@lru_cache(maxsize=1)  # a worker executes many runs of one sweep
def task_of(sweep: str) -> Task:
    """Return the data set and the protocol of a sweep.

    Raises
    ------
    ValueError, OSError
        If the data set, or a file that a parameter names, is missing on this machine, or differs
        from that of the declaration.
    """
    spec = Sweep.from_dict(json.loads(sweep))
    for path, digest in spec.files:
        hint = "paths are relative to the folder that the sweep is started in"
        _check_file(path, digest, spec.name, hint)
    kind = None if spec.estimator is None else spec.estimator_class
    if spec.target is None:
        data = load_dataset(spec.dataset)
        return Task(data, spec.protocol, kind=checked_estimator(kind, data))
    hint = "all machines must have the file at the same path"
    _check_file(spec.dataset, spec.data_digest, spec.name, hint)
    try:
        data = read_table(spec.dataset, spec.target, **dict(spec.table))
    except ValueError as error:
        raise ValueError(
            f"{error}. In the declaration of a sweep, the options of a table are keys of [table], "
            f'such as missing = "impute"'
        ) from None
    return Task(data, spec.protocol, kind=checked_estimator(kind, data))


def _check_file(path: str, digest: str | None, name: str, hint: str) -> None:
    """Raise a FileDiffers unless a file is that of the declaration."""
    found = file_digest(path)
    if found is None:
        raise FileDiffers(f"{path}, which {name} names, does not exist; {hint}")
    if found != digest:
        raise FileDiffers(
            f"{path} differs from the file that {name} was declared with: all machines must have "
            "the same file, and it must not change while the sweep runs"
        )


def _together(task: Task, runs: Job) -> list[dict[str, Any]]:
    adapters = runs[0].arm in SIDE_BY_SIDE
    records = _adapters(task, runs) if adapters else [_alone(task, run) for run in runs]
    return [record | {"device": task.device} for record in records]


def _adapters(task: Task, runs: Job) -> list[dict[str, Any]]:
    """Train adapters side by side, and evaluate each with and without its scaffold."""
    models = [_model(task, run) for run in runs]
    X, y = task.data.X_train, task.data.y_train
    with measured() as cost:
        if len(models) > 1:
            fit_many(models, X, y)
        else:
            models[0].fit(X, y)
    cost.seconds /= len(models)
    if any(model.stop_reason_ == "interrupted" for model in models):
        raise Interrupted
    records = []
    for run, model in zip(runs, models, strict=True):
        results = list(arms.evaluate_adapter(task, model, run.value("rank"), run.seed, cost))
        if run.arm == "no_scaffold":
            results = [replace(results[0], arm="no_scaffold")]
        first, *afterwards = results
        record = described(run, first) | {"side_by_side": len(models)} | _learned(model)
        if afterwards:
            record["afterwards"] = {other.arm: other.score for other in afterwards}
        records.append(record)
    return records


def _model(task: Task, run: Run) -> Any:
    if run.arm == "no_scaffold":
        return arms.without_scaffold(task, run.seed, **dict(run.point))
    if run.arm == "full":
        return arms.fully_trained(task, run.seed, **dict(run.point))
    return task.estimator(run.seed, **dict(run.point))


def _learned(model: Any) -> dict[str, Any]:
    """Return the fields of a trained adapter that a report shows in addition to its score."""
    betas = [list(values.values()) for values in model.history_["beta"]]
    fields = {
        "epochs": model.n_iter_,
        "betas": model.betas_,
        "beta_medians": [float(np.median(np.abs(values))) if values else None for values in betas],
    }
    if "validation_score" in model.history_:
        fields["validation_score"] = max(model.history_["validation_score"])
    return fields


def _alone(task: Task, run: Run) -> dict[str, Any]:
    changed = replace(task, changes=tuple(pair for pair in run.point if pair[0] != "rank"))
    if run.arm == "equal_bytes":
        stored = arms.stored_bytes(changed, run.value("rank"))
        record = arms.equal_bytes(changed, run.value("rank", 0), run.seed, stored)
    else:
        stored = 0
        record = _ALONE[run.arm](changed, run.seed)
    if record is None:
        return described(run) | {"left_out": arms.LEFT_OUT[run.arm].format(stored)}
    return described(run, record)


def described(run: Run, record: Record | None = None) -> dict[str, Any]:
    """Return the identity of a run and, if it has one, its result, as plain data."""
    fields: dict[str, Any] = {
        "run": run.key,
        "arm": run.arm,
        "at": dict(run.point),
        "seed": run.seed,
    }
    if record is not None:
        fields |= {
            "score": record.score,
            "trained": record.trained,
            "stored_bytes": record.stored_bytes,
            "seconds": record.seconds,
            "peak_bytes": record.peak_bytes,
        }
    return plain(fields)


def failed(run: Run, error: BaseException) -> dict[str, Any]:
    """Return the record of a failed run: the exception and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    location = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return described(run) | {"error": f"{type(error).__name__}: {error}{location}"}


def check_points(sweep: Sweep, runs: Sequence[Run]) -> None:
    """Raise a ValueError for the first grid point that does not define a valid network."""
    if not runs:
        raise ValueError(
            f"{sweep.name}: no run of arms = {list(sweep.arms)} is possible on {sweep.dataset}; "
            "name others"
        )
    task = task_of(canonical(sweep.to_dict()))
    _check_classes(task)
    for run in runs:
        if run.arm not in ("adapter", "full", "no_scaffold"):
            continue
        try:
            model = _model(task, run)
            model.check_params()
            model.network_config(n_outputs=task.n_outputs, **task.sizes)
        except (TypeError, ValueError) as error:
            at = ", ".join(f"{name} = {value!r}" for name, value in run.point)
            place = f"{sweep.name}, at {at}" if at else sweep.name
            raise ValueError(f"{place}: {error}") from None


def _check_classes(task: Task) -> None:
    """Raise a ValueError if the protocol weights a class that the data set does not have."""
    weights = dict(task.protocol.others).get("class_weight")
    if not isinstance(weights, Mapping):
        return
    known = {str(label) for label in np.unique(task.data.y_train).tolist()}
    unknown = [str(label) for label in weights if str(label) not in known]
    if unknown:
        raise ValueError(
            f"class_weight has the class {unknown[0]!r}, but those of {task.data.name} are "
            f"{', '.join(sorted(known)[:10])}"
        )
