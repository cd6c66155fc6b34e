"""What a file holds, for a reader: without drawing a weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..container import MAX_BYTES, ArtifactError, Contents, read
from ..models.base import FIRST_ARCHITECTURE, NetworkConfig


def describe(path: Path, max_bytes: int = MAX_BYTES) -> list[tuple[str, str]]:
    """Return (what, how much) of a saved model, from its file alone.

    Parameters
    ----------
    path : Path
    max_bytes : int, default=2 GiB

    Raises
    ------
    ArtifactError
        If the file is damaged, or describes no model.
    """
    contents = read(path, max_bytes)
    try:
        return [*_what(contents), *_numbers(contents, path.stat().st_size), *_scaffold(contents)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: the document describes no model: {error!r}") from None


def _what(contents: Contents) -> Iterator[tuple[str, str]]:
    document = contents.document
    config, params = document["config"], document["params"]
    yield "model", str(document["estimator"])
    if "preprocessing" in document:
        yield "after", ", ".join(step["class"] for step in document["preprocessing"]["steps"])
    if "adapter" in config:
        yield from _architecture(config)
        yield "adapter", f"{config['adapter']}, rank {config['rank']}"
    else:
        layers = document["scaffold"]["layers"]
        yield "reservoir", ", ".join(f"{la['units']} {la['topology']}" for la in layers)
        yield "readout", f"{params.get('readout')}, penalty {document['fitted']['penalty']:g}"
    if "table" in document:
        table = document["table"]
        yield "predicts", f"{table['target']} from " + ", ".join(n for n, _ in table["columns"])
    for what in ("classes", "tasks"):
        if what in document["fitted"]:
            values = document["fitted"][what]["values"]
            more = ", ..." if len(values) > 12 else ""
            yield what, ", ".join(map(str, values[:12])) + more
    yield "made with", ", ".join(f"{k} {v}" for k, v in document["versions"].items())


def _architecture(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Describe a configuration, also of an architecture that is not registered here."""
    name = config.get("architecture", FIRST_ARCHITECTURE)
    if name == FIRST_ARCHITECTURE:
        widths = [config["n_features"], *config["hidden_layer_sizes"], config["n_outputs"]]
        yield "layers", "-".join(map(str, widths))
        return
    yield "architecture", str(name)
    shared = {field.name for field in fields(NetworkConfig)} | {"architecture"}
    yield "layers", ", ".join(f"{k} {v}" for k, v in config.items() if k not in shared)


def _numbers(contents: Contents, size: int) -> Iterator[tuple[str, str]]:
    document = contents.document
    frozen = 0
    for _, scaffold in _scaffolds(document):
        for layer in scaffold["layers"]:
            d_out, d_in = layer.get("shape", (layer.get("units"),) * 2)
            frozen += d_out * d_in
    own = [name for name in contents.tensors if not name.startswith(("target.", "preprocessing."))]
    trained = sum(contents.tensors[name].size for name in own)
    yield "numbers", f"{trained:,} in the file, {frozen:,} frozen weights from the seed"
    bytes_of: dict[str, int] = {}
    for name in contents.tensors:
        part, _, kind = name.rpartition(".")
        label = f"{part or name} {kind} ({contents.kept_as(name)})" if part else name
        bytes_of[label] = contents.nbytes(name)
    yield "bytes", f"{size:,}: {size - sum(bytes_of.values()):,} of description"
    for label, n in bytes_of.items():
        yield "", f"{n:>12,}  {label}"
    if "precision" in document:
        cost = document["precision"]
        yield (
            "precision",
            f"{cost['dtype']}, off by at most {cost['largest_error']:.2g} of a tensor",
        )
        if "score" in cost:
            before, after = cost["score"], cost["score_rounded"]
            yield "", f"score {before:.6g} before, {after:.6g} after, on {cost['rows']:,} rows"
        else:
            yield "", "its cost in score was not measured: save with X and y"


def _scaffolds(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (for what, scaffold) of a model: one, or one a task."""
    fitted = document["fitted"]
    if "tasks" not in fitted:
        return [("", document["scaffold"])]
    scaffolds = [document["scaffold"], *fitted["other_scaffolds"]]
    names = [f" of task {name}" for name in fitted["tasks"]["values"]]
    return list(zip(names, scaffolds, strict=True))


def _scaffold(contents: Contents) -> Iterator[tuple[str, str]]:
    for of, scaffold in _scaffolds(contents.document):
        yield "seed", f"{scaffold['seed']}{of} (streams of version {scaffold['stream']})"
        for layer in scaffold["layers"]:
            beta = contents.tensors.get(f"{layer['path']}.beta")
            scale = "" if beta is None else f", beta {float(beta[0]):.4f}"
            kind = layer.get("family", layer.get("topology"))
            yield layer["path"], f"{kind}{scale}, SHA-256 {layer['digest']}"
