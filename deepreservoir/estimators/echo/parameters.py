"""The parameters that the echo-state estimators share, written once."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from ...choices import (
    ArrangementName,
    DeviceName,
    DtypeName,
    ProductName,
    RandomState,
    ReservoirActivation,
)


@dataclass(eq=False, repr=False)
class ReservoirParameters:
    """The reservoirs, their readout and their numerical types; see :mod:`.descriptions`."""

    units: int | tuple[int, ...] = 500
    _: KW_ONLY
    spectral_radius: float = 0.9
    leak_rate: float = 1.0
    input_scaling: float = 1.0
    bias_scaling: float = 0.0
    density: float | int = 0.1
    topology: str = "random"
    arrangement: ArrangementName = "deep"
    plasticity: Any = 0
    noise: float = 0.0
    washout: int = 0
    ridge: Any = 1e-6
    readout: Any = "ridge"
    activation: ReservoirActivation = "tanh"
    dtype: DtypeName = "float32"
    product: ProductName = "auto"
    random_state: RandomState = None
    device: DeviceName = "cpu"
