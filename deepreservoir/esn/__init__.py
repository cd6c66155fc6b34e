"""Echo-state networks: topologies, leaky reservoirs, streaming readouts and NVAR features."""

from .dimensions import effective_dimension, effective_rank, state_rank
from .jacobian import effective_spectral_radius
from .lyapunov import autonomous_lyapunov, echo_state_index, largest_lyapunov
from .metrics import nrmse, valid_prediction_time
from .nvar import NVAR
from .observables import information_processing_capacity, memory_capacity
from .plasticity import IntrinsicPlasticity
from .reservoir import Reservoir, ReservoirSpec
from .stack import ReservoirStack
from .topologies import TOPOLOGIES
from .topology import RecurrentSpec, Topology, draw_recurrent

__all__ = [
    "NVAR",
    "TOPOLOGIES",
    "IntrinsicPlasticity",
    "RecurrentSpec",
    "Reservoir",
    "ReservoirSpec",
    "ReservoirStack",
    "Topology",
    "autonomous_lyapunov",
    "draw_recurrent",
    "echo_state_index",
    "effective_dimension",
    "effective_rank",
    "effective_spectral_radius",
    "information_processing_capacity",
    "largest_lyapunov",
    "memory_capacity",
    "nrmse",
    "state_rank",
    "valid_prediction_time",
]
