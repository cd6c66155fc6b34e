"""A Vision Transformer in PyTorch, fully trained, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def vit_epoch(
    images: np.ndarray,
    labels: np.ndarray,
    patch_size: int,
    width: int,
    depth: int,
    heads: int,
    batch: int,
) -> Callable[[], object]:
    """Return an epoch of a ViT with AdamW, without augmentation and dropout.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width, channels)
    labels : ndarray of int, shape (n,)
    patch_size, width, depth, heads, batch : int
    """
    import torch
    from torch import nn

    F = torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.into, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            n, t, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, heads, width // heads)
            a = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
            x = x + self.out(a.transpose(1, 2).reshape(n, t, width))
            return x + self.back(F.gelu(self.into(self.norm2(x))))

    n, height, breadth, channels = images.shape
    rows, columns = height // patch_size, breadth // patch_size
    patches = images.reshape(n, rows, patch_size, columns, patch_size, channels).swapaxes(2, 3)
    x = torch.tensor(patches.reshape(n, rows * columns, -1))
    y = torch.tensor(labels, dtype=torch.int64)
    embed, head = nn.Linear(x.shape[2], width), nn.Linear(width, int(labels.max()) + 1)
    blocks = nn.Sequential(*(Block() for _ in range(depth)), nn.LayerNorm(width))
    token = nn.Parameter(torch.zeros(1, 1, width))
    position = nn.Parameter(torch.zeros(1, rows * columns + 1, width))
    parameters = [*nn.ModuleList([embed, blocks, head]).parameters(), token, position]
    optimiser = torch.optim.AdamW(parameters, 1e-3, fused=True)

    def run() -> None:
        for chosen in torch.randperm(n).split(batch):
            optimiser.zero_grad()
            tokens = torch.cat([token.expand(len(chosen), 1, width), embed(x[chosen])], dim=1)
            logits = head(blocks(tokens + position)[:, 0])
            F.cross_entropy(logits, y[chosen]).backward()
            optimiser.step()

    return run
