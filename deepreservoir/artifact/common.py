"""The common parts of the files of all estimators: parameters, names, tensors, sizes."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from .. import __version__
from ..container import ArtifactError, Contents
from ..document import checked, entries, names_of
from ..estimators.echo.base import BaseEchoState
from .values import plain, value_of

_DOCUMENT = {"estimator", "params", "fitted", "config", "scaffold", "versions"}
#: Optional entries of a document.
OPTIONAL = {
    "images",
    "long_table",
    "molecules",
    "outputs",
    "precision",
    "preprocessing",
    "reader",
    "table",
    "texts",
}


def versions() -> dict[str, str]:
    """Return the versions of the software that a model was made with."""
    packages = ("numpy", "scipy", "scikit-learn")
    first = {"deepreservoir": __version__, "python": platform.python_version()}
    return first | {name: version(name) for name in packages}


def common_of(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the common part of a model's document, and of its entry ``fitted``.

    The device is left out, since a file does not depend on one, and so are parameters whose values
    only `fit` reads.
    """
    left_out = {"device", *getattr(model, "unsaved_parameters", ())}
    values = {k: v for k, v in model.get_params(deep=False).items() if k not in left_out}
    params = {name: plain(value, name) for name, value in values.items()}
    # A model that could not be loaded is not saved. Its device may not be available here, nor the
    # files that a parameter of `fit` names.
    check_params(type(model)(**values, device="cpu"))
    names = getattr(model, "feature_names_in_", None)
    fitted = {
        "n_features": getattr(model, "n_features_in_", None),
        "feature_names": None if names is None else [str(name) for name in names],
    }
    document = {
        "estimator": type(model).__name__,
        "params": params,
        "fitted": fitted,
        "versions": versions(),
    }
    return document, fitted


def restore_common(
    cls: Any, document: dict[str, Any], class_types: dict[str, Any], device: str
) -> tuple[Any, dict[str, Any]]:
    """Return an estimator with its parameters, and the entry ``fitted`` of the document.

    Parameters
    ----------
    cls : type
    document : dict
    class_types : dict of str to type
        Entries of ``fitted``, and their types, that are specific to this class.
    device : str
    """
    if not set(document) - OPTIONAL == _DOCUMENT:
        raise ArtifactError(
            f"the document must have the entries {sorted(_DOCUMENT)}; got {sorted(document)}"
        )
    if not isinstance(document["params"], dict):
        raise ArtifactError("params must be an object with the parameters by name")
    known = set(cls().get_params(deep=False)) - {"device"}
    unknown = sorted(set(document["params"]) - known)
    if unknown:
        raise ArtifactError(
            f"{cls.__name__} has no parameter {unknown[0]!r:.60}; the file was written by a later "
            "version, or not by deepreservoir"
        )
    params = {name: value_of(value, name) for name, value in document["params"].items()}
    absent = getattr(cls, "absent_parameters", {})
    for name in sorted(known - params.keys()):
        if name not in absent:
            raise ArtifactError(f"the parameter {name!r} of {cls.__name__} is missing")
        params[name] = absent[name]
    for name, renamed in getattr(cls, "renamed_values", {}).items():
        value = params[name]
        params[name] = renamed.get(value, value) if isinstance(value, str) else value
    model = cls(**params, device=device)
    check_params(model)
    # Estimators of other samples than tables and series have no number of features.
    counted = int if isinstance(model, BaseEchoState) else (int, type(None))
    types = {"n_features": counted, "feature_names": (list, type(None)), **class_types}
    fitted = entries(document["fitted"], "fitted", types)
    names = names_of(fitted["feature_names"], "feature_names")
    if fitted["n_features"] is not None:
        model.n_features_in_ = fitted["n_features"]
        if model.n_features_in_ < 1:
            raise ArtifactError(f"a model has at least one feature; got {model.n_features_in_}")
    if names is not None:
        model.feature_names_in_ = names
        if len(names) != fitted["n_features"]:
            raise ArtifactError(f"{len(names)} names for {fitted['n_features']} features")
    return model, fitted


def check_params(model: Any) -> None:
    """Raise an ArtifactError for a parameter that `fit` would reject."""
    with checked("params"):
        if isinstance(model, BaseEchoState):
            model._check_params()
        else:
            model.check_params()


def check_tensors(
    contents: Contents,
    shapes: dict[str, tuple[int, ...]],
    dtypes: dict[str, tuple[str, ...]],
) -> None:
    """Raise an ArtifactError unless the tensors are those of `shapes`, and no others."""
    others = ("preprocessing.", "reader.", "target.")
    names = {name for name in contents.tensors if not name.startswith(others)}
    missing, extra = sorted(set(shapes) - names), sorted(names - set(shapes))
    if missing or extra:
        problem = f"no tensor {missing[0]!r}" if missing else f"an extra tensor {extra[0]!r}"
        raise ArtifactError(f"the file has {problem}; expected {', '.join(sorted(shapes))}"[:600])
    for name, shape in shapes.items():
        actual = contents.tensors[name].shape
        if actual != tuple(shape):
            raise ArtifactError(f"tensor {name!r} must have shape {tuple(shape)}; got {actual}")
        if contents.kept_as(name) not in dtypes[name]:
            raise ArtifactError(
                f"tensor {name!r} must be {' or '.join(dtypes[name])}; got {contents.kept_as(name)}"
            )


def check_bytes(needed: int, max_bytes: int, part: str) -> None:
    """Raise an ArtifactError if a model needs more bytes than are allowed."""
    if needed > max_bytes:
        raise ArtifactError(
            f"the model needs {needed:,} bytes for {part}; max_bytes allows {max_bytes:,}. "
            "Raise max_bytes for a file that you trust"
        )


def digest_differs(part: str, expected: str, actual: str) -> ArtifactError:
    """Return the error for frozen weights that differ from those of the saved model."""
    return ArtifactError(
        f"the frozen weights of {part} are not those of the saved model: expected digest "
        f"{expected:.64}, got {actual}. They were drawn by another version of deepreservoir, or "
        "with linear algebra whose last digits differ here"
    )
