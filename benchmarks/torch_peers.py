"""The same work in PyTorch, if it is installed, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np


def _torch() -> Any:
    import torch

    return torch


def available() -> bool:
    """Return whether PyTorch can be imported."""
    try:
        _torch()
    except ImportError:
        return False
    return True


def normal(n: int) -> Callable[[], object]:
    """Return a function that draws n normal float32 numbers into a buffer."""
    buffer = _torch().empty(n)
    return lambda: buffer.normal_()


def products(x: np.ndarray, W: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return functions that multiply x (n, d) by W^T and by W, both (d, d)."""
    torch = _torch()
    rows, weight = torch.from_numpy(x), torch.from_numpy(W)
    return lambda: rows @ weight.T, lambda: rows @ weight


def _module(d_in: int, d_out: int, rank: int | None, bias: bool) -> Any:
    """Return a fully trained layer (rank None), or a frozen one with a low-rank adapter."""
    torch = _torch()

    class Adapted(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("W", torch.randn(d_out, d_in) / d_in**0.5)
            self.A = torch.nn.Parameter(torch.randn(rank, d_in) / d_in**0.5)
            self.B = torch.nn.Parameter(torch.randn(d_out, rank) * 0.01)
            self.beta = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: Any) -> Any:
            linear = torch.nn.functional.linear
            return self.beta * linear(x, self.W) + linear(linear(x, self.A), self.B)

    return torch.nn.Linear(d_in, d_out, bias=bias) if rank is None else Adapted()


def _optimiser(module: Any, fused: bool) -> Any:
    # PyTorch's default AdamW works tensor by tensor; fused=True is its fastest on a CPU.
    return _torch().optim.AdamW(module.parameters(), lr=1e-3, fused=fused or None)


def layer_step(x: np.ndarray, d_out: int, rank: int | None, fused: bool) -> Callable[[], object]:
    """Return a training step of one layer: forward, backward with input gradient, AdamW."""
    torch = _torch()
    module = _module(x.shape[1], d_out, rank, bias=False)
    optimiser = _optimiser(module, fused)
    inputs = torch.from_numpy(x).requires_grad_()
    dy = torch.randn(len(x), d_out)

    def step() -> None:
        optimiser.zero_grad()
        inputs.grad = None
        module(inputs).backward(dy)
        optimiser.step()

    return step


def mlp(widths: tuple[int, ...], rank: int | None, dropout: float) -> Any:
    """Return a ReLU network with dropout, fully trained (rank None) or with adapters."""
    torch = _torch()
    layers: list[Any] = []
    for d_in, d_out in pairwise(widths[:-1]):
        layers += [
            _module(d_in, d_out, rank, bias=rank is None),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
        ]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-2], widths[-1]))


def mlp_epoch(
    X: np.ndarray,
    y: np.ndarray,
    widths: tuple[int, ...],
    rank: int | None,
    batch: int,
    dropout: float,
    epochs: int,
    fused: bool,
) -> Callable[[], object]:
    """Return epochs of a ReLU network with dropout, softmax cross-entropy and AdamW."""
    torch = _torch()
    model = mlp(widths, rank, dropout)
    optimiser = _optimiser(model, fused)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)

    def epoch() -> None:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), batch):
            index = order[start : start + batch]
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs[index]), labels[index])
            loss.backward()
            optimiser.step()

    def run() -> None:
        for _ in range(epochs):
            epoch()

    return run


def cfc_epoch(
    X: np.ndarray, y: np.ndarray, units: int, backbone: int, batch: int, fused: bool
) -> Callable[[], object]:
    """Return an epoch of a fully trained closed-form continuous-time network with AdamW."""
    torch = _torch()
    nn = torch.nn
    d_in = X.shape[2]

    class Cell(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Sequential(
                nn.Linear(d_in + units, backbone),
                nn.SiLU(),
                nn.Linear(backbone, backbone),
                nn.SiLU(),
                nn.Dropout(0.2),
            )
            self.heads = nn.Linear(backbone, 4 * units)  # the four heads as one product
            self.head = nn.Linear(units, 2)

        def forward(self, x: Any) -> Any:
            state = torch.zeros(len(x), units)
            for step in range(x.shape[1]):
                z = self.backbone(torch.cat([x[:, step], state], dim=1))
                ff1, ff2, a, b = self.heads(z).chunk(4, dim=1)
                gate = torch.sigmoid(a + b)  # elapsed times of one
                state = torch.tanh(ff1) * (1 - gate) + torch.tanh(ff2) * gate
            return self.head(state)

    model = Cell()
    optimiser = _optimiser(model, fused)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)

    def epoch() -> None:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), batch):
            index = order[start : start + batch]
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(inputs[index]), labels[index]).backward()
            optimiser.step()

    return epoch
