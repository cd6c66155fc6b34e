"""Peak memory of a training step of ViT-B/16 at 224 pixels, on a scaffold that is not stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepreservoir import ViTClassifier
from deepreservoir.experiments.comparisons.resources import measured

BATCH, SIDE, DEPTH, RANK = 16, 224, 12, 8


def step(batch: int = BATCH, side: int = SIDE, depth: int = DEPTH) -> dict[str, Any]:
    """Take one step on random images, with activations computed again in the backward pass."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batch, side, side, 3)).astype(np.uint8)
    model = ViTClassifier(
        16,
        768,
        depth,
        12,
        rank=RANK,
        storage="streamed",
        recompute=True,
        batch_size=batch,
        max_iter=1,
        random_state=0,
    )
    with measured() as cost:
        model.fit(images, np.arange(batch) % 2)
    return {
        "batch": batch,
        "side": side,
        "depth": depth,
        "rank": RANK,
        "trained": model.n_trained_params_,
        "frozen_weights": model.n_scaffold_params_,
        "peak_bytes_over_start": cost.peak_bytes,
        "seconds": cost.seconds,
        "target_bytes": 2_000_000_000,
    }
