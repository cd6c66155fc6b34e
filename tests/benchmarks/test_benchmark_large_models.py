"""Training steps of decoders are timed and weighed, and precisions are compared."""

import importlib
import json

import numpy as np
import pytest

from deepreservoir.datasets import Dataset

entry = importlib.import_module("benchmarks.__main__")
giant = importlib.import_module("benchmarks.giant")
precision = importlib.import_module("benchmarks.precision")


@pytest.mark.parametrize("embeddings", ["trained", "scaffold"])
def test_steps_are_timed_and_weighed(tmp_path, embeddings, capsys):
    arguments = ["giant", "--preset", "3M", "--scaffold", "packed", "--steps", "2"]
    arguments += ["--embeddings", embeddings, "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments, prog_name="benchmarks")
    assert ended.value.code == 0
    (path,) = tmp_path.iterdir()
    assert path.name == f"giant_3m_packed_{embeddings}_float32.json"
    record = json.loads(path.read_text())
    assert record["seconds_per_step"] > 0
    assert record["tokens_per_second"] == pytest.approx(128 / record["seconds_per_step"])
    memory = record["memory"]
    assert memory["trained"] == 4 * record["trained"] == memory["moments"] // 2
    # One bit per weight where the dense ones would take four bytes.
    assert 0 < memory["frozen_held"] <= memory["frozen_if_dense"] / 31
    assert memory["peak_resident"] > memory["resident_before"]
    assert "tokens/s" in capsys.readouterr().out


def test_held_out_text_is_scored_before_and_after():
    codes = np.tile(np.arange(1, 60, dtype=np.int32), 40)
    figures = giant.run("kronecker", 3, 1, lambda _: None, preset="3M", codes=(codes, codes))
    assert figures["held_out_before"] == pytest.approx(np.log(giant.VOCABULARY), rel=0.1)
    assert figures["held_out_after"] < figures["held_out_before"]


def test_every_precision_is_scored_on_every_seed():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 784)).astype(np.float32), np.arange(40) % 10
    data = Dataset("noise", X, y, X, y)
    said = []
    figures = precision.run(data, 2, "cpu", said.append, max_iter=1, validation_fraction=0.2)
    scores = figures["test_accuracy"]
    assert list(scores) == ["float32", "tf32", "bfloat16"]
    # On the CPU, the precision of products is that of their factors.
    assert scores["float32"] == scores["tf32"] == scores["bfloat16"]
    assert len(said) == 6
