"""The benchmarks of graphs: their networks in PyTorch are ours, and MolHIV is scored by epochs."""

import json

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir import GINClassifier, Graph

molecules, graph_speed = imported("molecules"), imported("graph_speed")
ATOMS, BONDS = graph_speed.ATOM_CATEGORIES, graph_speed.BOND_CATEGORIES


def graphs_of(n, seed=0):
    """Return chains of carbon, and their labels: active ones hold an oxygen."""
    rng, found = np.random.default_rng(seed), []
    y = (np.arange(n) % 3 == 0).astype(int)
    for active in y:
        k = int(rng.integers(3, 6))
        x = np.zeros((k, 9), int)
        x[:, 0] = 5
        x[0, 0] = 7 if active else 5
        ends = [np.arange(k - 1), np.arange(1, k)]
        found.append(Graph.undirected(x, ends, np.zeros((k - 1, 3), int)))
    return found, y


def test_molhiv_is_scored_after_every_epoch(monkeypatch):
    data = {name: graphs_of(60, seed) for seed, name in enumerate(("train", "valid", "test"))}
    monkeypatch.setattr(molecules, "parts", lambda: data)
    lines = []
    figures = molecules.run(1, ("full", "rank 8"), 5, lines.append)
    assert [run["arm"] for run in figures["runs"]] == ["full", "rank 8"]
    for run in figures["runs"]:
        assert len(run["valid"]) == len(run["test"]) == 5
        assert run["test_mean_of_last"] == pytest.approx(np.mean(run["test"][-3:]))
        assert run["best_valid"] == max(run["valid"])
    assert figures["logistic_on_atom_counts"]["test"] > 0.9
    assert len(lines) == 3


def test_a_race_of_gin():
    graphs, y = graphs_of(10)
    found = graph_speed.gin_epoch(graphs, y, 1, 8, 2)
    assert set(found["median_seconds"]) >= {"rank 4", "full"}
    assert all(seconds > 0 for seconds in found["median_seconds"].values())


def test_an_epoch_of_the_papers_gin(monkeypatch, tmp_path, capsys):
    graphs, y = graphs_of(200)
    split = {"train": np.arange(200)}
    monkeypatch.setattr(graph_speed, "molhiv_graphs", lambda: (graphs, y, split))
    monkeypatch.setattr(graph_speed, "gin_contenders", smaller(graph_speed.gin_contenders))
    entry = imported("__main__")
    arguments = ["graphs", "--paper", "--molecules", "96", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments, prog_name="benchmarks")
    assert not ended.value.code
    found = json.loads((tmp_path / "graphs_paper.json").read_text())["races"]["paper_gin"]
    assert (found["graphs"], found["width"], found["depth"]) == (96, 300, 5)
    assert set(found["median_seconds"]) >= {"rank 4", "full"}
    assert all(seconds > 0 for seconds in found["median_seconds"].values())
    with pytest.raises(SystemExit):
        entry.main(["graphs", "--molecules", "96"], prog_name="benchmarks")
    assert "--molecules is for --paper" in capsys.readouterr().err


def smaller(contenders):
    """Return contenders of a small network in the place of the paper's."""

    def made(graphs, labels, width, depth):
        assert len(np.unique(labels)) == 2
        assert (width, depth) == (300, 5)
        return contenders(graphs, labels, 8, 2)

    return made


def test_pytorch_trains_as_many_parameters():
    torch = pytest.importorskip("torch")
    peers = imported("torch_graphs")
    graphs, y = graphs_of(10)
    counts = []

    def counted(parameters, *arguments, **options):
        kept = list(parameters)
        counts.append(sum(parameter.numel() for parameter in kept))
        return torch.optim.SGD(kept, 1e-3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", counted)
        peers.gin_epoch(graphs, y, ATOMS, BONDS, 8, 2, 4, 0.2)()
    model = GINClassifier(8, 2, adapter="full", node_categories=ATOMS, edge_categories=BONDS)
    assert counts == [model.set_params(max_iter=1).fit(graphs, y).n_trained_params_]
