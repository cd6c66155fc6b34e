"""Closed-form continuous-time networks: an epoch against PyTorch, and the memory of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deepreservoir.experiments.comparisons.resources import measured
from deepreservoir.inputs import IrregularSeriesReader, irregular_series
from deepreservoir.layers import Pass, Step
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import CfCConfig
from deepreservoir.network import Network
from deepreservoir.optim import AdamW
from deepreservoir.training import Plan, TrainingSet, train

from . import torch_peers
from .speed import figures_of
from .timing import Contenders, race

CHANNELS, STEPS, BATCH, RANK = 41, 49, 128, 4
SERIES = 10 * BATCH
UNITS, BACKBONE = 256, 64
LONG = 200  # steps of the series whose memory is measured


def epoch(
    X: np.ndarray, y: np.ndarray, units: int, backbone: int, **config: Any
) -> Callable[[], object]:
    """Return a function that trains for one epoch, on series that have been read."""
    reader = IrregularSeriesReader().fit(X)
    inputs = reader.read(X, np.float32, "cpu")
    reader.fit_training(inputs)
    shape = CfCConfig(reader.sizes()["n_inputs"], 2, units, backbone, dropout=0.2, **config)
    network = Network(shape, seed=0)
    plan = Plan(AdamW(), 2e-3, epochs=1, batch_size=BATCH)
    data = TrainingSet(inputs, y)
    return lambda: train(network, data, SoftmaxCrossEntropy(), plan)


def speed(rounds: int, series: int = SERIES, units: int = UNITS, backbone: int = BACKBONE) -> Any:
    """Time an epoch of series in the shape of PhysioNet 2012, hourly, on two threads."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((series, STEPS, CHANNELS))
    y = generator.integers(0, 2, series)
    contenders: Contenders = {
        "rank 4": epoch(X, y, units, backbone, rank=RANK),
        "full": epoch(X, y, units, backbone, adapter="full"),
    }
    if torch_peers.available():
        columns = np.concatenate([X, np.ones_like(X)], axis=2).astype(np.float32)
        for fused in (False, True):
            contenders[f"torch{' fused' if fused else ''} full"] = torch_peers.cfc_epoch(
                columns, y, units, backbone, BATCH, fused
            )
    with threadpool_limits(2):
        seconds = race(contenders, rounds)
    # The adapters should be at least 0.7 times as fast as full training in PyTorch.
    return figures_of(
        seconds,
        {
            ("torch full", "rank 4"): 0.7,
            ("torch fused full", "rank 4"): None,
            ("full", "rank 4"): None,
        },
    )


def memory(
    steps: int = LONG, batch: int = BATCH, units: int = UNITS, backbone: int = BACKBONE
) -> dict[str, Any]:
    """Measure the peak memory of one training step on long series, kept and recomputed."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((batch, steps, CHANNELS))
    reader = IrregularSeriesReader().fit(X)
    inputs = reader.read(irregular_series(X), np.float32, "cpu")
    reader.fit_training(inputs)
    taken = inputs.take(np.arange(batch))
    y = generator.integers(0, 2, batch)
    targets = TrainingSet(inputs, y)
    found = {}
    for name, recompute, limit in (
        ("kept", False, 1_500_000_000),
        ("recomputed", True, 300_000_000),
    ):
        config = CfCConfig(2 * CHANNELS, 2, units, backbone, rank=RANK, recompute=recompute)
        network = Network(config, seed=0)
        target = targets.take_target(y, np.arange(batch), taken, None)
        with measured() as cost:
            network.gradient(taken, target, SoftmaxCrossEntropy(), Pass(Step(0, 0)))
        found[name] = {
            "peak_bytes_over_start": cost.peak_bytes,
            "seconds": cost.seconds,
            "target_bytes": limit,
        }
    return found
