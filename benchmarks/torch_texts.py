"""Networks on texts in PyTorch, fully trained, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def decoder(vocabulary: int, width: int, depth: int, heads: int, mlp_width: int) -> Any:
    """Return a Llama-style decoder with tied output: codes (n, t) to logits (n, t, vocabulary)."""
    import torch
    from torch import nn

    F = torch.nn.functional
    half = width // heads // 2

    def rotated(x: Any, cos: Any, sin: Any) -> Any:  # x: (n, heads, t, d)
        first, second = x[..., :half], x[..., half:]
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.RMSNorm(width, 1e-5), nn.RMSNorm(width, 1e-5)
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.o = nn.Linear(width, width, bias=False)
            self.gate_up = nn.Linear(width, 2 * mlp_width, bias=False)
            self.down = nn.Linear(mlp_width, width, bias=False)

        def forward(self, x: Any, cos: Any, sin: Any) -> Any:
            n, t, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, heads, 2 * half)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            q, k = rotated(q, cos, sin), rotated(k, cos, sin)
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.o(a.transpose(1, 2).reshape(n, t, width))
            gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
            return x + self.down(F.silu(gate) * up)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, width)
            nn.init.normal_(self.embedding.weight, std=width**-0.5)
            self.blocks = nn.ModuleList(Block() for _ in range(depth))
            self.norm = nn.RMSNorm(width, 1e-5)

        def forward(self, codes: Any) -> Any:
            frequencies = 10_000.0 ** (-torch.arange(half) / half)
            angles = torch.arange(codes.shape[1])[:, None] * frequencies
            cos, sin = angles.cos(), angles.sin()
            x = self.embedding(codes)
            for block in self.blocks:
                x = block(x, cos, sin)
            return F.linear(self.norm(x), self.embedding.weight)

    return Decoder()


def steps(model: Any, codes: np.ndarray, next_codes: np.ndarray, n: int) -> Callable[[], object]:
    """Return n training steps of a decoder on one batch (windows, tokens), with AdamW."""
    import torch

    x, y = (torch.tensor(part, dtype=torch.int64) for part in (codes, next_codes))
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def run() -> None:
        for _ in range(n):
            optimiser.zero_grad()
            logits = model(x)
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()

    return run


def attention_step(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> Callable[[], object]:
    """Return forward and backward passes of causal attention on arrays (n, t, heads, d)."""
    import torch

    leaves = [torch.tensor(part).transpose(1, 2).contiguous() for part in (q, k, v)]
    queries, keys, values = (leaf.requires_grad_() for leaf in leaves)

    def run() -> None:
        F = torch.nn.functional
        out = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        out.backward(out.detach())

    return run
