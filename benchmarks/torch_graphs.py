"""Networks on graphs in PyTorch, fully trained, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from deepreservoir import Graph


def _torch() -> Any:
    import torch

    return torch


def use_threads(n: int) -> None:
    """Limit PyTorch to a number of threads."""
    _torch().set_num_threads(n)


def _csr(matrix: Any) -> Any:
    torch = _torch()
    return torch.sparse_csr_tensor(
        torch.tensor(matrix.indptr, dtype=torch.int64),
        torch.tensor(matrix.indices, dtype=torch.int64),
        torch.tensor(matrix.data, dtype=torch.float32),
        matrix.shape,
    )


def gcn_epochs(
    features: Any,
    adjacency: Any,
    train: np.ndarray,
    labels: np.ndarray,
    width: int,
    epochs: int,
    sparse: bool,
) -> Callable[[], object]:
    """Return epochs of a GCN of two layers with dropout and Adam on a whole graph.

    `sparse` keeps the features as a sparse matrix.
    """
    torch = _torch()
    S = _csr(adjacency)
    X = _csr(features.tocsr()) if sparse else torch.tensor(features.toarray())
    index, y = torch.tensor(train), torch.tensor(labels)
    first = torch.nn.Parameter(torch.randn(X.shape[1], width) / X.shape[1] ** 0.5)
    bias = torch.nn.Parameter(torch.zeros(width))
    second = torch.nn.Linear(width, int(labels.max()) + 1)
    parameters = [first, bias, *second.parameters()]
    optimiser = torch.optim.Adam(parameters, 1e-2, fused=True)

    def run() -> None:
        for _ in range(epochs):
            optimiser.zero_grad()
            h = S @ (X @ first) + bias
            h = torch.nn.functional.dropout(torch.relu(h), 0.5)
            out = S @ (h @ second.weight.T) + second.bias
            torch.nn.functional.cross_entropy(out[index], y).backward()
            optimiser.step()

    return run


def gin_epoch(
    graphs: Sequence[Graph],
    labels: np.ndarray,
    atoms: tuple[int, ...],
    bonds: tuple[int, ...],
    width: int,
    depth: int,
    batch: int,
    dropout: float,
) -> Callable[[], object]:
    """Return an epoch of a GIN with embeddings, batch normalisation, dropout and Adam."""
    torch = _torch()
    F = torch.nn.functional

    def tables(sizes: tuple[int, ...]) -> Any:
        return torch.nn.ModuleList(torch.nn.Embedding(size, width) for size in sizes)

    nodes, edges = tables(atoms), tables(bonds)
    layers = torch.nn.ModuleList(
        torch.nn.Sequential(
            torch.nn.Linear(width, 2 * width),
            torch.nn.ReLU(),
            torch.nn.Linear(2 * width, width),
            torch.nn.BatchNorm1d(width),
        )
        for _ in range(depth)
    )
    eps, head = torch.nn.Parameter(torch.zeros(depth)), torch.nn.Linear(width, 1)
    modules = torch.nn.ModuleList([nodes, edges, layers, head])
    optimiser = torch.optim.Adam([*modules.parameters(), eps], 1e-3, fused=True)
    data = [tuple(map(torch.tensor, (g.x, g.edges, g.edge_attr))) for g in graphs]
    targets = torch.tensor(labels, dtype=torch.float32)

    def loss_of(chosen: Sequence[int]) -> Any:
        counts = [len(data[i][0]) for i in chosen]
        offsets = np.cumsum([0, *counts[:-1]]).tolist()
        codes = torch.cat([data[i][0] for i in chosen])
        ends = torch.cat([data[i][1] + o for i, o in zip(chosen, offsets, strict=True)], 1)
        attr = torch.cat([data[i][2] for i in chosen])
        h = sum(table(codes[:, k]) for k, table in enumerate(nodes))
        e = sum(table(attr[:, k]) for k, table in enumerate(edges))
        for i, layer in enumerate(layers):
            messages = torch.relu(h[ends[0]] + e)
            u = ((1 + eps[i]) * h).index_add(0, ends[1], messages)
            z = layer(u)
            z = F.dropout(z if i == depth - 1 else torch.relu(z), dropout)
            h = z + h if i else z
        owner = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        sums = torch.zeros(len(counts), width).index_add(0, owner, h)
        logits = head(sums / torch.tensor(counts)[:, None])[:, 0]
        return F.binary_cross_entropy_with_logits(logits, targets[list(chosen)])

    def run() -> None:
        order = torch.randperm(len(data)).tolist()
        for start in range(0, len(order), batch):
            optimiser.zero_grad()
            loss_of(order[start : start + batch]).backward()
            optimiser.step()

    return run
