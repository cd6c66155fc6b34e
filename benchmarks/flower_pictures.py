"""The pictures of docs/images.md: where a ViT attends in a flower, and its filters."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from deepreservoir import AttentionDisplay, FilterDisplay, ViTClassifier, load_dataset
from deepreservoir.experiments import protocol_for

RANK, RATE, SPECIES = 8, 3e-3, "sunflower"


def draw(out: Path) -> tuple[Path, Path, float]:
    """Train a model on flowers12; return two pictures in `out` and its test accuracy."""
    from matplotlib.figure import Figure

    data = load_dataset("flowers12")
    given = protocol_for("flowers12").parameters(ViTClassifier().get_params())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [
            _fitted(data, given, max_iter=1, learning_rate_init=1e-12),
            _fitted(data, given, learning_rate_init=RATE),
        ]
    image = data.X_test[int(np.flatnonzero(data.y_test == SPECIES)[0])]
    figure = Figure(figsize=(9, 4))
    axes = figure.subplots(2, 1 + models[0].depth)
    for row, model, title in zip(axes, models, ("before training", "trained"), strict=True):
        AttentionDisplay.from_estimator(model, image, ax=row)
        row[0].set_title(title)
    for each in axes[1, 1:]:
        each.set_title("")
    paths = out / "attention_flowers.png", out / "filters_flowers.png"
    figure.tight_layout()
    figure.savefig(paths[0], dpi=110)
    figure = Figure(figsize=(7, 3.6))
    FilterDisplay.from_estimator(models[1], ax=figure.subplots(1, 2))
    figure.tight_layout()
    figure.savefig(paths[1], dpi=110)
    return *paths, float(models[1].score(data.X_test, data.y_test))


def _fitted(data: Any, given: dict[str, Any], **params: Any) -> ViTClassifier:
    model = ViTClassifier(**{**given, "rank": RANK, "random_state": 0, **params})
    return model.fit(data.X_train, data.y_train)
