"""`python -m benchmarks`: its help, what it refuses, and what its commands keep."""

import json
import subprocess
import sys

import numpy as np
import pytest
from benchmark_tools import ROOT, imported

entry = imported("__main__")
speed = imported("speed")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        entry.main([str(argument) for argument in arguments], prog_name="benchmarks")
    return int(caught.value.code or 0)


@pytest.mark.slow
def test_the_module_runs_from_the_root_of_the_repository():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert all(f"  {name} " in done.stdout for name in entry.main.commands)


def test_every_command_has_a_help(capsys):
    for name in entry.main.commands:
        assert run(name, "--help") == 0
        assert "--out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "nope"), "'nope'"),
        (("run",), "argument"),
        (("run", "mnist", "--seeds", 0), "--seeds"),
        (("speed", "--rounds", 0), "--rounds"),
        (("nope",), "'nope'"),
    ],
)
def test_wrong_input_is_refused_in_one_message(capsys, arguments, word):
    assert run(*arguments) != 0
    lines = capsys.readouterr().err.splitlines()
    (message,) = [line for line in lines if line.startswith("Error: ")]
    assert word in message


def test_data_that_is_not_here_is_one_message(capsys, monkeypatch):
    def nowhere(name):
        raise entry.DatasetUnavailable(f"{name} is not on this machine")

    monkeypatch.setattr(entry, "load_dataset", nowhere)
    assert run("run", "mnist") == 1
    assert capsys.readouterr().err == "Error: mnist is not on this machine\n"


def test_a_task_is_run_and_its_figures_kept(capsys, monkeypatch, tmp_path):
    asked = []

    def table(data, seeds, tell):
        asked.append((data, seeds))
        tell("a line")
        return {"seeds": seeds, "rows": []}

    monkeypatch.setattr(entry, "load_dataset", lambda name: f"the data of {name}")
    monkeypatch.setattr(entry.mnist, "run", table)
    assert run("run", "mnist", "--seeds", 2, "--out", tmp_path) == 0
    assert asked == [("the data of mnist", 2)]
    assert "a line" in capsys.readouterr().out
    assert json.loads((tmp_path / "mnist.json").read_text())["seeds"] == 2


def test_races_are_printed_and_kept(capsys, monkeypatch, tmp_path):
    seconds = {"slow": [0.4, 0.6], "fast": [0.1, 0.2]}
    figures = speed.figures_of(seconds, {("slow", "fast"): 3.0, ("absent", "fast"): 2.0})
    assert figures["median_seconds"] == {"slow": 0.5, "fast": pytest.approx(0.15)}
    (pair,) = figures["ratios"]  # a contender that did not run has no ratio
    assert (pair["faster"], pair["than"], pair["target"]) == ("fast", "slow", 3.0)
    assert pair["times"] == pytest.approx(3.5)

    monkeypatch.setattr(entry.speed, "races", lambda rounds: iter([("one race", figures)]))
    assert run("speed", "--rounds", 2, "--out", tmp_path) == 0
    out = capsys.readouterr().out
    assert "one race" in out
    assert "fast is 3.50 times slow  (target 3)" in out
    document = json.loads((tmp_path / "speed.json").read_text())
    assert document["rounds"] == 2
    assert document["races"]["one race"]["ratios"] == figures["ratios"]


def test_memory_figures_are_printed_and_kept(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(entry.memory, "measurements", lambda: {"fit": {"peak": 5, "share": 0.5}})
    assert run("memory", "--out", tmp_path) == 0
    assert "fit: peak 5, share 0.5" in capsys.readouterr().out
    assert json.loads((tmp_path / "memory.json").read_text())["fit"]["peak"] == 5


# What races, in PyTorch ------------------------------------------------------


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rank", [None, 2])
def test_the_peers_in_pytorch_run(rank, fused):
    pytest.importorskip("torch")
    torch_peers = imported("torch_peers")
    assert torch_peers.available()
    x = np.random.default_rng(0).standard_normal((8, 6)).astype(np.float32)
    torch_peers.layer_step(x, 6, rank, fused)()
    y = np.arange(8) % 3
    torch_peers.mlp_epoch(x, y, (6, 5, 4, 3), rank, 4, 0.1, 1, fused)()
    torch_peers.normal(16)()


@pytest.mark.slow
@pytest.mark.parametrize("rank", [None, 2])
def test_the_peer_in_jax_learns(rank):
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    jax_peers = imported("jax_peers")
    assert jax_peers.available()
    x = np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    first, last = (
        jax_peers.mlp_epochs(x, y, (6, 16, 8, 2), rank, 8, 0.1, epochs)() for epochs in (1, 40)
    )
    assert last < 0.5 * first
    with pytest.raises(ValueError, match="batch must divide the number of rows, 64; got 10"):
        jax_peers.mlp_epochs(x, y, (6, 5, 2), rank, 10, 0.1, 1)


@pytest.mark.slow
def test_the_race_against_jax_names_its_targets():
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    figures = speed.scanned_epoch(1, rows=128, epochs_each=1)
    found = {(pair["than"], pair["faster"]): pair["target"] for pair in figures["ratios"]}
    for numba in ("", ", numba"):
        assert found[("jax full", f"rank 8{numba}")] == 2.0
        assert found[("jax adapters", f"rank 8{numba}")] == 1.4


def test_without_jax_its_race_is_skipped_with_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed.jax_peers, "available", lambda: False)
    for name in ("generation", "one_layer", "mnist_epoch"):
        monkeypatch.setattr(speed, name, lambda rounds: {"median_seconds": {}, "ratios": []})
    monkeypatch.setattr(speed.prediction_speed, "races", lambda rounds: iter(()))
    assert run("speed", "--rounds", 1, "--out", tmp_path) == 0
    assert "JAX or optax is not installed (the extra benchmark)" in capsys.readouterr().out
    races = json.loads((tmp_path / "speed.json").read_text())["races"]
    assert list(races) == ["generation", "one layer", "mnist epoch"]


def test_predictions_race_in_both_types():
    races = imported("prediction_speed").races(1, rows=(2,))
    found = {name: figures["ratios"][0]["target"] for name, figures in races}
    assert found == {
        "prediction in float32, 2 rows": 1.0,
        "prediction in float64, 2 rows": 0.67,
    }


def test_without_a_gpu_its_races_are_skipped_with_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(entry, "cuda_problem", lambda: "CuPy is not installed")
    assert run("speed", "--device", "cuda", "--out", tmp_path) == 0
    expected = "Skipped: no GPU is available: CuPy is not installed.\n"
    assert capsys.readouterr().out == expected
    assert not any(tmp_path.iterdir())
