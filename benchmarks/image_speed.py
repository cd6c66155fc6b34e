"""Epochs and memory of networks on images, against full training of the same in PyTorch."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from deepreservoir import Network, PlainCNNClassifier, ViTClassifier
from deepreservoir.layers import Adapter, Convolution, Pass, Step
from deepreservoir.models import PlainCNNConfig
from deepreservoir.params import ParamSet
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

from . import torch_images, torch_peers, torch_vit
from .contenders import IN_PARTS, RANK, THREADS, in_both_ways, least_ratios, with_numba
from .speed import figures_of
from .timing import Contenders, race

BATCH = 64
IMAGES, CLASSES = 1_000, 10
WIDE, WIDE_IMAGES, WIDE_SIZE = 256, 16, 8

#: Families of the wide convolution, and the least ratio of PyTorch's seconds to theirs.
_WIDE_TARGETS: dict[str, float | None] = {"normal": None, "hadamard": 1.0, "kronecker": 1.0}

_TRAINING = Pass(Step(0, 0))


def _images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random bytes of CIFAR-10's shape, since speed does not depend on their values."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n) % CLASSES


def plain_8(rounds: int, n: int = IMAGES) -> dict[str, Any]:
    """One epoch of Plain-8 on 1,000 images of 32 x 32, in batches of 64."""
    X, y = _images(n)

    def ours(parts: int | None = None, **params: Any) -> Callable[[], object]:
        model = PlainCNNClassifier(8, batch_size=BATCH, max_iter=1, random_state=0, **params)
        return lambda: model.fit(X, y, parts=parts)

    contenders = _networks(ours)
    if torch_peers.available():
        contenders["torch full"] = torch_images.epoch(
            torch_images.plain_cnn(8, 16, 3, CLASSES), X, y, BATCH
        )
    return figures_of(_raced(contenders, rounds), least_ratios(contenders))


def wide_convolution(rounds: int, width: int = WIDE) -> dict[str, Any]:
    """A step of one convolution of 3 x 3 with 256 channels on 16 images of 8 x 8."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((WIDE_IMAGES, WIDE_SIZE, WIDE_SIZE, width)).astype(np.float32)
    steps: Contenders = {
        family: _step(x, family, Adapter("lora", RANK)) for family in _WIDE_TARGETS
    }
    steps["full"] = _step(x, "normal", Adapter("full"))
    contenders = in_both_ways(steps)
    targets = {("torch full", name): _WIDE_TARGETS.get(name.split(",")[0]) for name in contenders}
    if torch_peers.available():
        contenders["torch full"] = torch_images.convolution_step(x, width)
    return figures_of(_raced(contenders, rounds), targets)


def vit(rounds: int, n: int = IMAGES) -> dict[str, Any]:
    """One epoch of a ViT on 1,000 images of 32 x 32: patches of 4, 4 blocks of width 64."""
    X, y = _images(n)

    def ours(parts: int | None = None, **params: Any) -> Callable[[], object]:
        model = ViTClassifier(4, 64, 4, 4, batch_size=BATCH, max_iter=1, random_state=0, **params)
        return lambda: model.fit(X, y, parts=parts)

    contenders = _networks(ours)
    if torch_peers.available():
        contenders["torch full"] = torch_vit.vit_epoch(X / np.float32(255), y, 4, 64, 4, 4, BATCH)
    return figures_of(_raced(contenders, rounds), least_ratios(contenders))


def _networks(ours: Callable[..., Callable[[], object]]) -> Contenders:
    """Return our networks in NumPy alone and, where numba is installed, with it."""
    return in_both_ways(
        {
            f"rank {RANK}": ours(rank=RANK),
            f"rank {RANK}, {IN_PARTS}": ours(parts=THREADS, rank=RANK),
            "full": ours(adapter="full"),
        }
    )


#: The races of `python -m benchmarks images`, by name.
RACES: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain_8": plain_8,
    "vit": vit,
    "wide_convolution": wide_convolution,
}


def memory(batch: int = 128) -> dict[str, float]:
    """Return the peak memory of a step of Plain-20, over the bytes of its activations.

    Activations are one float32 array per convolution, its output, and the images. NumPy alone is
    measured, since loading numba takes memory too.
    """
    x = np.random.default_rng(0).standard_normal((batch, 32, 32, 3)).astype(np.float32)
    ratios = {}
    for adapter in ("lora", "dora", "full"):
        config = PlainCNNConfig((32, 32, 3), CLASSES, rank=RANK, adapter=adapter)
        network = Network(config, 0)
        shape, numbers = x.shape, x.size
        for layer in network.body.walk():
            if isinstance(layer, Convolution):
                shape = layer.out_shape(shape)
                numbers += int(np.prod(shape))
        tracemalloc.start()
        with_numba(partial(_pass, network, x), False)()
        ratios[adapter] = tracemalloc.get_traced_memory()[1] / (4 * numbers)
        tracemalloc.stop()
    return ratios


def _pass(network: Network, x: np.ndarray) -> None:
    outputs, cache = network.forward(x, _TRAINING)
    network.backward(outputs, cache)


def _step(x: np.ndarray, family: str, adapter: Adapter) -> Callable[[], object]:
    """Return forward and backward passes of a convolution on x (n, h, w, c)."""
    width = x.shape[-1]
    layer = Convolution("conv", width, width, 3, adapter, padding=1)
    params = ParamSet(layer.slots())
    theta, grad = np.zeros(params.size, np.float32), np.zeros(params.size, np.float32)
    scaffolds = {
        request.path: make_scaffold(ScaffoldSpec(family, request.shape, 0, request.path))
        for request in layer.scaffold_requests()
    }
    layer.bind(params.views(theta), params.views(grad), scaffolds)
    layer.initialise(0)

    def run() -> None:
        y, cache = layer.forward(x, _TRAINING)
        layer.backward(y, cache)

    return run


def _raced(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    with threadpool_limits(THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after one epoch
        if torch_peers.available():
            torch_images.use_threads(THREADS)
        return race(contenders, rounds)
