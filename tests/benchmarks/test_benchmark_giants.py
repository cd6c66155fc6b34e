"""Files of giants, their picture, decoders compared by structure, and training in parts."""

import importlib
import json

import numpy as np
import pytest

from deepreservoir import DeepReservoirClassifier
from deepreservoir.datasets import Dataset

entry = importlib.import_module("benchmarks.__main__")
decoders = importlib.import_module("benchmarks.decoders")
giant = importlib.import_module("benchmarks.giant")
giant_picture = importlib.import_module("benchmarks.giant_picture")
parallel = importlib.import_module("benchmarks.parallel")


@pytest.mark.slow
def test_a_file_gives_the_tokens_of_the_model_in_another_process(tmp_path, capsys):
    arguments = ["giant-file", "--preset", "3M", "--embeddings", "scaffold"]
    with pytest.raises(SystemExit) as ended:
        entry.main([*arguments, "--out", str(tmp_path)], prog_name="benchmarks")
    assert ended.value.code == 0
    record = json.loads((tmp_path / "giant_file_3m_kronecker_scaffold.json").read_text())
    files = record["files"]
    assert files["float32"]["equal_tokens"] == record["tokens"] == 20
    assert files["int8"]["bytes"] < files["float16"]["bytes"] < files["float32"]["bytes"]
    assert all(row["peak_resident"] >= row["resident_before"] for row in files.values())
    assert "20 of 20 tokens" in capsys.readouterr().out


def test_the_picture_has_a_bar_for_each_record(tmp_path):
    giant_picture_alone = giant_picture.draw(tmp_path, tmp_path, "3M").stat().st_size
    for scaffold in ("kronecker", "streamed"):
        figures = giant.run(scaffold, 1, 1, lambda _: None, preset="3M")
        path = tmp_path / f"giant_3m_{scaffold}_trained_float32.json"
        path.write_text(json.dumps(figures))
    assert giant_picture.draw(tmp_path, tmp_path, "3M").stat().st_size > giant_picture_alone
    weights, gradient, moments = giant_picture.dense_parts("3M")
    assert weights == gradient == moments // 2


def reviews(n):
    words = ["a", "film", "that", "is", "good", "bad", "long", "short", "and", "not", "very"]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, 60)) for _ in range(n)]


def test_decoders_are_compared_and_what_is_stored_is_not_trained_again(tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    none = np.zeros(0)
    data = Dataset("reviews", reviews(60), none, reviews(5), none, task="language", metric="nats")
    monkeypatch.setattr(decoders, "VOCABULARY", 300)
    arms = ("normal", "normal, dense", "normal, streamed", "small vocabulary")
    said = []
    path = decoders.run(data, "3M", 2, 1, arms, tmp_path, said.append)
    record = json.loads(path.read_text())
    runs = {run["arm"]: run for run in record["runs"]}
    assert tuple(runs) == arms
    dense, streamed = runs["normal, dense"], runs["normal, streamed"]
    assert streamed["training_loss"] == pytest.approx(dense["training_loss"], rel=1e-5)
    assert runs["small vocabulary"]["vocabulary"] == 257
    assert all(0 < run["bits_per_byte"] < 12 for run in runs.values())

    monkeypatch.setattr(decoders, "trained", None)
    assert decoders.run(data, "3M", 2, 1, arms, tmp_path, said.append) == path
    assert len(said) == len(arms)


@pytest.mark.slow
def test_parts_are_timed_in_one_and_two_processes(monkeypatch):
    X = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)
    params = {"hidden_layer_sizes": (6,), "rank": 2, "batch_size": 16}
    case = parallel.Case("toy", DeepReservoirClassifier, params, (X, np.arange(32) % 2))
    monkeypatch.setattr(parallel, "cases", lambda: iter([case]))
    row = parallel.run(1, lambda _: None)["architectures"]["toy"]
    assert row["same_bits"]
    assert set(row["epoch_seconds"]) == {"whole", "parts", "workers"}
    assert 4 * row["trained"] * 4 < row["bytes_per_step"]
    # Two workers are each sent the weights and send a gradient back, and little else.
    assert row["bytes_per_step"] < 4 * row["trained"] * 4 + 4096
