"""A small Vision Transformer, trained on CIFAR-10, whose embeddings and norms others start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepreservoir import ViTClassifier, load_dataset, save
from deepreservoir.datasets import Dataset

from .store import RESULTS

#: The file that the sweep flowers12_backbone reads.
FILE = RESULTS / "vit_cifar10.safetensors"

PARAMETERS: dict[str, Any] = {
    "patch_size": 4,
    "width": 64,
    "depth": 4,
    "heads": 4,
    "adapter": "full",
    "learning_rate_init": 1e-3,
    "weight_decay": 0.05,
    "warmup": 0.1,
    "label_smoothing": 0.1,
    "batch_size": 128,
    "augmentation": ("crop", "flip"),
    "random_state": 0,
    "verbose": 2,
}


def run(
    path: Path,
    epochs: int,
    report: Callable[[str], None],
    data: Dataset | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Train on all images of CIFAR-10, save the model, and return its scores.

    A checkpoint beside the file is written every ten seconds: after an interruption the same call
    continues from it.
    """
    data = load_dataset("cifar10") if data is None else data
    model = ViTClassifier(**PARAMETERS | {"max_iter": epochs} | changes)
    checkpoint = path.with_suffix(".checkpoint")
    if checkpoint.exists():
        report(f"Continuing from {checkpoint}")
    path.parent.mkdir(parents=True, exist_ok=True)
    model.fit(data.X_train, data.y_train, checkpoint=checkpoint)
    if model.stop_reason_ == "interrupted":
        raise KeyboardInterrupt
    save(model, path, dtype="float16")
    return {
        "dataset": data.name,
        "epochs": epochs,
        "trained": model.n_trained_params_,
        "training_loss": model.loss_,
        "test_accuracy": float(model.score(data.X_test, data.y_test)),
        "file": path.name,
        "file_bytes": path.stat().st_size,
    }
