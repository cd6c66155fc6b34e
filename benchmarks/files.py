"""Models as files: size, loading time, accuracy in 16 bits; many adapters on one scaffold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from deepreservoir import DeepReservoirClassifier, attach, load, predict_many, save
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons.resources import measured

from .timing import Contenders, medians, race, ratio

_LAYERS, _RANK, _EPOCHS = (512, 256, 128, 64), 8, 5
_TENANTS = 64
_ROWS = (1, 2, 4, 8)  # rows per tenant in a batch

_MOST_BYTES = {"float32": 100_000, "float16": 55_000}
_MOST_SECONDS = 0.2
_LEAST_TIMES = 5.0


def fitted(data: Dataset) -> DeepReservoirClassifier:
    """Fit MNIST medium at rank 8 for a few epochs, enough for a meaningful accuracy."""
    protocol = Protocol(hidden_layer_sizes=_LAYERS, max_iter=_EPOCHS)
    model = DeepReservoirClassifier(rank=_RANK, random_state=0, **protocol.parameters())
    return model.fit(data.X_train, data.y_train)


def kept(model: DeepReservoirClassifier, data: Dataset, rounds: int) -> dict[str, Any]:
    """Save in each dtype, load again, and compare."""
    figures: dict[str, Any] = {}
    X, y = data.X_test, data.y_test
    expected = model.predict_proba(X)
    with TemporaryDirectory() as folder:
        for dtype in (None, "float16", "bfloat16"):
            path = save(model, Path(folder) / "m.safetensors", dtype=dtype)
            seconds = []
            for _ in range(rounds):
                start = time.perf_counter()
                again = load(path)
                seconds.append(time.perf_counter() - start)
            name = dtype or "float32"
            figures[name] = {
                "bytes": path.stat().st_size,
                "target_bytes": _MOST_BYTES.get(name),
                "seconds_to_load": median(seconds),
                "target_seconds": _MOST_SECONDS,
                "equal_bit_for_bit": bool((again.predict_proba(X) == expected).all()),
                "accuracy": float(again.score(X, y)),
            }
    return figures


def tenants(model: DeepReservoirClassifier, data: Dataset, rounds: int) -> dict[str, Any]:
    """Attach 64 adapters to one scaffold; predict small batches together and one by one."""
    scaffold = sum(s.nbytes for s in model.network_.scaffolds.values())
    adapter = model.network_.theta.nbytes + model.network_.grad.nbytes
    with TemporaryDirectory() as folder:
        path = save(model, Path(folder) / "m.safetensors")
        first = attach(model, path)  # outside the measurement: it loads code and libraries
        with measured() as cost:
            models = {i: attach(first, path) for i in range(_TENANTS)}
    figures: dict[str, Any] = {
        "tenants": _TENANTS,
        "scaffold_bytes": scaffold,
        "adapter_and_gradient_bytes": adapter,
        "peak_bytes_of_attaching_all": cost.peak_bytes,
        "batches": {},
    }
    for rows in _ROWS:
        X = data.X_test[: rows * _TENANTS]
        names = np.repeat(np.arange(_TENANTS), rows)

        def together(X: np.ndarray = X, names: np.ndarray = names) -> np.ndarray:
            return predict_many(models, X, names)

        def apart(X: np.ndarray = X, rows: int = rows) -> np.ndarray:
            parts = [models[i].predict(X[i * rows : (i + 1) * rows]) for i in range(_TENANTS)]
            return np.concatenate(parts)

        assert (together() == apart()).all()
        contenders: Contenders = {"together": together, "one by one": apart}
        seconds = race(contenders, rounds)
        figures["batches"][str(rows)] = {
            "median_seconds": medians(seconds),
            "times_faster": ratio(seconds, "one by one", "together"),
            "target": _LEAST_TIMES,
        }
    return figures


def measurements(data: Dataset, rounds: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Return all figures, reporting each when it is available."""
    model = fitted(data)
    figures: dict[str, Any] = {"epochs": _EPOCHS, "trained": model.n_trained_params_}
    figures["files"] = kept(model, data, rounds)
    report(f"files: {figures['files']}")
    figures["tenants"] = tenants(model, data, rounds)
    report(f"tenants: {figures['tenants']}")
    return figures
