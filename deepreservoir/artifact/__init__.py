"""Models as files: a seed, what was trained, and nothing that runs when it is read."""

from .format import MAX_BYTES, ArtifactError
from .persist import attach, load, save
from .plain import materialise
from .to_onnx import export_onnx
from .to_peft import export_peft

__all__ = [
    "MAX_BYTES",
    "ArtifactError",
    "attach",
    "export_onnx",
    "export_peft",
    "load",
    "materialise",
    "save",
]
