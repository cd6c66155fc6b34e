"""Classic reservoirs: topologies, leaky states, readouts that stream, next-generation features."""

from .metrics import nrmse, valid_prediction_time
from .nvar import NVAR
from .reservoir import Reservoir, ReservoirSpec
from .stack import ReservoirStack
from .topology import TOPOLOGIES, RecurrentSpec, draw_recurrent

__all__ = [
    "NVAR",
    "TOPOLOGIES",
    "RecurrentSpec",
    "Reservoir",
    "ReservoirSpec",
    "ReservoirStack",
    "draw_recurrent",
    "nrmse",
    "valid_prediction_time",
]
