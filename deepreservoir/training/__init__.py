"""Training: how, what on, and with checkpoints where it is long."""

from .checkpoint import Checkpoint, fingerprint
from .gated import Gate, drawn, train_gated, validate_gates
from .plan import (
    PROJECTION_LIMIT,
    Outcome,
    Plan,
    Resample,
    TrainingDiverged,
    TrainingSet,
    Validate,
)
from .products import FirstProduct, limits, project, validator
from .run import train
from .subspace import Subspace
from .together import Training, train_together

__all__ = [
    "PROJECTION_LIMIT",
    "Checkpoint",
    "FirstProduct",
    "Gate",
    "Outcome",
    "Plan",
    "Resample",
    "Subspace",
    "Training",
    "TrainingDiverged",
    "TrainingSet",
    "Validate",
    "drawn",
    "fingerprint",
    "limits",
    "project",
    "train",
    "train_gated",
    "train_together",
    "validate_gates",
    "validator",
]
