"""An encoder of texts in PyTorch, fully trained, for the speed benchmarks."""

from __future__ import annotations

from typing import Any


def encoder(
    vocabulary: int, width: int, depth: int, heads: int, max_length: int, classes: int
) -> Any:
    """Return an encoder: codes (n, t), in which -1 is padding, to logits (n, classes).

    Parameters
    ----------
    vocabulary, width, depth, heads, max_length, classes : int
    """
    import torch
    from torch import nn

    F = torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.into, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any, mask: Any) -> Any:
            n, t, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, heads, width // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            a = F.scaled_dot_product_attention(q, k, v, mask)
            x = x + self.o(a.transpose(1, 2).reshape(n, t, width))
            return x + self.back(F.gelu(self.into(self.norm2(x))))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Embedding(max_length, width)
            for table in (self.tokens, self.positions):
                nn.init.normal_(table.weight, std=width**-0.5)
            self.blocks = nn.ModuleList(Block() for _ in range(depth))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

        def forward(self, codes: Any) -> Any:
            kept = codes >= 0  # (n, t)
            x = self.tokens(codes.clamp(min=0)) + self.positions.weight[: codes.shape[1]]
            for block in self.blocks:
                x = block(x, kept[:, None, None])
            weights = kept / kept.sum(dim=1, keepdim=True)
            return self.head((self.norm(x) * weights[:, :, None]).sum(dim=1))

    return Encoder()
