"""Epochs of networks on graphs against full training of the same networks in PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deepreservoir import GCNClassifier, GINClassifier, Graph
from deepreservoir.datasets.citations import cora_nodes
from deepreservoir.datasets.molecules import ATOM_CATEGORIES, BOND_CATEGORIES, molhiv_graphs
from deepreservoir.inputs.nodes import NodeInputs

from . import torch_graphs, torch_peers
from .speed import figures_of
from .timing import Contenders, race

RANK, THREADS = 4, 2
GCN_EPOCHS, GRAPHS = 20, 2_000
_GIN_TARGETS = {("torch full", f"rank {RANK}"): 0.7, ("torch full", "full"): None}


def gcn(rounds: int) -> dict[str, Any]:
    """Epochs of a GCN of width 64 on Cora, with 140 labels."""
    nodes, y, split = cora_nodes()
    train, labels = nodes[split["train"]], y[split["train"]]

    def ours(**params: Any) -> Callable[[], object]:
        model = GCNClassifier(
            (64,), batch_norm=False, max_iter=GCN_EPOCHS, tol=0, random_state=0, **params
        )
        return lambda: model.fit(train, labels)

    contenders: Contenders = {
        f"rank {RANK}": ours(rank=RANK, n_iter_no_change=GCN_EPOCHS),
        "full": ours(adapter="full", n_iter_no_change=GCN_EPOCHS),
    }
    if torch_peers.available():
        batch = NodeInputs(train, np.float32).take(np.arange(len(labels)))
        for name, sparse in (("torch full", False), ("torch full, sparse features", True)):
            contenders[name] = torch_graphs.gcn_epochs(
                nodes.features,
                batch.side["adjacency"],
                split["train"],
                labels,
                64,
                GCN_EPOCHS,
                sparse,
            )
    seconds = _raced(contenders, rounds, GCN_EPOCHS)
    targets = {("torch full", f"rank {RANK}"): 1.0, ("torch full, sparse features", "full"): None}
    return figures_of(seconds, targets | {("torch full, sparse features", f"rank {RANK}"): None})


def gin(rounds: int, width: int = 64, depth: int = 3) -> dict[str, Any]:
    """One epoch of a GIN on 2,000 molecules of MolHIV, in batches of 64."""
    graphs, y, split = molhiv_graphs()
    index = split["train"][:GRAPHS]
    chosen, labels = [graphs[i] for i in index], y[index]
    return gin_epoch(chosen, labels, rounds, width, depth)


def paper_gin(
    n_graphs: int | None = None, width: int = 300, depth: int = 5, warm_up: int = 256
) -> dict[str, Any]:
    """One epoch of the paper's GIN on the training molecules of MolHIV, timed once.

    It is preceded by an epoch on a few molecules, since a whole one takes minutes.

    Parameters
    ----------
    n_graphs : int, optional
        Number of molecules; by default all 32,901.
    width, depth : int
    warm_up : int
        Number of molecules before the time is taken.
    """
    graphs, y, split = molhiv_graphs()
    index = split["train"][:n_graphs]
    chosen, labels = [graphs[i] for i in index], y[index]
    # Both classes, as the labels of the first molecules may be all alike.
    few = np.r_[np.flatnonzero(labels == 1)[: warm_up // 4], np.flatnonzero(labels == 0)]
    few = few[:warm_up]
    first = gin_contenders([chosen[i] for i in few], labels[few], width, depth)
    contenders = gin_contenders(chosen, labels, width, depth)
    seconds: dict[str, list[float]] = {}
    with threadpool_limits(THREADS):
        if torch_peers.available():
            torch_graphs.use_threads(THREADS)
        for name, run in contenders.items():
            first[name]()
            start = time.perf_counter()
            run()
            seconds[name] = [time.perf_counter() - start]
    figures = figures_of(seconds, _GIN_TARGETS)
    return {"graphs": len(chosen), "width": width, "depth": depth} | figures


def gin_epoch(
    graphs: list[Graph], labels: np.ndarray, rounds: int, width: int, depth: int
) -> dict[str, Any]:
    """One epoch of a GIN on these graphs."""
    return figures_of(_raced(gin_contenders(graphs, labels, width, depth), rounds, 1), _GIN_TARGETS)


def gin_contenders(graphs: list[Graph], labels: np.ndarray, width: int, depth: int) -> Contenders:
    """Return epochs of a GIN on these graphs: adapters, full training, and PyTorch's."""

    def ours(**params: Any) -> Callable[[], object]:
        model = GINClassifier(
            width,
            depth,
            node_categories=ATOM_CATEGORIES,
            edge_categories=BOND_CATEGORIES,
            batch_size=64,
            max_iter=1,
            random_state=0,
            **params,
        )
        return lambda: model.fit(graphs, labels)

    contenders: Contenders = {f"rank {RANK}": ours(rank=RANK), "full": ours(adapter="full")}
    if torch_peers.available():
        contenders["torch full"] = torch_graphs.gin_epoch(
            graphs, labels, ATOM_CATEGORIES, BOND_CATEGORIES, width, depth, 64, 0.2
        )
    return contenders


def _raced(contenders: Contenders, rounds: int, epochs: int) -> dict[str, list[float]]:
    with threadpool_limits(THREADS):
        if torch_peers.available():
            torch_graphs.use_threads(THREADS)
        seconds = race(contenders, rounds)
    return {name: [time / epochs for time in times] for name, times in seconds.items()}
