"""The layout of adapter libraries, and how each architecture is written in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..backend import to_host
from ..container import ArtifactError
from ..layers import AdaptedDense
from ..layers.combined import NORM_EPS

#: Before the names of a base network's modules, in files of adapters.
PREFIX = "base_model.model"


class PeftParts(NamedTuple):
    """A model in the layout of adapter libraries.

    Attributes
    ----------
    base, adapters : dict of str to ndarray
        Tensors by name.
    config : dict
        ``adapter_config.json``.
    base_config : dict
        ``config.json`` of the base.
    texts : dict of str to str
        Further files of the base, by name.
    """

    base: dict[str, np.ndarray]
    adapters: dict[str, np.ndarray]
    config: dict[str, Any]
    base_config: dict[str, Any]
    texts: dict[str, str]


#: How fitted estimators are written, by the name of their architecture.
PEFT_EXPORTS: dict[str, Callable[[Any], PeftParts]] = {}


def float32(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return tensors as they are stored."""
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def norms_of_rows(weight: np.ndarray, path: str) -> np.ndarray:
    """Return the norms by which adapter libraries divide the rows of a matrix under DoRA.

    Raises
    ------
    ArtifactError
        If a row is zero. The message calls the matrix `path`.
    """
    norms = np.linalg.norm(weight, axis=1)
    zero = np.flatnonzero(norms == 0)
    if zero.size:
        raise ArtifactError(
            f"row {int(zero[0])} of the matrix {path!r} is zero, and for adapter='dora' adapter "
            "libraries divide rows by their norms. Use another scaffold, or adapter='lora'"
        )
    return norms


def rescaled_magnitude(layer: AdaptedDense) -> np.ndarray:
    """Return the magnitudes of DoRA for rows that are divided by their norms alone, (d_out,).

    Here they are divided by the root of the squared norm and a small constant.

    Raises
    ------
    ArtifactError
        If a row of ``beta W + s B A`` is zero, which cannot be divided by its norm.
    """
    norms = norms_of_rows(layer.raw_weight(), layer.path)
    return np.asarray(to_host(layer.magnitude) * (norms / np.sqrt(norms**2 + NORM_EPS)))


def adapter_config(
    config: Any,
    adapters: Mapping[str, Any],
    task_type: str | None = None,
    modules_to_save: list[str] | None = None,
) -> dict[str, Any]:
    """Return ``adapter_config.json``; ranks and alphas may differ by module.

    Parameters
    ----------
    config : NetworkConfig
    adapters : mapping of str to Adapter
        By the name of the module, in the order in which the file lists them.
    task_type : str, optional
        In the terms of PEFT.
    modules_to_save : list of str, optional
        Modules that are trained as a whole, and stored with the adapters.
    """
    power = 0.5 if config.scaling == "rslora" else 1.0
    ranks = {name: adapter.rank for name, adapter in adapters.items()}
    alphas = {name: adapter.scaling * adapter.rank**power for name, adapter in adapters.items()}
    first = next(iter(adapters))
    return {
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": "base",
        "r": ranks[first],
        "lora_alpha": alphas[first],
        "rank_pattern": ranks,
        "alpha_pattern": alphas,
        "target_modules": list(adapters),
        "modules_to_save": modules_to_save,
        "use_rslora": config.scaling == "rslora",
        "use_dora": config.adapter == "dora",
        "lora_dropout": config.adapter_dropout,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
    }
