"""The same work in PyTorch on a GPU, eager and as a CUDA graph, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .torch_peers import _module, _torch, mlp

#: Steps before a capture, as PyTorch's documentation asks for.
_WARM_UP = 4


def available() -> bool:
    """Return whether PyTorch finds a GPU."""
    try:
        return bool(_torch().cuda.is_available())
    except ImportError:
        return False


@contextmanager
def _precision(tf32: bool) -> Iterator[None]:
    matmul = _torch().backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32 = before


def _optimiser(module: Any, graph: bool) -> Any:
    return _torch().optim.AdamW(module.parameters(), lr=1e-3, fused=True, capturable=graph)


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return a function that replays a step as a CUDA graph."""
    torch = _torch()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    # The graph knows addresses only: a reference keeps the arrays of the step.
    def replay(held: Callable[[], None] = step) -> None:
        graph.replay()

    return replay


def normal(n: int) -> Callable[[], object]:
    """Return a function that draws n normal float32 numbers into a buffer."""
    torch = _torch()
    buffer = torch.empty(n, device="cuda")

    def run() -> None:
        buffer.normal_()
        torch.cuda.synchronize()

    return run


def layer_step(
    x: np.ndarray, rank: int | None, tf32: bool, graph: bool = False
) -> Callable[[], object]:
    """Return a training step of one square layer: forward, backward with input gradient, AdamW."""
    torch = _torch()
    n, width = x.shape
    module = _module(width, width, rank, bias=False).cuda()
    optimiser = _optimiser(module, graph)
    inputs = torch.from_numpy(x).cuda().requires_grad_()
    dy = torch.randn(n, width, device="cuda")

    def step() -> None:
        optimiser.zero_grad(set_to_none=not graph)
        inputs.grad = None
        module(inputs).backward(dy)
        optimiser.step()

    with _precision(tf32):
        run = _captured(step) if graph else step

    def whole() -> None:
        with _precision(tf32):
            run()
        torch.cuda.synchronize()

    return whole


def mlp_epoch(
    X: np.ndarray,
    y: np.ndarray,
    widths: tuple[int, ...],
    rank: int | None,
    batch: int,
    dropout: float,
    epochs: int,
    graph: bool,
) -> Callable[[], object]:
    """Return epochs of a ReLU network with dropout, softmax cross-entropy and fused AdamW.

    Data are on the GPU, and rows are gathered there. Under `graph`, a step is a CUDA graph that
    gathers the rows of an index, which is copied to where it reads it.
    """
    torch = _torch()
    model = mlp(widths, rank, dropout).cuda()
    optimiser = _optimiser(model, graph)
    inputs, labels = torch.from_numpy(X).cuda(), torch.from_numpy(y).cuda()
    chosen = torch.zeros(batch, dtype=torch.long, device="cuda")

    def on(index: Any) -> None:
        optimiser.zero_grad(set_to_none=not graph)
        loss = torch.nn.functional.cross_entropy(model(inputs[index]), labels[index])
        loss.backward()
        optimiser.step()

    replay = _captured(lambda: on(chosen)) if graph else None

    def run() -> None:
        for _ in range(epochs):
            order = torch.randperm(len(inputs), device="cuda")
            for start in range(0, len(inputs), batch):
                index = order[start : start + batch]
                if replay is None or len(index) < batch:
                    on(index)
                else:
                    chosen.copy_(index)
                    replay()
        torch.cuda.synchronize()

    return run
