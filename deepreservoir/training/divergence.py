"""The error of a training run whose loss is no longer finite."""

from __future__ import annotations

from typing import Any

import scipy.sparse

from ..backend import array_module
from ..optim import AdamW
from .plan import Plan, TrainingDiverged


def diverged(
    what: str, value: float, epoch: int, step: int, x: Any, plan: Plan
) -> TrainingDiverged:
    """Return the error, which names the step and a remedy.

    Parameters
    ----------
    what : str
        What became `value`.
    value : float
    epoch, step : int
        Counted from 0.
    x : array or sparse matrix
        The inputs of the step.
    plan : Plan
    """
    # Codes are not scaled, and of a CSR matrix only the entries.
    values = x.data if scipy.sparse.issparse(x) else x
    real = values.size and values.dtype.kind == "f"
    largest = float(array_module(values).abs(values).max()) if real else 0.0
    if largest > 100:
        remedy = (
            "Solver produced non-finite parameter weights. The input data may contain large "
            f"values and need to be preprocessed: the inputs reach {largest:.3g}; scale them "
            "first, for example with sklearn.preprocessing.StandardScaler"
        )
    else:
        rate, optimiser = plan.rate, plan.optimiser
        remedy = f"lower learning_rate_init (now {rate:g}, try {rate / 10:g})"
        if isinstance(optimiser, AdamW) and rate * optimiser.weight_decay > 1:
            # Each step takes more than the weights themselves from them.
            remedy += f" or weight_decay (now {optimiser.weight_decay:g})"
        elif plan.clip_norm is None:
            remedy += " or set max_grad_norm=1.0"
    return TrainingDiverged(
        f"the {what} became {value} at epoch {epoch + 1}, step {step + 1}: {remedy}"
    )
