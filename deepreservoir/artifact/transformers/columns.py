"""Transformers that consist of others: chains of them, and one per group of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from ...container import ArtifactError
from ...document import entries
from .registry import State, n_outputs, pack_transformer, register_transformer, unpack_transformer

_GROUP = {
    "name": str,
    "columns": (str, int, list, dict),
    "transformer": (str, dict),
    "n_outputs": int,
}


# Chains --------------------------------------------------------------------------------------


def pack_steps(steps: list[tuple[str, Any]], label: str) -> State:
    """Return the steps of a pipeline, without its estimator.

    Raises
    ------
    ArtifactError
        If a step cannot be saved.
    """
    packed: list[dict[str, Any]] = []
    state = State({"steps": packed})
    for name, step in steps:
        if step is None or step == "passthrough":
            packed.append({"name": name, "class": "passthrough"})
            continue
        document, arrays = pack_transformer(step, f"{label}step {name!r}")
        state.add_under(str(len(packed)), arrays)
        packed.append({"name": name, **document})
    return state


def unpack_steps(steps: list[Any], state: State, label: str) -> list[tuple[str, Any]]:
    """Return the steps that :func:`pack_steps` converted.

    Raises
    ------
    ArtifactError
        If the data do not describe such steps, or a step does not take what the one before it
        returns.
    """
    unpacked: list[tuple[str, Any]] = []
    before: Any = None
    for i, data in enumerate(steps):
        if not isinstance(data, dict) or type(data.get("name")) is not str:
            raise ArtifactError(f"{label}step {i} must have a name")
        data = dict(data)
        name = data.pop("name")
        if data == {"class": "passthrough"}:
            unpacked.append((name, "passthrough"))
            continue
        this = f"{label}step {name!r:.60}"
        step = unpack_transformer(data, state.under(str(i)), this)
        check_width(before, step, this)
        unpacked.append((name, step))
        before = step
    if len(dict(unpacked)) != len(unpacked):
        raise ArtifactError(f"{label}steps of a pipeline must have different names")
    return unpacked


def check_width(before: Any, after: Any, label: str) -> None:
    """Raise an ArtifactError if a step does not take what the one before it returns."""
    width = None if before is None else n_outputs(before)
    wanted = getattr(after, "n_features_in_", None)
    if None not in (width, wanted) and width != wanted:
        raise ArtifactError(
            f"{label} is for {wanted} features, but the step before it returns {width}"
        )


def _pack_pipeline(pipeline: Pipeline) -> State:
    return pack_steps(pipeline.steps, "")


def _unpack_pipeline(pipeline: Pipeline, state: State) -> None:
    steps = unpack_steps(state.entries({"steps": list})["steps"], state, "")
    if not steps:
        raise ArtifactError("a pipeline must have a step")
    pipeline.steps = steps


# Groups of columns -----------------------------------------------------------------------------


def _pack_columns(transformer: ColumnTransformer) -> State:
    if not hasattr(transformer, "transformers_"):
        raise NotFittedError("a ColumnTransformer is not fitted yet; call fit of the pipeline")
    if not hasattr(transformer, "sparse_output_"):
        raise ArtifactError("a ColumnTransformer that outputs no columns cannot be saved")
    # Those of `_columns` are what a callable selected when the transformer was fitted.
    names = [name for name, *_ in transformer.transformers]
    selected = [*zip(names, transformer._columns, strict=True)]
    if "remainder" in names:
        raise ArtifactError("a transformer of columns must not have the name 'remainder'")
    rest: Any = transformer.remainder
    remaining = transformer._transformer_to_input_indices["remainder"]
    if not isinstance(rest, str):
        rest = False if remaining else "drop"  # without columns it has learned nothing
        selected += [("remainder", remaining)] if remaining else []
    packed: list[dict[str, Any]] = []
    sparse = bool(transformer.sparse_output_)
    state = State({"transformers": packed, "remainder": rest, "sparse": sparse})
    n, names_in = transformer.n_features_in_, getattr(transformer, "feature_names_in_", None)
    fitted = {name: part for name, part, _ in transformer.transformers_}
    for name, columns in selected:
        plain = _plain_columns(columns)
        label = f"transformer {name!r}"
        indices = [int(i) for i in transformer._transformer_to_input_indices[name]]
        if _indices(plain, names_in, n) != indices:
            raise ArtifactError(f"{label}: its columns cannot be saved: {columns!r:.80}")
        outputs = transformer.output_indices_[name]
        part: Any = fitted[name] if indices else "drop"
        if _is_passthrough(part):
            part = "passthrough"
        elif not isinstance(part, str):
            part, arrays = pack_transformer(part, label)
            state.add_under(str(len(packed)), arrays)
        packed.append(
            {
                "name": name,
                "columns": plain,
                "transformer": part,
                "n_outputs": outputs.stop - outputs.start,
            }
        )
    return state


def _is_passthrough(part: Any) -> bool:
    """Return whether this is what ColumnTransformer puts in the place of "passthrough"."""
    return type(part) is FunctionTransformer and part.get_params() == _identity().get_params()


def _identity() -> FunctionTransformer:
    return FunctionTransformer(
        accept_sparse=True, check_inverse=False, feature_names_out="one-to-one"
    )


def _unpack_columns(transformer: ColumnTransformer, state: State) -> None:
    fields = state.entries({"transformers": list, "remainder": (str, bool), "sparse": bool})
    n, names = transformer.n_features_in_, getattr(transformer, "feature_names_in_", None)
    rest = fields["remainder"]
    if rest not in ("drop", "passthrough", False):
        raise ArtifactError(f"remainder must be drop, passthrough or false; got {rest!r:.60}")
    groups: list[tuple[str, Any, Any]] = []  # name, fitted, columns
    indices: dict[str, list[int]] = {}
    widths: dict[str, int] = {}
    for i, data in enumerate(fields["transformers"]):
        group = entries(data, f"transformer {i}", _GROUP)
        name = group["name"]
        label = f"transformer {name!r:.60}"
        if name in indices:
            raise ArtifactError(f"{label} is there twice")
        indices[name] = _indices(group["columns"], names, n)
        part = group["transformer"]
        if not isinstance(part, str):
            part = unpack_transformer(part, state.under(str(i)), label)
            _check_width_of_group(part, indices[name], label)
        elif part == "passthrough":
            part = _passthrough(transformer, indices[name])
        elif part != "drop":
            raise ArtifactError(f"{label} must be drop, passthrough or a transformer: {part!r:.60}")
        widths[name] = _width(part, group["n_outputs"], len(indices[name]), label)
        groups.append((name, part, _columns_of(group["columns"])))
    _assemble(transformer, groups, indices, rest)
    transformer.sparse_output_ = fields["sparse"]
    _set_outputs(transformer, widths)


def _check_width_of_group(part: Any, indices: list[int], label: str) -> None:
    wanted = getattr(part, "n_features_in_", len(indices))
    if not indices or wanted != len(indices):
        raise ArtifactError(f"{label} is for {wanted} features, but has {len(indices)} columns")


def _width(part: Any, told: int, n_columns: int, label: str) -> int:
    """Return how many columns a group outputs, which the file tells, after checking it."""
    known = 0 if isinstance(part, str) else n_outputs(part)
    if type(part) is FunctionTransformer:
        known = n_columns
    if told < 0 or known not in (None, told):
        raise ArtifactError(f"{label} outputs {known} columns; the file says {told}")
    return told


def _assemble(
    transformer: ColumnTransformer,
    groups: list[tuple[str, Any, Any]],
    indices: dict[str, list[int]],
    rest: str | bool,
) -> None:
    """Set the parameters that contain transformers, and the fitted ones."""
    if rest is False:
        if not groups or groups[-1][0] != "remainder":
            raise ArtifactError("the transformer of the remainder is missing")
        _, remainder, _ = groups.pop()
        transformer.remainder = _unfitted(remainder)
        remaining = indices.pop("remainder")
    elif "remainder" in indices:
        raise ArtifactError("only the transformer of the remainder can have this name")
    else:
        transformer.remainder = rest
    transformer.transformers = [(name, _unfitted(part), of) for name, part, of in groups]
    transformer._columns = [columns for _, _, columns in groups]
    transformer._transformer_to_input_indices = indices
    transformer._validate_remainder(None)  # it names the remaining columns
    others = transformer._transformer_to_input_indices["remainder"]
    if rest is False and others != remaining:
        raise ArtifactError(f"the remaining columns are {others}, not {remaining}"[:200])
    if others:
        if rest is not False:
            remainder = "drop" if rest == "drop" else _passthrough(transformer, others)
        groups.append(("remainder", remainder, transformer._remainder[2]))
    transformer.transformers_ = groups


def _set_outputs(transformer: ColumnTransformer, widths: dict[str, int]) -> None:
    """Set which columns of the output each transformer returns, in order."""
    transformer.output_indices_ = {}
    start = 0
    for name, part, _ in transformer.transformers_:
        n = len(transformer._transformer_to_input_indices[name])
        width = widths.get(name, 0 if isinstance(part, str) else n)
        transformer.output_indices_[name] = slice(start, start + width) if width else slice(0, 0)
        start += width
    transformer.output_indices_.setdefault("remainder", slice(0, 0))


def _unfitted(part: Any) -> Any:
    if isinstance(part, str):
        return part
    return "passthrough" if type(part) is FunctionTransformer else clone(part)


def _passthrough(transformer: ColumnTransformer, indices: list[int]) -> FunctionTransformer:
    """Return what a fitted ColumnTransformer has in the place of "passthrough"."""
    part = _identity()
    output = getattr(transformer, "_sklearn_output_config", {}).get("transform", "default")
    part.set_output(transform=output)
    part.n_features_in_ = len(indices)
    if hasattr(transformer, "feature_names_in_"):
        part.feature_names_in_ = transformer.feature_names_in_[indices]
    return part


# Selections of columns -------------------------------------------------------------------------


def _plain_columns(columns: Any) -> Any:
    """Return a selection of columns as JSON data: one, a list, a mask or a slice."""
    if isinstance(columns, slice):
        bounds = (columns.start, columns.stop, columns.step)
        return {"slice": [_plain_column(bound) for bound in bounds]}
    if isinstance(columns, str | int | np.integer):
        return _plain_column(columns)
    return [_plain_column(column) for column in columns]


def _plain_column(column: Any) -> Any:
    return column.item() if isinstance(column, np.generic) else column


def _columns_of(data: Any) -> Any:
    return slice(*data["slice"]) if isinstance(data, dict) else data


def _indices(data: Any, names: np.ndarray | None, n: int) -> list[int]:
    """Return the positions of the columns that a selection names.

    Raises
    ------
    ArtifactError
        If it is not a selection of the columns.
    """
    known = {} if names is None else {name: i for i, name in reversed([*enumerate(names)])}

    def position(column: Any) -> int:
        if type(column) is str and column in known:
            return known[column]
        if type(column) is int and -n <= column < n:
            return column % n
        raise ArtifactError(f"{column!r:.60} is not a column; there are {n}")

    if isinstance(data, dict):
        bounds = entries(data, "columns", {"slice": list})["slice"]
        if len(bounds) != 3 or not all(type(b) in (int, str, type(None)) for b in bounds):
            raise ArtifactError(f"a slice has a start, a stop and a step; got {bounds!r:.80}")
        start, stop, step = bounds
        if type(step) is str or step == 0:
            raise ArtifactError(f"the step of a slice must be a number but 0; got {step!r:.60}")
        start = position(start) if type(start) is str else start
        stop = position(stop) + 1 if type(stop) is str else stop  # names include the last
        return list(range(n)[start:stop:step])
    if not isinstance(data, list):
        return [position(data)]
    if data and all(type(column) is bool for column in data):
        if len(data) != n:
            raise ArtifactError(f"a mask must have {n} entries; got {len(data)}")
        return [i for i, chosen in enumerate(data) if chosen]
    return [position(column) for column in data]


register_transformer(
    Pipeline, _pack_pipeline, _unpack_pipeline, children={"steps": [], "memory": None}
)
register_transformer(
    ColumnTransformer,
    _pack_columns,
    _unpack_columns,
    children={"transformers": [], "remainder": "drop"},
)
