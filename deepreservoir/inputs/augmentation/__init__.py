"""Random changes of training images, keyed by seed and training step."""

from .plan import AUGMENTATIONS, Augmentation

__all__ = ["AUGMENTATIONS", "Augmentation"]
