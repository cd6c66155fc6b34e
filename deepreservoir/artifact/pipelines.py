"""Conversion of a pipeline's steps before its estimator to the contents of a file, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ..container import ArtifactError
from ..document import entries
from .transformers import State
from .transformers.columns import check_width, pack_steps, unpack_steps

# In files of version 0.1.0, all steps are StandardScalers, with these entries.
_STANDARD_0_1_0 = {
    "name": str,
    "class": str,
    "with_mean": bool,
    "with_std": bool,
    "n_samples": int,
    "n_features": int,
    "feature_names": (list, type(None)),
}


def steps_of(model: Any) -> tuple[Any, list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return the estimator at the end of a pipeline, and the steps before it.

    A model that is not a pipeline has no steps.

    Returns
    -------
    estimator : estimator
    steps : list of dict
    tensors : dict of str to ndarray

    Raises
    ------
    ArtifactError
        If a step is of a class that is not registered, or contains what only a pickle can store.
    """
    if not isinstance(model, Pipeline):
        return model, [], {}
    state = pack_steps(model.steps[:-1], "")
    tensors = {f"preprocessing.{name}": array for name, array in state.arrays.items()}
    return model.steps[-1][1], state.values["steps"], tensors


def pipeline_of(estimator: Any, data: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Return the pipeline with the steps in `data` and the estimator at its end.

    Parameters
    ----------
    estimator : estimator
    data : dict
        The ``steps``, and the name of the ``estimator`` step.
    tensors : dict of str to ndarray
        All tensors of the file.

    Raises
    ------
    ArtifactError
        If the data do not describe such steps.
    """
    outer = entries(data, "preprocessing", {"steps": list, "estimator": str})
    state = State({}, State({}, tensors).under("preprocessing"))
    steps = unpack_steps([_upgraded(step) for step in outer["steps"]], state, "")
    fitted = [step for _, step in steps if step != "passthrough"]
    if fitted:
        check_width(fitted[-1], estimator, "the model")
    numbers = {str(i) for i in range(len(steps))}
    for name in sorted(state.arrays):
        if name.partition(".")[0] not in numbers:
            raise ArtifactError(f"the file has an extra tensor {'preprocessing.' + name!r}")
    name = outer["estimator"]
    if name in dict(steps):
        raise ArtifactError("steps of a pipeline must have different names")
    return Pipeline([*steps, (name, estimator)])


def _upgraded(step: Any) -> Any:
    """Return a step in the present form, if it has that of version 0.1.0."""
    if not isinstance(step, dict) or "with_mean" not in step:
        return step
    fields = entries(step, "a StandardScaler of version 0.1.0", _STANDARD_0_1_0)
    params = {name: fields[name] for name in ("with_mean", "with_std") if not fields[name]}
    return {
        "name": fields["name"],
        "class": "StandardScaler",
        "params": params,
        "n_features": fields["n_features"],
        "feature_names": fields["feature_names"],
        "output": None,
        "fitted": {"n_samples": fields["n_samples"]},
    }
