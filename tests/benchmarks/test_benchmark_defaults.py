"""The benchmark of the defaults: reading of tables, ranks, resuming, and its printed form."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

from benchmarks import __main__ as entry
from benchmarks import defaults, tables
from deepreservoir.datasets import DatasetUnavailable

QUICK = {
    "breast": defaults.Table("wine", "classification", "sklearn", "chosen on"),
    "line": defaults.Table("sine", "regression", "generated", "consulted"),
}


@pytest.fixture
def quick(monkeypatch):
    """Two tables, and models that are fast."""
    made = defaults.models

    def models(task, seed):
        found = made(task, seed)
        found["deepreservoir"].set_params(hidden_layer_sizes=(8,), max_iter=2)
        found["boosting"].set_params(max_iter=2)
        found["mlp"].set_params(max_iter=2)
        return found

    monkeypatch.setattr(defaults, "models", models)
    monkeypatch.setattr(defaults, "TABLES", tuple(QUICK.values()))


def test_models_have_their_own_defaults():
    for task in ("classification", "regression"):
        made = defaults.models(task, 3)
        assert tuple(made) == defaults.MODELS
        for model in made.values():
            changed = {
                k for k, v in model.get_params().items() if v != type(model)().get_params()[k]
            }
            assert changed <= {"random_state"}


def test_equal_scores_share_a_rank():
    values = dict(zip(defaults.MODELS, (0.9, 0.9, 0.5, 0.95), strict=True))
    assert list(defaults.ranks(values).values()) == [2.5, 2.5, 4, 1]


def test_words_are_encoded_and_missing_values_filled():
    X = np.array([["a", "1"], ["b", "?"], ["?", "3"], ["b", "8"]], dtype=object)
    made, cells = defaults.encoder(X)
    encoded = made.fit_transform(cells)
    assert encoded.shape == (4, 1 + 2)
    assert encoded[1, 0] == pytest.approx((3 - (1 + 3 + 3 + 8) / 4) / np.std([1, 3, 3, 8]))
    assert encoded[2, 1:].tolist() == [0, 1]  # the most frequent word


def test_a_run_is_stored_printed_and_resumed(quick, tmp_path, monkeypatch):
    stopped = defaults.scores

    def stop(table):
        if table.name == "sine":
            raise KeyboardInterrupt
        return stopped(table)

    monkeypatch.setattr(defaults, "scores", stop)
    with pytest.raises(KeyboardInterrupt):
        defaults.run(tmp_path, print)
    assert len(defaults.partial_path(tmp_path).read_text().splitlines()) == 1

    ran = []
    monkeypatch.setattr(defaults, "scores", lambda table: ran.append(table.name) or stopped(table))
    result = CliRunner().invoke(entry.main, ["defaults", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert ran == ["sine"]
    assert [path.name for path in tmp_path.iterdir()] == ["defaults.json"]
    document = json.loads((tmp_path / "defaults.json").read_text())
    assert [row["name"] for row in document["rows"]] == ["wine", "sine"]
    assert [found["tables"] for found in document["summaries"].values()] == [1, 1]
    for row in document["rows"]:
        assert sum(row["ranks"].values()) == 1 + 2 + 3 + 4
    losses = [row["log_losses"] for row in document["rows"]]
    assert tuple(losses[0]) == defaults.MODELS
    assert all(0 < value < 2 for value in losses[0].values())
    assert losses[1] == {}  # a regression
    assert document["summaries"]["chosen on"]["mean_log_losses"] == losses[0]
    text = tables.defaults(tmp_path)
    assert "| wine | chosen on |" in text
    assert "| sine | consulted |" in text
    assert "| 1 tables chosen on |" in text


def test_a_class_that_was_not_trained_has_no_log_loss():
    model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    X, y = np.array([[0.5], [1.5], [9.0]]), np.array([0, 1, 2])
    p = model.predict_proba(X[:2])
    expected = -np.log([p[0, 0], p[1, 1]]).mean()
    assert defaults.log_loss_of(model, X, y) == pytest.approx(expected)


def test_a_missing_table_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    with pytest.raises(DatasetUnavailable, match=r"sonar is not at .*set DEEPRESERVOIR_DATA"):
        defaults.rows_of(defaults.Table("sonar", "classification"))
