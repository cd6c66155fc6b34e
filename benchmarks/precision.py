"""What the precision of products on a GPU costs: the MNIST network at rank 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepreservoir import DeepReservoirClassifier
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import MNIST_MEDIUM
from deepreservoir.kernels import PRECISIONS

RANK = 8


def run(
    data: Dataset, seeds: int, device: str, report: Callable[[str], None], **changes: Any
) -> dict[str, Any]:
    """Train with the paper's protocol at every precision, and return the test accuracies."""
    fixed = MNIST_MEDIUM.parameters() | changes
    scores: dict[str, list[float]] = {}
    for precision in PRECISIONS:
        for seed in range(seeds):
            model = DeepReservoirClassifier(
                rank=RANK, random_state=seed, device=device, precision=precision, **fixed
            )
            model.fit(data.X_train, data.y_train)
            score = float(model.score(data.X_test, data.y_test))
            scores.setdefault(precision, []).append(score)
            report(f"{precision:10} seed {seed}: {100 * score:.2f} %")
    return {"dataset": data.name, "rank": RANK, "seeds": seeds, "test_accuracy": scores}
