"""Fused element-wise operations, each as a CUDA kernel with a NumPy reference.

Every function follows the module of its arrays. NumPy arrays use the reference implementation,
which is the readable definition. Device arrays launch a kernel, which agrees with the reference to
rounding, and bit by bit where random bits are drawn. No function modifies its arguments, unless
its name ends in an underscore.
"""

from .activations import (
    ACTIVATIONS,
    bias_activation_dropout,
    bias_activation_dropout_backward,
    gelu_backward,
    masked,
    relu,
    relu_backward,
    softplus,
    tanh,
    tanh_backward,
)
from .adam import adam_
from .adapted_relu import adapted_input_gradient_, adapted_relu, suits_adapted_relu
from .attention import (
    attention_probabilities,
    softmax_attention,
    softmax_attention_backward,
)
from .branches import aside, join
from .closed_form import (
    gated_state,
    gated_state_backward_,
    silu_dropout,
    silu_dropout_backward,
)
from .draw import compact_table, consecutive, draw_rows, draw_rows_at, lane_rows
from .dropout import Drop, dropout_mask
from .gated import silu_product, silu_product_backward
from .gelu import gelu
from .hadamard import fits_shared_memory, hadamard_rows
from .low_rank import add_low_rank_gradients_, combine, project
from .low_rank_activation import (
    combine_activation,
    combine_activation_backward,
    fuses_activation,
)
from .norm import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from .norm_relu import affine_relu, norm_gradient_, pixel_moments, relu_sums
from .packing import codes_shape, draw_codes_, unpack, unpack_table
from .patches import patch_counts, patches, patches_adjoint
from .products import (
    PRECISIONS,
    Precision,
    add_product_,
    dot,
    inner,
    precision_problem,
    product,
    product_precision,
    work_in_shares,
)
from .rotary import rotate
from .row_norms import squared_norms
from .scatter import add_rows_
from .sigmoid import sigmoid, silu, silu_backward
from .softmax import average_rows, log_softmax, softmax_cross_entropy

__all__ = [
    "ACTIVATIONS",
    "PRECISIONS",
    "Drop",
    "Precision",
    "adam_",
    "adapted_input_gradient_",
    "adapted_relu",
    "add_low_rank_gradients_",
    "add_product_",
    "add_rows_",
    "affine_relu",
    "aside",
    "attention_probabilities",
    "average_rows",
    "bias_activation_dropout",
    "bias_activation_dropout_backward",
    "codes_shape",
    "combine",
    "combine_activation",
    "combine_activation_backward",
    "compact_table",
    "consecutive",
    "dot",
    "draw_codes_",
    "draw_rows",
    "draw_rows_at",
    "dropout_mask",
    "fits_shared_memory",
    "fuses_activation",
    "gated_state",
    "gated_state_backward_",
    "gelu",
    "gelu_backward",
    "hadamard_rows",
    "inner",
    "join",
    "lane_rows",
    "layer_norm",
    "layer_norm_backward",
    "log_softmax",
    "masked",
    "norm_gradient_",
    "patch_counts",
    "patches",
    "patches_adjoint",
    "pixel_moments",
    "precision_problem",
    "product",
    "product_precision",
    "project",
    "relu",
    "relu_backward",
    "relu_sums",
    "rms_norm",
    "rms_norm_backward",
    "rotate",
    "sigmoid",
    "silu",
    "silu_backward",
    "silu_dropout",
    "silu_dropout_backward",
    "silu_product",
    "silu_product_backward",
    "softmax_attention",
    "softmax_attention_backward",
    "softmax_cross_entropy",
    "softplus",
    "squared_norms",
    "suits_adapted_relu",
    "tanh",
    "tanh_backward",
    "unpack",
    "unpack_table",
    "work_in_shares",
]
