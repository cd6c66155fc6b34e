"""The benchmark of images: its races and memory, and a network in PyTorch that is ours."""

import json

import pytest
from benchmark_tools import imported

from deepreservoir.models import PlainCNNConfig

image_speed = imported("image_speed")


@pytest.mark.slow
def test_races_and_memory_are_stored(monkeypatch, tmp_path):
    races = {
        "plain_8": lambda rounds: image_speed.plain_8(rounds, n=20),
        "vit": lambda rounds: image_speed.vit(rounds, n=20),
        "wide_convolution": lambda rounds: image_speed.wide_convolution(rounds, width=16),
    }
    monkeypatch.setattr(image_speed, "RACES", races)
    monkeypatch.setattr(imported("timing"), "_PAUSE", 0.0)
    monkeypatch.setattr(image_speed.memory, "__defaults__", (8,))
    entry = imported("__main__")
    arguments = ["images", "--rounds", "1", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments, prog_name="benchmarks")
    assert not ended.value.code
    figures = json.loads((tmp_path / "images.json").read_text())
    assert set(figures["races"]) == set(races)
    for race in figures["races"].values():
        assert all(seconds > 0 for seconds in race["median_seconds"].values())
    assert set(figures["memory"]) == {"lora", "dora", "full"}


def test_pytorch_trains_as_many_parameters():
    pytest.importorskip("torch")
    for depth, width in ((8, 16), (20, 16), (14, 5)):
        model = imported("torch_images").plain_cnn(depth, width, 3, 10)
        config = PlainCNNConfig((32, 32, 3), 10, depth=depth, width=width, adapter="full")
        assert sum(parameter.numel() for parameter in model.parameters()) == config.n_params
