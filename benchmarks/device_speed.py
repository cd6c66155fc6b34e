"""The speed benchmarks on a GPU, against PyTorch on the same card, in one run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from time import perf_counter as _now
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from deepreservoir import Network, PlainCNNClassifier
from deepreservoir.backend import Device, device_module, to_device
from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
from deepreservoir.inputs import Table
from deepreservoir.kernels import Precision, product_precision
from deepreservoir.kernels.graphs import Recorder, graphs_available
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.optim import AdamW
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold
from deepreservoir.training import Plan, TrainingSet, train

from . import torch_device_peers as torch_peers
from .speed import BATCH, MEDIUM, RANK, ROWS, WIDTH, figures_of, layer_step
from .timing import Contenders, race

WIDE, GIANT = 16_384, 65_536

#: Epochs per timing of the MNIST network, which share the work that is done once per fit.
EPOCHS = 4

#: Storages of a wide layer, by the family that is measured in each.
_STORAGES = {
    "dense": ("normal", "dense"),
    "hadamard": ("hadamard", "structured"),
    "kronecker": ("kronecker", "structured"),
    "streamed": ("normal", "streamed"),
    "packed binary": ("binary", "packed"),
}

_WARM_UP = 3


def device_name() -> str:
    """Return the name of the GPU in use."""
    runtime = device_module("cuda").cuda.runtime
    name = runtime.getDeviceProperties(runtime.getDevice())["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def _to_the_end(run: Callable[[], object]) -> Callable[[], object]:
    """Return a function that also waits until the device has finished."""
    wait = device_module("cuda").cuda.Device().synchronize

    def whole() -> None:
        run()
        wait()

    return whole


def _step(
    x: np.ndarray, family: str, storage: str, precision: Precision = "float32"
) -> Callable[[], object]:
    """Return a training step of one layer, as a CUDA graph if possible: training captures its."""
    step = layer_step(x, family, storage, "cuda")

    def at_precision() -> None:
        with product_precision(precision):
            step()

    if not graphs_available():
        return _to_the_end(at_precision)
    recorder = Recorder()
    with recorder.on_stream():
        with recorder.own_memory():
            for _ in range(_WARM_UP):
                at_precision()
        replay = recorder.capture(at_precision)

    def whole() -> None:
        replay()
        recorder.stream.synchronize()

    return whole


def generation(rounds: int, width: int = WIDE) -> dict[str, Any]:
    """Draw weights where they are used."""

    def drawn(family: str, storage: str) -> Callable[[], object]:
        spec = ScaffoldSpec(family, (width, width), 0, "layers.0")
        return _to_the_end(lambda: make_scaffold(spec, storage, device="cuda"))

    contenders: Contenders = {
        "normal": drawn("normal", "dense"),
        "binary, packed": drawn("binary", "packed"),
    }
    if torch_peers.available():
        contenders["torch normal_"] = torch_peers.normal(width * width)
    figures = figures_of(race(contenders, rounds), {("torch normal_", "normal"): None})
    figures["billion_weights_per_second"] = {
        name: width * width / seconds / 1e9 for name, seconds in figures["median_seconds"].items()
    }
    return figures


def one_layer(rounds: int, width: int = WIDTH, names: tuple[str, ...] = tuple(_STORAGES)) -> Any:
    """Forward, backward and update of one layer, batch 128, rank 8, in float32 and TF32."""
    x = np.random.default_rng(0).standard_normal((BATCH, width), np.float32)
    contenders: Contenders = {}
    precisions: tuple[Precision, ...] = ("float32", "tf32")
    for precision in precisions:
        suffix = "" if precision == "float32" else f", {precision}"
        for name in names:
            contenders[f"{name}{suffix}"] = _step(x, *_STORAGES[name], precision)
        if torch_peers.available():
            tf32 = precision == "tf32"
            for kind, rank in (("full", None), ("adapters", RANK)):
                contenders[f"torch {kind}{suffix}"] = torch_peers.layer_step(x, rank, tf32)
                contenders[f"torch {kind}, graph{suffix}"] = torch_peers.layer_step(
                    x, rank, tf32, graph=True
                )
    targets = {
        ("torch adapters, tf32", "dense, tf32"): 1.0,
        ("torch full, tf32", "hadamard"): 10.0 if width == WIDE else None,
        ("torch full, graph, tf32", "hadamard"): None,
        ("streamed", "dense"): 1 / 2 if width == WIDE else None,
        ("packed binary", "dense"): None,
        ("streamed, tf32", "dense, tf32"): None,
        ("packed binary, tf32", "dense, tf32"): None,
    }
    present = {pair: target for pair, target in targets.items() if set(pair) <= set(contenders)}
    return figures_of(race(contenders, rounds), present)


def giant_layer(rounds: int, width: int = GIANT) -> dict[str, Any]:
    """A training step of a streamed layer, whose weights would take 17 GB."""
    x = np.random.default_rng(0).standard_normal((BATCH, width), np.float32)
    contenders: Contenders = {
        "streamed": _step(x, "normal", "streamed"),
        "streamed, tf32": _step(x, "normal", "streamed", "tf32"),
    }
    return figures_of(race(contenders, rounds), {})


def _epochs(X: np.ndarray, y: np.ndarray, precision: Precision, **config: Any) -> Any:
    """Return a function that trains for some epochs, with the first layer's frozen product."""
    network = Network(MLPConfig(784, 10, MEDIUM[1:-1], dropout=0.1, **config), 0, device="cuda")
    network.precision = precision
    data = TrainingSet(Table(X, network.dtype, "cuda"), to_device(y, "cuda"))
    plan = Plan(AdamW(), 3e-3, epochs=EPOCHS, batch_size=BATCH)
    return _to_the_end(lambda: train(network, data, SoftmaxCrossEntropy(), plan))


