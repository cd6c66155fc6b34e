"""Human-readable summary of a file, made without drawing any weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..container import MAX_BYTES, ArtifactError, Contents, read
from ..document import checked, entry
from ..models import ARCHITECTURES, NetworkConfig
from ..models.plain_config import FIRST_ARCHITECTURE, layers_within
from ..printable import printable
from . import deep, echo
from .persist import check_is_model

# Name of an entry of a scaffold's layers in error messages.
_LAYER = "a layer of the scaffold"


def describe(path: Path, max_bytes: int = MAX_BYTES) -> list[tuple[str, str]]:
    """Return (label, description) pairs for a saved model, from its file alone.

    All of them can be printed: line breaks and control characters of the file are written as their
    escapes.

    Parameters
    ----------
    path : Path
    max_bytes : int, default=2 GiB

    Raises
    ------
    ArtifactError
        If the file is damaged, or does not describe a model.
    """
    contents = read(path, max_bytes)
    try:
        check_is_model(contents)
        rows = [*_what(contents), *_numbers(contents, path, max_bytes), *_scaffold(contents)]
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None
    return [(printable(label), printable(words)) for label, words in rows]


def _rank(contents: Contents) -> str:
    """Return the rank of the adapters; the ranks in use if it was chosen by the widths."""
    rank = contents.document["config"].get("rank")
    used = {x.shape[0] for name, x in contents.tensors.items() if name.endswith(".A")}
    if rank != "auto" or not used:
        return str(rank)
    return "auto: " + (f"{max(used)}" if len(used) == 1 else f"{min(used)} to {max(used)}")


def _what(contents: Contents) -> Iterator[tuple[str, str]]:
    document = contents.document
    config, params = (entry(document, "the document", name, dict) for name in ("config", "params"))
    fitted = entry(document, "the document", "fitted", dict)
    yield "model", entry(document, "the document", "estimator", str)
    if "preprocessing" in document:
        steps = entry(document["preprocessing"], "preprocessing", "steps", list)
        yield "after", ", ".join(entry(step, "a step", "class", str) for step in steps)
    if "adapter" in config:
        yield from _architecture(config)
        yield "adapter", f"{entry(config, 'config', 'adapter', str)}, rank {_rank(contents)}"
    else:
        layers = _layers(entry(document, "the document", "scaffold", dict))
        names = [(entry(la, _LAYER, "units", int), _kind_of(la)) for la in layers]
        yield "reservoir", ", ".join(f"{units} {topology}" for units, topology in names)
        penalty = entry(fitted, "fitted", "penalty", float)
        yield "readout", f"{params.get('readout')}, penalty {penalty:g}"
    if "table" in document:
        table = document["table"]
        columns = entry(table, "table", "columns", list)
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in columns):
            raise ArtifactError("table, columns: expected a list of pairs of name and words")
        target = entry(table, "table", "target", str)
        yield "predicts", f"{target} from " + ", ".join(str(name) for name, _ in columns)
    for name in ("classes", "tasks"):
        if name in fitted:
            values = entry(fitted[name], name, "values", list)
            more = ", ..." if len(values) > 12 else ""
            yield name, ", ".join(map(str, values[:12])) + more
    if "n_labels" in fitted:
        n_labels = entry(fitted, "fitted", "n_labels", int)
        yield "labels", f"{n_labels}, any number of them per sample"
    versions = entry(document, "the document", "versions", dict)
    yield "made with", ", ".join(f"{k} {v}" for k, v in versions.items())


def _architecture(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Describe a configuration, even of an architecture that is not registered."""
    name = config.get("architecture", FIRST_ARCHITECTURE)
    if name == FIRST_ARCHITECTURE:
        hidden = entry(config, "config", "hidden_layer_sizes", list)
        ends = [entry(config, "config", size, int) for size in ("n_features", "n_outputs")]
        yield "layers", "-".join(map(str, [ends[0], *hidden, ends[1]]))
        return
    yield "architecture", str(name)
    shared = {field.name for field in fields(NetworkConfig)} | {"architecture"}
    yield "layers", ", ".join(f"{k} {v}" for k, v in config.items() if k not in shared)


def _trained_names(contents: Contents, max_bytes: int) -> set[str] | None:
    """Return the names of the trained tensors; None if the architecture is not registered."""
    config = contents.document["config"]
    if "adapter" not in config:
        return set(echo.adapter_names(contents))
    if config.get("architecture", FIRST_ARCHITECTURE) not in list(ARCHITECTURES):
        return None
    with layers_within(max_bytes), checked("config"):
        return set(deep.adapter_names(contents))


