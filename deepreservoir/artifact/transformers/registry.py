"""Transformers by the name of their class, with the conversion of each to plain data and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...checks import is_same_class
from ...container import ArtifactError
from ...document import checked, entries, names_of
from .values import plain_parameter, value_of_parameter

_ENTRIES = {
    "class": str,
    "params": dict,
    "n_features": (int, type(None)),
    "feature_names": (list, type(None)),
    "output": (str, type(None)),
    "fitted": dict,
}
_OUTPUTS = ("default", "pandas", "polars")
#: Maximum number of features of a transformer, unless it has an array of that size.
MAX_FEATURES = 1 << 20


@dataclass
class State:
    """What a transformer learned in ``fit``, as plain data.

    Attributes
    ----------
    values : dict of str to object
        JSON data: dictionaries with string keys, lists, strings, finite numbers, booleans, None.
    arrays : dict of str to ndarray
        Arrays of float32 or float64 with finite values.

    Examples
    --------
    >>> State({"n_samples": 90}, {"mean": np.zeros(3)}).values
    {'n_samples': 90}
    """

    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def entries(self, types: dict[str, Any]) -> dict[str, Any]:
        """Return `values` after checking that it has exactly these entries and types.

        Raises
        ------
        ArtifactError
        """
        return entries(self.values, "fitted", types)

    def array(self, name: str, *shape: int) -> np.ndarray:
        """Return an array after checking that it is there, and its shape.

        Raises
        ------
        ArtifactError
        """
        if name not in self.arrays:
            raise ArtifactError(f"tensor {name!r} is missing")
        if self.arrays[name].shape != shape:
            raise ArtifactError(
                f"tensor {name!r} must have shape {shape}; got {self.arrays[name].shape}"
            )
        return self.arrays[name]

    def under(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of a part, whose names begin with `name` and a dot, without these."""
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def add_under(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Add the arrays of a part."""
        self.arrays.update({f"{name}.{key}": array for key, array in arrays.items()})


@dataclass(frozen=True)
class _Format:
    cls: type
    pack: Callable[[Any], State]
    unpack: Callable[[Any, State], None]
    children: Mapping[str, Any]


#: Registered transformers by the name of their class.
TRANSFORMERS: dict[str, _Format] = {}


def register_transformer(
    cls: type,
    pack: Callable[[Any], State],
    unpack: Callable[[Any, State], None],
    *,
    children: Mapping[str, Any] | None = None,
) -> None:
    """Register a transformer, so that :func:`save` takes pipelines that contain it.

    A file names the class, and loading never imports anything: the module that registers the
    transformer has to be imported first.

    The parameters of the transformer are saved as well, and need no code: those that differ from
    their defaults, which must be numbers, strings, dtypes, None, or lists, tuples and dictionaries
    of them. So are ``n_features_in_``, ``feature_names_in_`` and the choice of ``set_output``.

    Parameters
    ----------
    cls : type
        A transformer class of scikit-learn, or your own.
    pack : callable
        ``pack(transformer)`` returns the :class:`State` of a fitted transformer.
    unpack : callable
        ``unpack(transformer, state)`` sets the fitted attributes of a new transformer, which has
        its parameters, ``n_features_in_`` and ``feature_names_in_`` already. The state comes from
        a file, so check it: `State.entries` and `State.array` do. After `unpack`, `pack` must
        return the same state; a file for which it does not is refused.
    children : mapping of str to object, optional
        Parameters that are not saved, because `pack` and `unpack` take care of them, as of those
        that contain other transformers; each with the value that `unpack` finds in its place.

    Raises
    ------
    ValueError
        If another class is registered under the name.

    Examples
    --------
    >>> from sklearn.preprocessing import MaxAbsScaler
    >>> from deepreservoir.artifact.transformers import State, register_transformer
    >>> def pack(scaler):
    ...     arrays = {"max_abs": scaler.max_abs_, "scale": scaler.scale_}
    ...     return State({"n_samples": int(scaler.n_samples_seen_)}, arrays)
    >>> def unpack(scaler, state):
    ...     scaler.n_samples_seen_ = state.entries({"n_samples": int})["n_samples"]
    ...     scaler.max_abs_ = state.array("max_abs", scaler.n_features_in_)
    ...     scaler.scale_ = state.array("scale", scaler.n_features_in_)
    >>> register_transformer(MaxAbsScaler, pack, unpack)
    """
    known = TRANSFORMERS.get(cls.__name__)
    if known is not None and not is_same_class(known.cls, cls):
        raise ValueError(
            f"a transformer {cls.__name__!r} is already registered, "
            f"{known.cls.__module__}.{known.cls.__qualname__}; give the new one another name"
        )
    TRANSFORMERS[cls.__name__] = _Format(cls, pack, unpack, dict(children or {}))


def pack_transformer(transformer: Any, label: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a fitted transformer as JSON data and arrays.

    Parameters
    ----------
    transformer : transformer
    label : str
        Name of the transformer in error messages.

    Raises
    ------
    ArtifactError
        If its class is not registered, or if a parameter or a fitted attribute cannot be saved.
    NotFittedError
        If it is not fitted.
    """
    format_ = _format_of(transformer, label)
    if not format_.children:  # otherwise its parts are checked
        check_is_fitted(transformer)
    # Of a pipeline, these are properties, which its first step decides.
    own = vars(transformer)
    names = own.get("feature_names_in_")
    try:
        state = format_.pack(transformer)
    except ArtifactError as error:  # of a part
        raise ArtifactError(f"{label}: {error}") from None
    for name, array in state.arrays.items():
        if array.dtype not in (np.float32, np.float64) or not np.isfinite(array).all():
            raise ArtifactError(
                f"{label}: {name} must be finite floating-point numbers to be saved; got "
                f"{array.dtype} with {array.ravel()[~np.isfinite(array.ravel())][:1]}. Was a "
                "column without any value at fit? Leave it out"
            )
    _check_features(own.get("n_features_in_"), state.arrays, label)
    document = {
        "class": type(transformer).__name__,
        "params": _params_of(transformer, format_, label),
        "n_features": own.get("n_features_in_"),
        "feature_names": None if names is None else [str(name) for name in names],
        "output": own.get("_sklearn_output_config", {}).get("transform"),
        "fitted": state.values,
    }
    return document, state.arrays


def unpack_transformer(data: Any, arrays: dict[str, np.ndarray], label: str) -> Any:
    """Return the fitted transformer that :func:`pack_transformer` converted.

    Parameters
    ----------
    data : dict
    arrays : dict of str to ndarray
        The tensors of this transformer alone.
    label : str
        Name of the transformer in error messages.

    Raises
    ------
    ArtifactError
        If the data do not describe a fitted transformer of a registered class.
    """
    fields = entries(data, label, _ENTRIES)
    if fields["class"] not in TRANSFORMERS:
        raise ArtifactError(
            f"{label} is a {fields['class']!r:.60}, which is not registered; the registered ones "
            f"are {_known()}. Import the module that registers it with "
            "deepreservoir.register_transformer before loading the file"
        )
    format_ = TRANSFORMERS[fields["class"]]
    transformer = _unfitted(format_, fields["params"], label)
    if fields["output"] is not None:
        if fields["output"] not in _OUTPUTS:
            raise ArtifactError(
                f"{label}, output: expected one of {_OUTPUTS}; got {fields['output']!r:.60}"
            )
        transformer._sklearn_output_config = {"transform": fields["output"]}
    names = names_of(fields["feature_names"], f"{label}, feature_names")
    if fields["n_features"] is not None:
        _check_features(fields["n_features"], arrays, label)
        transformer.n_features_in_ = fields["n_features"]
    if names is not None:
        transformer.feature_names_in_ = names
        if len(names) != fields["n_features"]:
            raise ArtifactError(f"{label}: {len(names)} names for {fields['n_features']} features")
    state = State(fields["fitted"], arrays)
    try:
        format_.unpack(transformer, state)
        again, arrays_again = pack_transformer(transformer, label)
    except ArtifactError as error:
        text = str(error)
        raise ArtifactError(text if text.startswith(label) else f"{label}: {text}") from None
    except Exception as error:
        # Any class may be registered, and its code sees what a file says.
        raise ArtifactError(
            f"{label}: no {fields['class']} has such a state: {type(error).__name__}: {error}"
        ) from error
    for name in sorted(arrays.keys() ^ arrays_again.keys()):
        raise ArtifactError(f"{label}: tensor {name!r} is missing, or should not be there")
    # Of what a file says, nothing may be ignored: a misspelt or a forged value would go unnoticed.
    if json.dumps(again, sort_keys=True) != json.dumps(fields, sort_keys=True) or any(
        not np.array_equal(arrays[name], array) or arrays[name].dtype != array.dtype
        for name, array in arrays_again.items()
    ):
        raise ArtifactError(f"{label}: no {fields['class']} has such a state")
    return transformer


def n_outputs(transformer: Any) -> int | None:
    """Return the number of columns that a fitted transformer outputs; None if it cannot tell."""
    try:
        return len(transformer.get_feature_names_out())
    except (AttributeError, ValueError):  # it has no such method, or its names are not unique
        return None


def _check_features(n: int | None, arrays: dict[str, np.ndarray], label: str) -> None:
    """Raise unless a number of features is one for which lists of names can be made."""
    limit = max([MAX_FEATURES, *(array.size for array in arrays.values())])
    if n is not None and not 1 <= n <= limit:
        raise ArtifactError(
            f"{label} must have at least one feature, and at most {limit:,}; got {n}"
        )


def _known() -> str:
    return ", ".join(sorted(TRANSFORMERS))


def _format_of(transformer: Any, label: str) -> _Format:
    name = type(transformer).__name__
    format_ = TRANSFORMERS.get(name)
    if format_ is not None and format_.cls is type(transformer):
        return format_
    reason = (
        "Its function would need a pickle; apply the function beforehand, or write it as a class "
        "of your own and register that class"
        if name == "FunctionTransformer"
        else "Apply it beforehand, or register its class"
    )
    raise ArtifactError(
        f"{label} of the pipeline is a {name}; a file can hold {_known()}. {reason} with "
        "deepreservoir.register_transformer"
    )


def _params_of(transformer: Any, format_: _Format, label: str) -> dict[str, Any]:
    """Return the parameters that differ from their defaults, as JSON data.

    Defaults are left out, so that a version of scikit-learn that lacks a parameter can read a
    file of one that has it.
    """
    arguments = signature(format_.cls).parameters
    params = {}
    for name, value in transformer.get_params(deep=False).items():
        if name in format_.children:
            continue
        packed = plain_parameter(value, f"{label}, parameter {name}")
        default = arguments[name].default
        if default is Parameter.empty or json.dumps(packed) != json.dumps(
            plain_parameter(default, name)
        ):
            params[name] = packed
    return params


def _unfitted(format_: _Format, params: dict[str, Any], label: str) -> Any:
    """Return a new transformer with these parameters, which scikit-learn accepts."""
    unknown = params.keys() - signature(format_.cls).parameters.keys()
    if unknown or params.keys() & format_.children.keys():
        wrong = min(unknown or params.keys() & format_.children.keys())
        raise ArtifactError(
            f"{label}: this version of {format_.cls.__name__} has no parameter {wrong!r:.60}"
        )
    with checked(label):
        values = {k: value_of_parameter(v, f"parameter {k}") for k, v in params.items()}
        transformer = format_.cls(**format_.children, **values)
        if hasattr(transformer, "_parameter_constraints"):
            transformer._validate_params()
    return transformer
