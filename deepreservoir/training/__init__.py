"""Training: how, what on, and with checkpoints where it is long."""

from .checkpoint import Checkpoint, fingerprint
from .plan import (
    PROJECTION_LIMIT,
    Outcome,
    Plan,
    Resample,
    TrainingDiverged,
    TrainingSet,
    Validate,
)
from .products import FirstProduct, project, validator
from .run import train
from .subspace import Subspace
from .together import Training, train_together

__all__ = [
    "PROJECTION_LIMIT",
    "Checkpoint",
    "FirstProduct",
    "Outcome",
    "Plan",
    "Resample",
    "Subspace",
    "Training",
    "TrainingDiverged",
    "TrainingSet",
    "Validate",
    "fingerprint",
    "project",
    "train",
    "train_together",
    "validator",
]
