"""Classic reservoirs: topologies, leaky states, readouts that stream, next-generation features."""

from .reservoir import Reservoir, ReservoirSpec
from .stack import ReservoirStack
from .topology import TOPOLOGIES, RecurrentSpec, draw_recurrent

__all__ = [
    "TOPOLOGIES",
    "RecurrentSpec",
    "Reservoir",
    "ReservoirSpec",
    "ReservoirStack",
    "draw_recurrent",
]
