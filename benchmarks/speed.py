"""The speed benchmarks: generation, one layer, an MNIST epoch, predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deepreservoir.backend import Device, device_module, to_device
from deepreservoir.inputs import Table
from deepreservoir.layers import AdaptedDense, Adapter, Pass, Step
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network
from deepreservoir.optim import AdamW
from deepreservoir.params import ParamSet
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold
from deepreservoir.training import Plan, TrainingSet, train

from . import jax_peers, prediction_speed, torch_peers
from .contenders import WITH_NUMBA, in_both_ways
from .timing import Contenders, medians, race, ratio

MEDIUM = (784, 512, 256, 128, 64, 10)
ROWS, BATCH, RANK, WIDTH = 54_000, 128, 8, 4096
SCAN_ROWS = 32_000  # whole batches, as a scan needs
EPOCHS = 10  # epochs per timing; they share the work that is done once per fit (normally 20 epochs)


def figures_of(
    seconds: dict[str, list[float]], targets: dict[tuple[str, str], float | None]
) -> dict[str, Any]:
    """Return medians, and the ratio and the target of each (slow, fast) pair."""
    return {
        "median_seconds": medians(seconds),
        "ratios": [
            {
                "faster": fast,
                "than": slow,
                "times": ratio(seconds, slow, fast),
                "target": target,
            }
            for (slow, fast), target in targets.items()
            if slow in seconds
        ],
    }


def generation(rounds: int) -> dict[str, Any]:
    """Draw 16.8 million normal weights on one core."""
    n = 4096 * 4096
    buffer = np.empty(n, np.float32)
    generator = np.random.default_rng(0)
    spec = ScaffoldSpec("normal", (4096, 4096), 0, "layers.0")
    contenders: Contenders = {
        "scaffold": lambda: spec.rows(0, 4096, buffer.reshape(4096, 4096)),
        "numpy standard_normal": lambda: generator.standard_normal(out=buffer, dtype=np.float32),
    }
    if torch_peers.available():
        contenders["torch normal_"] = torch_peers.normal(n)
    with threadpool_limits(1):
        seconds = race(contenders, rounds)
    figures = figures_of(
        seconds,
        {("numpy standard_normal", "scaffold"): 3.0, ("torch normal_", "scaffold"): None},
    )
    figures["million_weights_per_second"] = {
        name: n / median / 1e6 for name, median in figures["median_seconds"].items()
    }
    return figures


def layer_step(
    x: np.ndarray, family: str, storage: str, device: Device = "cpu"
) -> Callable[[], object]:
    """Return a training step of one adapted layer: forward, backward, update."""
    xp = device_module(device)
    width = x.shape[1]
    layer = AdaptedDense("layers.0", width, width, Adapter(rank=RANK))
    params = ParamSet(layer.slots())
    theta = xp.empty(params.size, np.float32)
    grad = xp.zeros_like(theta)
    spec = ScaffoldSpec(family, (width, width), 0, "layers.0")
    scaffold = make_scaffold(spec, storage, device=device)
    layer.bind(params.views(theta), params.views(grad), {"layers.0": scaffold})
    layer.initialise(0)
    optimiser = AdamW()
    state, mask = optimiser.init(theta), params.decay_mask(theta)
    dy = to_device(np.random.default_rng(1).standard_normal(x.shape, np.float32), device)
    rows = to_device(x, device)

    def step() -> None:
        grad.fill(0)
        _, cache = layer.forward(rows, Pass(Step(0, 0)))
        layer.backward(dy, cache)
        optimiser.update(theta, grad, state, 1e-3, mask)

    return step


def one_layer(rounds: int) -> dict[str, Any]:
    """Forward, backward and update of one layer 4096 wide, batch 128, rank 8."""
    x = np.random.default_rng(0).standard_normal((BATCH, WIDTH), np.float32)
    square = np.random.default_rng(1).standard_normal((WIDTH, WIDTH), np.float32)
    contenders: Contenders = {
        "dense": layer_step(x, "normal", "dense"),
        "hadamard": layer_step(x, "hadamard", "structured"),
        "kronecker": layer_step(x, "kronecker", "structured"),
        "binary, packed": layer_step(x, "binary", "packed"),
        "normal, streamed": layer_step(x, "normal", "streamed"),
        "matrix product alone": lambda: square @ square,
    }
    if torch_peers.available():
        for fused in (False, True):
            kind = "torch fused" if fused else "torch"
            contenders[f"{kind} full"] = torch_peers.layer_step(x, WIDTH, None, fused)
            contenders[f"{kind} adapters"] = torch_peers.layer_step(x, WIDTH, RANK, fused)
    seconds = race(contenders, rounds)
    figures = figures_of(
        seconds,
        {
            ("torch adapters", "dense"): 1.2,
            ("torch fused adapters", "dense"): None,
            ("torch full", "hadamard"): 15.0,
            ("torch fused full", "hadamard"): None,
            ("torch fused full", "kronecker"): None,
            ("torch fused full", "dense"): None,
        },
    )
    median = figures["median_seconds"]
    rate = {
        "matrix product alone": 2 * WIDTH**3 / median["matrix product alone"] / 1e9,
        # Two products with W; the low-rank path and the update are not counted.
        "dense": 4 * BATCH * WIDTH**2 / median["dense"] / 1e9,
    }
    figures["gflops"] = rate
    figures["share_of_machine_rate"] = {
        "reached": rate["dense"] / rate["matrix product alone"],
        "target": 0.5,
    }
    return figures


def epochs(
    X: np.ndarray, y: np.ndarray, device: Device = "cpu", n_epochs: int = EPOCHS, **config: Any
) -> Callable[[], object]:
    """Return a function that trains for some epochs, including the first layer's frozen product."""
    shape = MLPConfig(784, 10, MEDIUM[1:-1], dropout=0.1, **config)
    network = Network(shape, seed=0, device=device)
    data = TrainingSet(Table(X, network.dtype, device), to_device(y, device))
    plan = Plan(AdamW(), 3e-3, epochs=n_epochs, batch_size=BATCH)
    return lambda: train(network, data, SoftmaxCrossEntropy(), plan)


