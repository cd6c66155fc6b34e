"""The seed-gated task: what is measured, how it is judged, and a small run of it all."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir.datasets import load_dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons.task import Interrupted

gating = imported("seed_gating")
storing = imported("store")
tables = imported("tables")
entry = imported("__main__")

QUICK = replace(gating.PAPER, protocol=Protocol(hidden_layer_sizes=(32,), max_iter=3))


def test_the_declaration_is_the_paper_s():
    paper = gating.PAPER
    assert paper.sets == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert (paper.seeds, paper.rank) == ((42, 43, 44), 4)
    assert paper.protocol.max_iter == 150
    assert paper.protocol.hidden_layer_sizes == (512, 256, 128, 64)
    assert paper.unseen not in paper.seeds
    targets = {(name, t.what): t.at_least for name, ts in gating.TARGETS.items() for t in ts}
    assert targets[("gated", "own")] == 97
    assert targets[("gated, out-of-class label", "own")] == 93
    assert targets[("gated, out-of-class label", "rejected")] == 95


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64])
def test_labels_are_told_to_tasks(dtype):
    y = np.arange(10).astype(dtype)
    assert gating.PAPER.task_of(y).tolist() == ["", *["123"] * 3, *["456"] * 3, *["789"] * 3]


class Script:
    """A model that answers what it is told to, by task, and something else on another seed."""

    classes_ = np.arange(-1, 10)

    def __init__(self, answers, elsewhere, out_of_class=-1):
        self.answers, self.out_of_class = answers, out_of_class
        self.network_ = SimpleNamespace(with_scaffold=self.with_scaffold)
        self.elsewhere, self.seeds = elsewhere, []

    def predict(self, X, task):
        return self.answers[task][X[:, 0].astype(int)]

    def with_scaffold(self, seed):
        self.seeds.append(seed)
        codes = np.searchsorted(self.classes_, self.elsewhere)
        return SimpleNamespace(
            outputs=lambda X, dtype: np.eye(11, dtype=dtype)[codes[X[:, 0].astype(int)]]
        )


def test_what_is_measured_is_what_its_name_says():
    y = np.array([0, 0, 1, 2, 4, 4, 5, 6, 7, 8])
    data = SimpleNamespace(X_test=np.arange(10)[:, None], y_test=y)
    answers = {
        "123": np.array([-1, 5, 1, 3, -1, -1, -1, 6, -1, -1]),  # of 2 own 1, of 6 others 5
        "456": np.array([-1, -1, 1, -1, 4, 4, 5, 5, -1, 8]),  # of 4 own 3, of 4 others 2
        "789": np.array([3, 3, -1, -1, 4, -1, -1, -1, 7, 8]),  # all own, of 6 others 5
    }
    model = Script(answers, elsewhere=np.array([0, 0, 1, 2, 9, 9, 9, 6, 9, 9]))
    found = gating.measure(model, data, gating.PAPER)
    assert found["123"] == {
        "own": 50,
        "wrong seed": pytest.approx(100 * (0.5 + 0) / 2),  # "456" has one of the two right
        "unseen seed": 100,
        "rejected": pytest.approx(100 * 5 / 6),
        "unseen digits rejected": 50,
    }
    assert found["456"] == {
        "own": 75,
        "wrong seed": pytest.approx(100 * (0.25 + 0.25) / 2),
        "unseen seed": 25,
        "rejected": 50,
        "unseen digits rejected": 100,
    }
    assert found["789"]["own"] == 100
    assert found["789"]["unseen digits rejected"] == 0
    assert model.seeds == [45] * 3
    plain = gating.measure(Script(answers, model.elsewhere, None), data, gating.PAPER)
    assert set(plain["123"]) == {"own", "wrong seed", "unseen seed"}


def test_runs_are_summarised_and_judged_by_the_worst_task():
    runs = [
        {"a": {"own": 92.0, "rejected": 99.0, "unseen digits rejected": 40.0},
         "b": {"own": 99.0, "rejected": 95.0, "unseen digits rejected": 70.0}},
        {"a": {"own": 94.0, "rejected": 97.0, "unseen digits rejected": 50.0},
         "b": {"own": 97.0, "rejected": 94.0, "unseen digits rejected": 90.0}},
    ]  # fmt: skip
    tasks = gating.summarised(runs)
    assert tasks["a"]["own"] == {
        "mean": 93.0,
        "spread": pytest.approx(2**0.5),
        "values": [92.0, 94.0],
    }
    assert gating.summarised(runs[:1])["a"]["own"]["spread"] == 0.0
    own, rejected, unseen = gating.judged("gated, out-of-class label", tasks)
    assert (own["worst"], own["best"], own["met"]) == (93.0, 98.0, True)
    assert (rejected["worst"], rejected["best"], rejected["met"]) == (94.5, 98.0, False)
    assert (unseen["worst"], unseen["met"]) == (45.0, False)
    assert gating.judged("one scaffold for all", tasks) == []


def test_a_small_run_of_it_all_is_told_and_kept_and_tabled(tmp_path):
    told = []
    found = gating.run(load_dataset("digits"), 2, told.append, QUICK)
    assert json.loads(json.dumps(found))["gating"]["rank"] == 4
    assert [model["name"] for model in found["models"]] == list(gating.TARGETS)
    gated, labelled, plain = found["models"]
    for model, seeds, outputs in ((gated, 3, 9), (labelled, 3, 10), (plain, 1, 9)):
        trained = 4 * (64 + 32) + 1 + outputs * 33
        assert model["trained"] == trained
        assert model["stored_bytes"] == 4 * trained + 8 * seeds
        assert list(model["tasks"]) == ["123", "456", "789"]
        for figures in model["tasks"].values():
            for over in figures.values():
                assert len(over["values"]) == 2
                assert all(0 <= value <= 100 for value in over["values"])
    assert set(labelled["tasks"]["123"]) - set(gated["tasks"]["123"]) == {
        "rejected",
        "unseen digits rejected",
    }
    assert set(plain["tasks"]["123"]) == {"own"}
    # Three epochs of digits reach no target; that is told.
    assert [line for line in told if line.endswith("MISSED")]
    assert sum("paper" in line for line in told) == 4
    storing.store("mnist_seed_gating", found, tmp_path)
    text = tables.seed_gating(tmp_path)
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert [row[:2] for row in cells[2:5]] == [
        ["gated", f"{a}, {a + 1}, {a + 2}"] for a in (1, 4, 7)
    ]
    own = gated["tasks"]["123"]["own"]
    assert cells[2][3] == f"{own['mean']:.2f} ± {own['spread']:.2f}"
    assert cells[13][0] == "gated: own"
    assert "2 random states;" in text


def test_ctrl_c_ends_the_benchmark(monkeypatch):
    def interrupted(self, *args, **given):
        self.stop_reason_ = "interrupted"
        return self

    monkeypatch.setattr(gating.SeedGatedClassifier, "fit", interrupted)
    with pytest.raises(Interrupted):
        gating.run(load_dataset("digits"), 1, lambda line: None, QUICK)


def test_the_command_runs_it_and_keeps_its_figures(capsys, monkeypatch, tmp_path):
    asked = []

    def run(data, seeds, tell):
        asked.append((data, seeds))
        tell("a line")
        return {"seeds": seeds, "models": []}

    monkeypatch.setattr(entry, "load_dataset", lambda name: f"the data of {name}")
    monkeypatch.setattr(entry.seed_gating, "run", run)
    with pytest.raises(SystemExit) as caught:
        entry.main(["run", "mnist_seed_gating", "--seeds", "2", "--out", str(tmp_path)])
    assert not caught.value.code
    assert asked == [("the data of mnist", 2)]
    assert "a line" in capsys.readouterr().out
    assert json.loads((tmp_path / "mnist_seed_gating.json").read_text())["seeds"] == 2
