"""The parameters that deep estimators share.

Each group is a dataclass of keyword-only fields; an estimator inherits the groups that it needs and
adds its own. scikit-learn reads parameters from the signature of ``__init__``, which a dataclass
creates from the fields. Descriptions are in :mod:`.descriptions`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ...choices import (
    DeviceName,
    DtypeName,
    InitialB,
    OptimizerName,
    PrecisionName,
    RandomState,
    ScalingName,
    ScheduleName,
    StorageName,
)
from ...layers.adapter import Mode


def parameters_of(estimator: Any) -> dict[str, Any]:
    """Return the parameters of a deep estimator, by name.

    A subclass may set some of them itself, so that they are not among its ``get_params()``.
    """
    return {each.name: getattr(estimator, each.name) for each in fields(type(estimator))}


@dataclass(kw_only=True, eq=False, repr=False)
class AdaptationParameters:
    """How frozen matrices are drawn and adapted: fields of every NetworkConfig."""

    rank: int | Literal["auto"] = "auto"
    lora_alpha: float | None = None
    scaling: ScalingName = "lora"
    adapter: Mode = "lora"
    scaffold: str = "normal"
    scaffold_scale: float | Literal["family"] = 1.0
    storage: StorageName = "auto"
    beta: float | Literal["learned", "fixed"] = "learned"
    b_init: InitialB = "zeros"
    adapter_dropout: float = 0.0
    dtype: DtypeName = "float32"

    def adaptation(self) -> dict[str, Any]:
        """Return these parameters by name, as a configuration takes them."""
        return {field.name: getattr(self, field.name) for field in fields(AdaptationParameters)}


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """How an adapter is trained."""

    optimizer: OptimizerName = "adamw"
    learning_rate_init: float = 3e-3
    schedule: ScheduleName = "cosine"
    lr_decay: float = 0.9
    warmup: float = 0.0
    weight_decay: float | Literal["auto"] = 1e-2
    momentum: float = 0.9
    max_fun: int = 15000
    max_grad_norm: float | None = None
    ema_decay: float | Literal["auto"] | None = None
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = 200
    shuffle: bool = True
    tol: float = 1e-4
    n_iter_no_change: int | float = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    projection_cache: int | Literal["auto"] = "auto"
    random_state: RandomState = None
    verbose: bool | int = False
    device: DeviceName = "cpu"
    precision: PrecisionName = "float32"


@dataclass(kw_only=True, eq=False, repr=False)
class ScaffoldParameters:
    """The seed of the scaffold, for an estimator with one scaffold, and whether it changes."""

    scaffold_seed: int | None = None
    resample: Any = None
    warm_start: bool = False
