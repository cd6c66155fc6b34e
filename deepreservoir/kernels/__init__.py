"""Element-wise work that is worth fusing: each CUDA kernel beside its NumPy reference.

A function takes the module of its arrays. On NumPy it runs the reference, which is the readable
definition; on a device it launches a kernel, which gives the same to rounding, and the same bits
where random bits are drawn. None writes to its arguments, unless its name ends in an underscore.
"""

from .activations import (
    gelu,
    gelu_backward,
    relu,
    relu_backward,
    sigmoid,
    silu,
    silu_backward,
    softplus,
    tanh,
    tanh_backward,
)
from .adam import adam_
from .norm import layer_norm, layer_norm_backward
from .softmax import log_softmax

__all__ = [
    "adam_",
    "gelu",
    "gelu_backward",
    "layer_norm",
    "layer_norm_backward",
    "log_softmax",
    "relu",
    "relu_backward",
    "sigmoid",
    "silu",
    "silu_backward",
    "softplus",
    "tanh",
    "tanh_backward",
]
