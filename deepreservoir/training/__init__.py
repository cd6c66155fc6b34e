"""Training: plans, batches, the training loop and checkpoints."""

from .checkpoint import Checkpoint, fingerprint
from .frozen_products import FrozenProducts, limits
from .interruption import interruptions_raised
from .lbfgs import PASS_SAMPLES
from .loop import train
from .monitor import Callback, EpochEnd
from .plan import (
    PROJECTION_LIMIT,
    Outcome,
    Plan,
    Resample,
    TrainingDiverged,
    TrainingSet,
    Validate,
    take_target,
)
from .seed_gating import Gate, drawn, train_gated, validate_gates
from .side_by_side import Training, train_together
from .spread import Spread
from .subspace import Subspace
from .validation import validator

__all__ = [
    "PASS_SAMPLES",
    "PROJECTION_LIMIT",
    "Callback",
    "Checkpoint",
    "EpochEnd",
    "FrozenProducts",
    "Gate",
    "Outcome",
    "Plan",
    "Resample",
    "Spread",
    "Subspace",
    "Training",
    "TrainingDiverged",
    "TrainingSet",
    "Validate",
    "drawn",
    "fingerprint",
    "interruptions_raised",
    "limits",
    "take_target",
    "train",
    "train_gated",
    "train_together",
    "validate_gates",
    "validator",
]
