"""Training: how, what on, and with checkpoints where it is long."""

from .checkpoint import Checkpoint, fingerprint
from .plan import PROJECTION_LIMIT, Outcome, Plan, TrainingDiverged, TrainingSet, Validate
from .products import project, validator
from .run import train
from .subspace import Subspace

__all__ = [
    "PROJECTION_LIMIT",
    "Checkpoint",
    "Outcome",
    "Plan",
    "Subspace",
    "TrainingDiverged",
    "TrainingSet",
    "Validate",
    "fingerprint",
    "project",
    "train",
    "validator",
]