def mnist_epoch(rounds: int) -> dict[str, Any]:
    """Seconds per epoch of MNIST medium at rank 8, on 54,000 rows of noise in MNIST's shape."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((ROWS, 784), np.float32)
    y = generator.integers(0, 10, ROWS)
    contenders = in_both_ways(
        {
            "rank 8": epochs(X, y, rank=RANK),
            "rank 8, hadamard": epochs(X, y, rank=RANK, scaffold="hadamard"),
        }
    )
    contenders["full"] = epochs(X, y, adapter="full", bias=True)
    if torch_peers.available():
        for fused in (False, True):
            kind = "torch fused" if fused else "torch"
            contenders[f"{kind} full"] = torch_peers.mlp_epoch(
                X, y, MEDIUM, None, BATCH, 0.1, EPOCHS, fused
            )
        contenders["torch fused adapters"] = torch_peers.mlp_epoch(
            X, y, MEDIUM, RANK, BATCH, 0.1, EPOCHS, True
        )
    seconds = race(contenders, rounds)
    seconds = {name: [time / EPOCHS for time in times] for name, times in seconds.items()}
    targets = {
        ("torch full", "rank 8"): 3.0,
        ("torch fused full", "rank 8"): 3.0,
        ("torch fused full", "rank 8, hadamard"): None,
        ("torch fused adapters", "rank 8"): None,
        ("torch fused full", "full"): None,
    }
    return figures_of(seconds, _of_both_ways(targets, contenders))


def _of_both_ways(
    targets: dict[tuple[str, str], float | None], contenders: Contenders
) -> dict[tuple[str, str], float | None]:
    """Return the targets of (slow, fast) pairs, and the same where `fast` is run with numba."""
    return {
        (slow, name): target
        for (slow, fast), target in targets.items()
        for name in (fast, fast + WITH_NUMBA)
        if name in contenders
    }


def scanned_epoch(rounds: int, rows: int = SCAN_ROWS, epochs_each: int = EPOCHS) -> dict[str, Any]:
    """Seconds per epoch of the same network against JAX, which compiles a whole epoch."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((rows, 784), np.float32)
    y = generator.integers(0, 10, rows)
    contenders = in_both_ways({"rank 8": epochs(X, y, rank=RANK, n_epochs=epochs_each)})
    contenders["full"] = epochs(X, y, adapter="full", bias=True, n_epochs=epochs_each)
    for name, rank in (("jax full", None), ("jax adapters", RANK)):
        contenders[name] = jax_peers.mlp_epochs(X, y, MEDIUM, rank, BATCH, 0.1, epochs_each)
    seconds = race(contenders, rounds)
    seconds = {name: [time / epochs_each for time in times] for name, times in seconds.items()}
    targets = {
        ("jax full", "rank 8"): 2.0,
        ("jax adapters", "rank 8"): 1.4,
        ("jax full", "full"): None,
    }
    return figures_of(seconds, _of_both_ways(targets, contenders))


def races(rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figures) for each race."""
    yield "generation", generation(rounds)
    yield "one layer", one_layer(rounds)
    yield "mnist epoch", mnist_epoch(max(3, rounds // 3))
    if jax_peers.available():
        yield "mnist epoch in one scan", scanned_epoch(max(3, rounds // 3))
    yield from prediction_speed.races(rounds)
