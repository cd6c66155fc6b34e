"""The types of parameters that take names or seeds, for type checkers and editors.

At run time, each parameter is checked where it is used; a test holds that the two agree.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

ScalingName = Literal["lora", "rslora"]
InitialB = Literal["zeros", "kaiming"]
StorageName = Literal["auto", "dense", "packed", "streamed", "structured"]
HeadName = Literal["full", "lora", "lora+bias"]
ActivationName = Literal["relu", "tanh", "logistic", "gelu", "silu", "identity"]
OptimizerName = Literal["adamw", "adam", "sgd", "lbfgs"]
ScheduleName = Literal["cosine", "constant", "exponential"]
DtypeName = Literal["float32", "float64"]
ShortDtypeName = Literal["float16", "bfloat16", "int8", "int6"]
DeviceName = str  # "cpu", "cuda", "cuda:N" for the GPU with number N, or "auto"
PrecisionName = Literal["float32", "tf32", "bfloat16"]
RandomState = int | np.integer | np.random.RandomState | None
#: The nonlinearities of a reservoir, and how several reservoirs are connected.
ReservoirActivation = Literal["tanh", "relu", "identity"]
ArrangementName = Literal["deep", "grouped"]
#: Which recurrent weights a reservoir's product reads: by size and share, the nonzero ones, or all.
ProductName = Literal["auto", "sparse", "dense"]