def mnist_epoch(rounds: int, rows: int = ROWS) -> dict[str, Any]:
    """Seconds per epoch of MNIST medium, on noise of MNIST's shape."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((rows, 784), np.float32)
    y = generator.integers(0, 10, rows)
    contenders: Contenders = {
        "rank 8": _epochs(X, y, "float32", rank=RANK),
        "rank 8, tf32": _epochs(X, y, "tf32", rank=RANK),
        "rank 8, hadamard": _epochs(X, y, "float32", rank=RANK, scaffold="hadamard"),
        "full": _epochs(X, y, "float32", adapter="full", bias=True),
    }
    if torch_peers.available():
        for kind, rank in (("full", None), ("adapters", RANK)):
            for graph in (False, True):
                contenders[f"torch {kind}{', graph' if graph else ''}"] = torch_peers.mlp_epoch(
                    X, y, MEDIUM, rank, BATCH, 0.1, EPOCHS, graph
                )
    seconds = race(contenders, rounds)
    seconds = {name: [time / EPOCHS for time in times] for name, times in seconds.items()}
    return figures_of(
        seconds,
        {
            ("torch full", "rank 8"): 8.0,
            ("torch full, graph", "rank 8"): 1.5,
            ("torch full", "full"): 8.0,
            ("torch full, graph", "full"): 1.5,
            ("torch adapters", "rank 8"): None,
            ("torch adapters, graph", "rank 8"): None,
        },
    )


def images_epoch(n: int = 50_000, depth: int = 20) -> dict[str, Any]:
    """Seconds per epoch of Plain-20 on images of CIFAR-10's size, with crops and flips."""
    X = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)
    seconds: dict[str, list[float]] = {}
    precisions: tuple[Precision, ...] = ("float32", "tf32")
    for precision in precisions:
        model = PlainCNNClassifier(
            depth,
            rank=RANK,
            batch_size=BATCH,
            max_iter=2,
            augmentation=("crop", "flip"),
            device="cuda",
            precision=precision,
            random_state=0,
        )
        ends: list[float] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, np.arange(n) % 10, callback=lambda _, ends=ends: ends.append(_now()))
        # The first epoch compiles kernels and captures steps.
        seconds[f"rank {RANK}, {precision}"] = np.diff(ends).tolist()
    return figures_of(seconds, {})


def reservoir(rounds: int, units: int = 2048, steps: int = 2000) -> dict[str, Any]:
    """One series through a Hadamard reservoir, and 256 series of 500 steps through 1,000 units."""
    generator = np.random.default_rng(0)

    def run(spec: RecurrentSpec, series: int, steps: int, device: Device) -> Callable[[], object]:
        X = generator.standard_normal((series, steps, 1)).astype(np.float32)
        inputs = to_device(X, device)
        driven = Reservoir(ReservoirSpec(spec), 1, device=device)
        return _to_the_end(lambda: driven.states(inputs))

    hadamard = RecurrentSpec(units, "hadamard")
    sparse = RecurrentSpec(max(units // 2, 1), "random", density=0.1)
    contenders: Contenders = {}
    for device in ("cuda", "cpu"):
        contenders[f"hadamard {units}, one series, {device}"] = run(hadamard, 1, steps, device)
        contenders[f"256 series, {device}"] = run(sparse, 256, max(steps // 4, 1), device)
    figures = figures_of(race(contenders, rounds), {})
    figures["microseconds_per_step"] = {
        name: 1e6 * seconds / (steps if "one series" in name else max(steps // 4, 1))
        for name, seconds in figures["median_seconds"].items()
    }
    return figures


def races(device: Device, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figures) for each race."""
    few = max(3, rounds // 3)
    yield "generation", generation(rounds)
    yield "one layer, 4,096 wide", one_layer(rounds)
    yield "one layer, 16,384 wide", one_layer(few, WIDE)
    yield "one layer, 65,536 wide", giant_layer(few)
    yield "mnist epoch", mnist_epoch(few)
    yield "plain-20 epoch", images_epoch()
    yield "reservoir", reservoir(few)
