"""What a training step consists of: products, compiled loops, and the rest.

The parts of a step of the MNIST network at rank 8 are run alone, in the shapes of that step. The
two products of a wide layer are run in NumPy and in PyTorch, on the same matrices.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from deepreservoir.kernels import compiled

from . import torch_peers
from .contenders import with_numba
from .speed import BATCH, MEDIUM, RANK, WIDTH, epochs, figures_of
from .timing import Contenders, race

REPEATS = 100  # of the parts of a step, per timing
ROWS = 32_000  # 250 steps


def _matrix(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def frozen_products() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the factors of a step's products with frozen matrices; the first layer has none."""
    pairs = []
    for d_in, d_out in pairwise(MEDIUM[1:-1]):
        W = _matrix(d_out, d_in)
        pairs += [(_matrix(BATCH, d_in), W.T), (_matrix(BATCH, d_out), W)]
    return pairs


def narrow_products() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the factors of a step's products with A, B, the head, and for their gradients."""
    pairs = []
    for d_in, d_out in pairwise(MEDIUM[:-1]):
        x, dy, z = _matrix(BATCH, d_in), _matrix(BATCH, d_out), _matrix(BATCH, RANK)
        A, B = _matrix(RANK, d_in), _matrix(d_out, RANK)
        pairs += [(x, A.T), (dy, B), (z.T, x), (dy.T, z)]
    x, dy, head = _matrix(BATCH, MEDIUM[-2]), _matrix(BATCH, MEDIUM[-1]), _matrix(*MEDIUM[:-3:-1])
    return [*pairs, (x, head.T), (dy.T, x), (dy, head)]


def _multiply(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for _ in range(REPEATS):
        for a, b in pairs:
            a @ b


def _pass_through() -> None:
    """Run the loops of a step: the two paths with ReLU and dropout, and the gradients of both."""
    loops, words = compiled.dense_loops(), [np.uint64(k) for k in range(3)]
    one, drop = np.float32(1), (np.uint16(6554), np.float32(1.1), *words)
    shapes = list(pairwise(MEDIUM[:-1]))
    arrays = {width: _matrix(BATCH, width) for width in MEDIUM}
    z, bias = _matrix(BATCH, RANK), np.empty(0, np.float32)
    A = {width: _matrix(RANK, width) for width in MEDIUM}
    B = {width: _matrix(width, RANK) for width in MEDIUM}
    for _ in range(REPEATS):
        for i, (d_in, d_out) in enumerate(shapes):
            y = arrays[d_out]
            loops.adapted_relu(y, one, z, one, B[d_out], bias, *drop, np.empty_like(y))
            flat = y.reshape(-1)
            loops.relu_dropout_backward(flat, flat, np.float32(1.1), np.empty_like(flat))
            if i:
                g = arrays[d_in]
                loops.adapted_input_gradient_(g.copy(), one, z, one, A[d_in], g)


def mnist_step(rounds: int) -> dict[str, Any]:
    """Seconds of a step of the MNIST network at rank 8, and of parts of it run alone."""
    X, y = _matrix(ROWS, MEDIUM[0]), np.random.default_rng(0).integers(0, 10, ROWS)
    steps, n_epochs = ROWS // BATCH, 4
    epoch = epochs(X, y, n_epochs=n_epochs, rank=RANK)
    frozen, narrow = frozen_products(), narrow_products()
    contenders: Contenders = {
        "whole": with_numba(epoch, False),
        "frozen products": lambda: _multiply(frozen),
        "products with A, B and the head": lambda: _multiply(narrow),
    }
    counts = dict.fromkeys(contenders, REPEATS) | {"whole": steps * n_epochs}
    if compiled.available():
        contenders |= {"whole, numba": with_numba(epoch, True), "compiled loops": _pass_through}
        counts |= {"whole, numba": steps * n_epochs, "compiled loops": REPEATS}
    seconds = race(contenders, rounds)
    return figures_of({k: [t / counts[k] for t in times] for k, times in seconds.items()}, {})


def wide_products(rounds: int) -> dict[str, Any]:
    """Seconds of the two frozen products of a layer 4,096 wide, in NumPy and in PyTorch."""
    x, W = _matrix(BATCH, WIDTH), _matrix(WIDTH, WIDTH)
    contenders: Contenders = {"forward: numpy": lambda: x @ W.T, "backward: numpy": lambda: x @ W}
    if torch_peers.available():
        forward, backward = torch_peers.products(x, W)
        contenders |= {"forward: torch": forward, "backward: torch": backward}
    seconds = race(contenders, rounds)
    pairs: dict[tuple[str, str], float | None] = {
        (f"{way}: torch", f"{way}: numpy"): None for way in ("forward", "backward")
    }
    return figures_of(seconds, pairs)


#: The races of `python -m benchmarks step`, by name.
RACES = {"mnist step": mnist_step, "wide layer": wide_products}
