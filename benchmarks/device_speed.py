"""The speed benchmarks on a GPU: the same work on the device and on the host, in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from deepreservoir.backend import Device, device_module
from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

from .speed import BATCH, EPOCHS, RANK, ROWS, WIDTH, epochs, figures_of, layer_step
from .timing import Contenders, race

_UNITS, _SERIES, _STEPS = 1000, 32, 1000


def device_name() -> str:
    """Return the name of the GPU in use."""
    runtime = device_module("cuda").cuda.runtime
    name = runtime.getDeviceProperties(runtime.getDevice())["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def _to_the_end(run: Callable[[], object], device: Device) -> Callable[[], object]:
    """Return a function that also waits until the device has finished."""
    if device == "cpu":
        return run
    wait = device_module(device).cuda.Device().synchronize

    def whole() -> None:
        run()
        wait()

    return whole


def _both(
    device: Device, make: Callable[[Device], dict[str, Callable[[], object]]], rounds: int
) -> dict[str, list[float]]:
    """Time the same work on the host and on the device."""
    contenders: Contenders = {}
    for place in dict.fromkeys(("cpu", device)):
        for name, run in make(place).items():
            contenders[f"{name}, {place}"] = _to_the_end(run, place)
    return race(contenders, rounds)


def _figures(seconds: dict[str, list[float]], device: Device) -> dict[str, Any]:
    on_device = [name for name in seconds if name.endswith(f", {device}")]
    pairs: dict[tuple[str, str], float | None]
    pairs = {(f"{name.rpartition(',')[0]}, cpu", name): None for name in on_device}
    return figures_of(seconds, pairs)


def generation(device: Device, rounds: int) -> dict[str, Any]:
    """Draw 16.8 million weights on the device that uses them."""

    def make(place: Device) -> dict[str, Callable[[], object]]:
        def drawn(family: str, storage: str) -> Callable[[], object]:
            spec = ScaffoldSpec(family, (WIDTH, WIDTH), 0, "layers.0")
            return lambda: make_scaffold(spec, storage, device=place)

        return {"normal": drawn("normal", "dense"), "binary, packed": drawn("binary", "packed")}

    return _figures(_both(device, make, rounds), device)


def one_layer(device: Device, rounds: int) -> dict[str, Any]:
    """Forward, backward and update of one layer 4096 wide, batch 128, rank 8."""
    x = np.random.default_rng(0).standard_normal((BATCH, WIDTH), np.float32)
    storages = {"normal": "dense", "hadamard": "structured", "binary": "packed"}

    def make(place: Device) -> dict[str, Callable[[], object]]:
        return {
            family: layer_step(x, family, storage, place) for family, storage in storages.items()
        }

    return _figures(_both(device, make, rounds), device)


def mnist_epoch(device: Device, rounds: int) -> dict[str, Any]:
    """Seconds per epoch of MNIST medium at rank 8 and fully trained, on noise of MNIST's shape."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((ROWS, 784), np.float32)
    y = generator.integers(0, 10, ROWS)

    def make(place: Device) -> dict[str, Callable[[], object]]:
        return {
            "rank 8": epochs(X, y, place, rank=RANK),
            "full": epochs(X, y, place, adapter="full", bias=True),
        }

    seconds = _both(device, make, rounds)
    return _figures(
        {name: [time / EPOCHS for time in times] for name, times in seconds.items()}, device
    )


def reservoir(device: Device, rounds: int) -> dict[str, Any]:
    """A thousand steps of 32 parallel series with 1000 units: sparse and dense weights."""
    X = np.random.default_rng(0).standard_normal((_SERIES, _STEPS, 1)).astype(np.float32)

    def make(place: Device) -> dict[str, Callable[[], object]]:
        inputs = device_module(place).asarray(X)

        def run(topology: str, density: float) -> Callable[[], object]:
            spec = ReservoirSpec(RecurrentSpec(_UNITS, topology, density=density))
            driven = Reservoir(spec, 1, device=place)
            return lambda: driven.states(inputs)

        return {"10 % of links": run("random", 0.1), "dense": run("dense", 1.0)}

    return _figures(_both(device, make, rounds), device)


def races(device: Device, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figures) for each race."""
    yield "generation", generation(device, rounds)
    yield "one layer", one_layer(device, rounds)
    yield "mnist epoch", mnist_epoch(device, max(3, rounds // 3))
    yield "reservoir", reservoir(device, rounds)
