"""Models as files: a seed, what was trained, and nothing that runs when it is read."""

from .format import MAX_BYTES, ArtifactError
from .persist import attach, load, save

__all__ = ["MAX_BYTES", "ArtifactError", "attach", "load", "save"]