def _counts(contents: Contents, frozen: int, max_bytes: int) -> str:
    """Return the numbers of parameters, of other numbers of the model, and of frozen weights."""
    others = ("target.", "preprocessing.", "reader.")
    sizes = {name: x.size for name, x in contents.tensors.items() if not name.startswith(others)}
    trained = _trained_names(contents, max_bytes)
    from_seed = f"{frozen:,} frozen weights from the seed"
    if trained is None:
        return f"{sum(sizes.values()):,} parameters and buffers in the file, {from_seed}"
    n_trained = sum(size for name, size in sizes.items() if name in trained)
    kept = sum(sizes.values()) - n_trained
    further = f", and {kept:,} numbers in buffers and states" if kept else ""
    return f"{n_trained:,} parameters in the file, {from_seed}{further}"


def _numbers(contents: Contents, path: Path, max_bytes: int) -> Iterator[tuple[str, str]]:
    document, size = contents.document, path.stat().st_size
    frozen = 0
    for _, scaffold in _scaffolds(document):
        for layer in _layers(scaffold):
            d_out, d_in = _shape_of(layer)
            frozen += d_out * d_in
    yield "trained", _counts(contents, frozen, max_bytes)
    bytes_of: dict[str, int] = {}
    by_type: dict[str, int] = {}
    for name in contents.tensors:
        part, _, kind = name.rpartition(".")
        label = f"{part or name} {kind} ({contents.kept_as(name)})" if part else name
        parts = contents.bytes_by_type(name)
        bytes_of[label] = sum(parts.values())
        for dtype, n in parts.items():
            by_type[dtype] = by_type.get(dtype, 0) + n
    of_types = "".join(f", {by_type[dtype]:,} {dtype}" for dtype in sorted(by_type))
    yield "bytes", f"{size:,}: {size - sum(bytes_of.values()):,} of description{of_types}"
    for label, n in bytes_of.items():
        yield "", f"{n:>12,}  {label}"
    if "precision" in document:
        cost = document["precision"]
        dtype = entry(cost, "precision", "dtype", str)
        error = entry(cost, "precision", "largest_error", float)
        yield "precision", f"{dtype}, off by at most {error:.2g} of a tensor"
        if "score" in cost:
            scores = (entry(cost, "precision", name, float) for name in ("score", "score_rounded"))
            before, after = scores
            on = f", on {entry(cost, 'precision', 'rows', int):,} rows" if "rows" in cost else ""
            yield "", f"score {before:.6g} before, {after:.6g} after{on}"
        else:
            yield "", "its cost in score was not measured: save with X and y"


def _scaffolds(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (suffix of its label, scaffold) for a model: one, or one per task."""
    fitted, first = document["fitted"], entry(document, "the document", "scaffold", dict)
    if "tasks" not in fitted:
        return [("", first)]
    scaffolds = [first, *entry(fitted, "fitted", "other_scaffolds", list)]
    names = [f" of task {name}" for name in entry(fitted["tasks"], "tasks", "values", list)]
    if len(names) != len(scaffolds):
        raise ArtifactError(f"{len(names)} tasks must have as many scaffolds; got {len(scaffolds)}")
    return list(zip(names, scaffolds, strict=True))


def _layers(scaffold: Any) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = entry(scaffold, "scaffold", "layers", list)
    return layers


def _kind_of(layer: Any) -> str:
    """Return the family of a layer, or the topology of a reservoir."""
    name = "family" if isinstance(layer, dict) and "family" in layer else "topology"
    return str(entry(layer, _LAYER, name, str))


def _shape_of(layer: dict[str, Any]) -> tuple[int, int]:
    if isinstance(layer, dict) and "shape" not in layer:
        units = entry(layer, _LAYER, "units", int)
        return units, units
    shape = entry(layer, _LAYER, "shape", list)
    if len(shape) != 2 or not all(type(n) is int for n in shape):
        raise ArtifactError(f"{_LAYER}, shape: expected two integers; got {shape!r:.80}")
    return shape[0], shape[1]


def _scaffold(contents: Contents) -> Iterator[tuple[str, str]]:
    for of, scaffold in _scaffolds(contents.document):
        seed, stream = (entry(scaffold, "scaffold", name, int) for name in ("seed", "stream"))
        yield "seed", f"{seed}{of} (streams of version {stream})"
        for layer in _layers(scaffold):
            path, digest = (entry(layer, _LAYER, name, str) for name in ("path", "digest"))
            beta = contents.tensors.get(f"{path}.beta")
            if beta is not None and beta.size != 1:
                raise ArtifactError(f"tensor {path + '.beta'!r} must have one entry")
            scale = "" if beta is None else f", beta {beta.item():.4f}"
            yield path, f"{_kind_of(layer)}{scale}, SHA-256 {digest}"
