"""Training in parts, in threads and on two processes: speed, equal bits, bytes that travel."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from deepreservoir import (
    CausalLanguageModel,
    DecisionTransformer,
    DeepReservoirClassifier,
    PlainCNNClassifier,
    ViTClassifier,
)
from deepreservoir.datasets import load_dataset
from deepreservoir.training.parts import PartGradient, PartsTask

PARTS = 2
#: The first epoch starts the processes and is not timed.
EPOCHS = 4

#: Ways to train: whole batches with all threads of the BLAS, parts in threads, and in processes.
WAYS: dict[str, dict[str, int]] = {
    "whole": {},
    "parts": {"parts": PARTS},
    "workers": {"parts": PARTS, "workers": 2},
}


class Case(NamedTuple):
    """A training of one architecture: the estimator, its parameters, and its data."""

    name: str
    kind: Any
    params: dict[str, Any]
    data: tuple[Any, ...]


def cases() -> Iterator[Case]:
    """Yield five architectures, each with about ten steps per epoch."""
    mnist = load_dataset("mnist")
    data = mnist.X_train[:10_240], mnist.y_train[:10_240]
    layers = (512, 256, 128, 64)
    yield Case(
        "perceptron, MNIST",
        DeepReservoirClassifier,
        {"hidden_layer_sizes": layers, "activation": "relu", "rank": 8, "batch_size": 1024},
        data,
    )
    cifar = load_dataset("cifar10_5000")
    data = cifar.X_train[:1280], cifar.y_train[:1280]
    yield Case(
        "Plain-8, CIFAR-10", PlainCNNClassifier, {"depth": 8, "rank": 8, "batch_size": 128}, data
    )
    flowers = load_dataset("flowers12")
    data = flowers.X_train[:640], flowers.y_train[:640]
    yield Case("ViT, flowers", ViTClassifier, {"rank": 8, "batch_size": 64}, data)
    codes = np.random.default_rng(0).integers(0, 4096, 10 * 16 * 128 + 1)
    given = {"preset": "3M", "vocabulary_size": 4096, "rank": 8, "batch_size": 16}
    yield Case("decoder 3M", CausalLanguageModel, given, (codes,))
    paths = load_dataset("halfcheetah").X_train[:40]
    yield Case("Decision Transformer", DecisionTransformer, {"rank": 8, "batch_size": 64}, (paths,))


def run(rounds: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Train each architecture in each way, in turn, and return medians over the rounds."""
    figures: dict[str, Any] = {"parts": PARTS, "rounds": rounds, "architectures": {}}
    for case in cases():
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        bits: dict[str, set[bytes]] = {way: set() for way in WAYS}
        model = case.kind(**case.params, max_iter=EPOCHS, random_state=0, tol=0.0)
        for _ in range(rounds):
            for way, how in WAYS.items():
                seconds[way].append(_epoch_seconds(model, case.data, how))
                bits[way].add(model.network_.theta.tobytes())
        medians = {way: median(found) for way, found in seconds.items()}
        row = {
            "epoch_seconds": medians,
            "speed_up_over_parts_in_one_process": medians["parts"] / medians["workers"],
            "speed_up_over_whole_batches": medians["whole"] / medians["workers"],
            "same_bits": bits["parts"] == bits["workers"] and len(bits["parts"]) == 1,
        } | _bytes_per_step(model)
        figures["architectures"][case.name] = row
        report(
            f"{case.name}: epoch {medians['whole']:.2f} s whole, {medians['parts']:.2f} s in "
            f"{PARTS} parts, {medians['workers']:.2f} s on two workers "
            f"({row['speed_up_over_parts_in_one_process']:.2f} and "
            f"{row['speed_up_over_whole_batches']:.2f} times); same bits: {row['same_bits']}; "
            f"{row['bytes_per_step']:,} bytes per step, full training "
            f"{row['bytes_per_step_of_full_training']:,}"
        )
    return figures


def _epoch_seconds(model: Any, data: tuple[Any, ...], how: dict[str, int]) -> float:
    """Train, and return the median seconds of the epochs after the first."""
    ends: list[float] = []

    def callback(state: Any) -> None:
        ends.append(time.perf_counter())

    model.fit(*data, callback=callback, **how)
    return float(np.median(np.diff(ends)))


def _bytes_per_step(model: Any) -> dict[str, int]:
    """Return the bytes sent to the workers and back in a step, and those of full training."""
    full = model.network_.config.fully_trained().n_params
    network = model.network_
    return {
        "bytes_per_step": _sent(network.theta, network.buffers),
        "bytes_per_step_of_full_training": _sent(np.zeros(full, network.dtype), network.buffers),
        "trained": network.n_trained,
        "trained_in_full": full,
    }


def _sent(theta: np.ndarray, buffers: np.ndarray) -> int:
    task = PartsTask(theta, buffers, 0, 0, 0, 0)
    found = PartGradient(theta, buffers, 0.0, 1.0, 1)
    return PARTS * (len(pickle.dumps(task)) + len(pickle.dumps([found])))
