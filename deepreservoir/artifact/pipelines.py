"""Conversion of a pipeline's steps before its estimator to the contents of a file, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ..container import ArtifactError
from ..document import entries, names_of

_STEP = {
    "name": str,
    "class": str,
    "with_mean": bool,
    "with_std": bool,
    "n_samples": int,
    "n_features": int,
    "feature_names": (list, type(None)),
}
_STATISTICS = ("mean", "var", "scale")


def _passes(step: Any) -> bool:
    return step is None or step == "passthrough"


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
        If a step is not a StandardScaler.
    """
    if not isinstance(model, Pipeline):
        return model, [], {}
    steps: list[dict[str, Any]] = []
    tensors: dict[str, np.ndarray] = {}
    for name, step in model.steps[:-1]:
        if _passes(step):
            continue
        if type(step) is not StandardScaler:
            raise ArtifactError(
                f"step {name!r} of the pipeline is a {type(step).__name__}; only StandardScaler "
                "can be saved. Apply other steps beforehand, and save the rest"
            )
        check_is_fitted(step)
        if np.ndim(step.n_samples_seen_):
            raise ArtifactError(
                f"step {name!r} was fitted on missing values; impute them before fitting"
            )
        names = getattr(step, "feature_names_in_", None)
        for statistic in _STATISTICS:
            values = getattr(step, f"{statistic}_")
            if values is not None:
                tensors[f"preprocessing.{len(steps)}.{statistic}"] = np.asarray(values, np.float64)
        steps.append(
            {
                "name": name,
                "class": "StandardScaler",
                "with_mean": bool(step.with_mean),
                "with_std": bool(step.with_std),
                "n_samples": int(step.n_samples_seen_),
                "n_features": int(step.n_features_in_),
                "feature_names": None if names is None else [str(n) for n in names],
            }
        )
    return model.steps[-1][1], steps, tensors


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
    name = outer["estimator"]
    unused = {tensor for tensor in tensors if tensor.startswith("preprocessing.")}
    steps: list[tuple[str, Any]] = []
    for i, step in enumerate(outer["steps"]):
        fields = entries(step, f"preprocessing, step {i}", _STEP)
        if fields["class"] != "StandardScaler":
            raise ArtifactError(f"a step must be a StandardScaler; got {fields['class']!r:.40}")
        scaler = StandardScaler(with_mean=fields["with_mean"], with_std=fields["with_std"])
        scaler.n_samples_seen_ = fields["n_samples"]
        scaler.n_features_in_ = fields["n_features"]
        names = names_of(fields["feature_names"], "feature_names")
        if names is not None:
            scaler.feature_names_in_ = names
        for statistic in _STATISTICS:
            tensor = f"preprocessing.{i}.{statistic}"
            needed = fields["with_std"] or (statistic == "mean" and fields["with_mean"])
            values = tensors.get(tensor)
            if needed != (values is not None):
                raise ArtifactError(f"tensor {tensor!r} is missing, or should not be there")
            if values is not None and values.shape != (fields["n_features"],):
                raise ArtifactError(
                    f"tensor {tensor!r} must have shape ({fields['n_features']},); got "
                    f"{values.shape}"
                )
            setattr(scaler, f"{statistic}_", values)
            unused.discard(tensor)
        if fields["n_features"] != estimator.n_features_in_ or fields["n_samples"] < 1:
            raise ArtifactError(
                f"step {fields['name']!r} is for {fields['n_features']} features, but the model "
                f"for {estimator.n_features_in_}"
            )
        steps.append((fields["name"], scaler))
    if unused:
        raise ArtifactError(f"the file has an extra tensor {min(unused)!r}")
    if len({*(step for step, _ in steps), name}) != len(steps) + 1:
        raise ArtifactError("steps of a pipeline must have different names")
    return Pipeline([*steps, (name, estimator)])
