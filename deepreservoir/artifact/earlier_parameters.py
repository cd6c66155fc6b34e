"""Parameters that have been changed since the fit, as a file keeps them beside the current ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..container import ArtifactError
from ..estimators import DeepEstimator
from .values import plain, value_of


def earlier_of(model: DeepEstimator) -> dict[str, Any]:
    """Return the entries of ``fitted`` for parameters whose value at the fit still matters.

    Predicted probabilities depend on the label smoothing of the fit, and training that continues
    refuses other parameters than those that the reader was made with.
    """
    found: dict[str, Any] = {}
    smoothing = getattr(model._targets, "label_smoothing", None)
    if smoothing is not None and smoothing != model.label_smoothing:
        found["label_smoothing"] = float(smoothing)
    saved = [name for name in model.reader_parameters if name not in model.unsaved_parameters]
    changed = [name for name in saved if not model._reads_alike(name, getattr(model, name))]
    if changed:
        found["read_with"] = {name: plain(model._read_with[name], name) for name in changed}
    return found


def types_of_earlier(saved: Mapping[str, Any], targets: Any) -> dict[str, Any]:
    """Return the types of those of these entries that a file has.

    Parameters
    ----------
    saved : mapping
        The entry ``fitted`` of its document.
    targets : Targets
        Of the estimator's kind, to tell whether they have a label smoothing.
    """
    types: dict[str, Any] = {}
    if "label_smoothing" in saved and "label_smoothing" in targets.parameters:
        types["label_smoothing"] = float
    if "read_with" in saved:
        types["read_with"] = dict
    return types


def restore_earlier(model: Any, fitted: Mapping[str, Any]) -> None:
    """Set what the entries say, in a model that has its reader and its targets.

    Raises
    ------
    ArtifactError
        If an entry is out of range, or names a parameter with which no reader is made.
    """
    for name, value in fitted.get("read_with", {}).items():
        if name not in model.reader_parameters:
            raise ArtifactError(f"read_with names {name!r:.60}, with which no reader is made")
        model._read_with[name] = value_of(value, name)
    if "label_smoothing" in fitted:
        smoothing = fitted["label_smoothing"]
        if not 0 <= smoothing < 1:
            raise ArtifactError(
                f"label_smoothing must be at least 0 and less than 1; got {smoothing!r}"
            )
        model._targets.label_smoothing = smoothing
