"""Networks on images in PyTorch, fully trained, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _torch() -> Any:
    import torch

    return torch


def use_threads(n: int) -> None:
    """Limit PyTorch to a number of threads."""
    _torch().set_num_threads(n)


def plain_cnn(depth: int, width: int, channels: int, classes: int) -> Any:
    """Return the plain network of He et al. (2016): convolutions, batch normalisation, ReLU."""
    nn = _torch().nn
    widths = [width, *(factor * width for factor in (1, 2, 4) for _ in range((depth - 2) // 3))]
    layers: list[Any] = []
    for i, c_out in enumerate(widths):
        c_in = widths[i - 1] if i else channels
        stride = 2 if i and c_out != c_in else 1
        convolution = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes)
    )


def epoch(model: Any, X: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], object]:
    """Return an epoch of AdamW on images (n, h, w, c), which are bytes."""
    torch = _torch()
    # This is PyTorch's faster layout of memory for convolutions on a CPU.
    model = model.to(memory_format=torch.channels_last)
    images = torch.tensor(X.astype(np.float32) / 255).permute(0, 3, 1, 2)
    targets = torch.tensor(y, dtype=torch.int64)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, fused=True)

    def run() -> None:
        for index in torch.randperm(len(images)).split(batch):
            optimiser.zero_grad()
            outputs = model(images[index])
            torch.nn.functional.cross_entropy(outputs, targets[index]).backward()
            optimiser.step()

    return run


def convolution_step(x: np.ndarray, c_out: int) -> Callable[[], object]:
    """Return forward and backward passes of a convolution of 3 x 3 on x (n, h, w, c)."""
    torch = _torch()
    layer = torch.nn.Conv2d(x.shape[-1], c_out, 3, padding=1, bias=False)
    layer = layer.to(memory_format=torch.channels_last)
    images = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()

    def run() -> None:
        y = layer(images)
        y.backward(y.detach())

    return run
