"""Export of adapters in the layout of adapter libraries, with the base network written out."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ..backend import to_host
from ..container import ArtifactError
from ..estimators import Numbers
from ..files import temporary_folder

# This registers how decoders are written.
from . import peft_decoder as peft_decoder
from .dense_weights import check_deep, plain_layers
from .peft_layout import (
    PEFT_EXPORTS,
    PREFIX,
    PeftParts,
    adapter_config,
    float32,
    norms_of_rows,
    rescaled_magnitude,
)


def export_peft(model: Any, folder: str | os.PathLike[str]) -> Path:
    """Write the adapters as ``adapter_model.safetensors`` and ``adapter_config.json``.

    Parameters
    ----------
    model : estimator
        A fitted perceptron or :class:`~deepreservoir.CausalLanguageModel` with
        ``adapter="lora"`` or ``"dora"``.
    folder : str or path
        It is created; an existing folder must be empty.

    Returns
    -------
    Path
        The folder. Its subfolder ``base`` contains the frozen network that the adapters belong
        to, which is beta times the scaffold: ``model.safetensors`` with ``layers.0.weight``
        (d_out, d_in) and so on, biases and ``norms.0.weight`` if present, and ``config.json``. A
        fully trained head is stored with the adapters, as ``modules_to_save``. A regressor's head
        outputs targets in their original units. The base of a language model is a Llama with the
        names of transformers, which includes the trained embeddings and, for a model of texts, the
        encoding; the adapters are called
        ``base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`` and so on.

    Raises
    ------
    ArtifactError
        If the model has no adapters, its architecture has no such layout, its targets exceed the
        range of float32, or the folder is not empty.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from deepreservoir import DeepReservoirClassifier, export_peft
    >>> X, y = np.eye(6), [0, 1, 2] * 2
    >>> model = DeepReservoirClassifier((8,), rank=2, max_iter=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = export_peft(model, f"{folder}/adapter")
    ...     sorted(path.name for path in written.iterdir())
    ['adapter_config.json', 'adapter_model.safetensors', 'base']
    """
    network = getattr(model, "network_", None)
    export = PEFT_EXPORTS.get("" if network is None else network.config.name)
    if export is None:
        check_deep(model)
        export = _perceptron_parts
    config = model.network_.config
    if config.adapter not in ("lora", "dora"):
        raise ArtifactError(
            f"export_peft needs adapter='lora' or 'dora'; the model has {config.adapter!r}"
        )
    given, folder = Path(folder), Path(folder).resolve()  # a symbolic link stays
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArtifactError(f"{folder} exists and is not an empty folder; choose another path")
    parts = export(model)
    scratch = temporary_folder(folder)
    try:
        (scratch / "base").mkdir()
        # transformers loads only files that state this format.
        written = {"format": "pt"}
        save_file(parts.adapters, scratch / "adapter_model.safetensors", written)
        _write_json(scratch / "adapter_config.json", parts.config)
        save_file(parts.base, scratch / "base" / "model.safetensors", written)
        _write_json(scratch / "base" / "config.json", parts.base_config)
        for name, text in parts.texts.items():
            (scratch / "base" / name).write_text(text, encoding="utf-8")
        if folder.exists():
            for path in scratch.iterdir():
                path.rename(folder / path.name)
            scratch.rmdir()
        else:
            scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return given


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def _tensors(model: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the tensors of the base, and those of the adapters."""
    adapted = model.network_.adapted
    base: dict[str, np.ndarray] = {}
    adapters: dict[str, np.ndarray] = {}
    for layer in plain_layers(model, np.dtype(np.float32)):
        fully_trained = layer.path not in adapted  # only the head can be
        # A regressor's head is in the units of its targets.
        unit = np.ones(len(layer.weight))
        if layer.path == "head" and isinstance(model._targets, Numbers):
            unit = model.y_scale_
        if fully_trained:
            adapters[f"{PREFIX}.head.weight"] = layer.weight
            if layer.bias is not None:
                adapters[f"{PREFIX}.head.bias"] = layer.bias
            base["head.weight"] = layer.weight
        else:
            dense = adapted[layer.path]
            scaffold = dense.beta_value * dense.scaffold.dense()
            base[f"{layer.path}.weight"] = unit[:, None] * scaffold
            name = f"{PREFIX}.{layer.path}.lora_"
            adapters[f"{name}A.weight"] = to_host(dense.A)
            adapters[f"{name}B.weight"] = unit[:, None] * to_host(dense.B)
            if dense.adapter.mode == "dora":
                adapters[f"{name}magnitude_vector"] = rescaled_magnitude(dense)
            elif model.network_.config.adapter == "dora":
                # use_dora applies to every target module: with the norms of its rows as
                # magnitudes, a plain low-rank head is unchanged.
                adapters[f"{name}magnitude_vector"] = norms_of_rows(layer.weight, layer.path)
        if layer.bias is not None:
            base[f"{layer.path}.bias"] = layer.bias
        if layer.norm is not None:
            number = layer.path.removeprefix("layers.")
            base[f"norms.{number}.weight"], base[f"norms.{number}.bias"] = layer.norm
    return float32(base), float32(adapters)


def _perceptron_parts(model: Any) -> PeftParts:
    """Return a fitted perceptron in the layout."""
    if not model.network_.adapted:
        raise ArtifactError(
            "export_peft needs a model with adapters; this one has no hidden layers, and its head "
            "is trained as a whole"
        )
    base, adapters = _tensors(model)
    config, adapted = model.network_.config, model.network_.adapted
    modules = {path: layer.adapter for path, layer in adapted.items()}
    saved = None if "head" in adapted else ["head"]
    return PeftParts(
        base,
        adapters,
        adapter_config(config, modules, modules_to_save=saved),
        _base_config(model),
        {},
    )


def _base_config(model: Any) -> dict[str, Any]:
    config = model.network_.config
    return {
        "model_type": "deepreservoir-mlp",
        "widths": list(config.widths),
        "activation": config.activation,
        "layer_norm": config.layer_norm,
        "residual": config.residual,
    }
