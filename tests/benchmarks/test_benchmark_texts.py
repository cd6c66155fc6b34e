"""The benchmark of texts: its races, and networks in PyTorch that are ours."""

import json
from functools import partial

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir.layers import Pass
from deepreservoir.models import DecoderConfig, TextTransformerConfig
from deepreservoir.network import Network

text_speed = imported("text_speed")


def test_races_are_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(text_speed, "VOCABULARY", 32)
    monkeypatch.setattr(text_speed, "CONTEXT", 8)
    monkeypatch.setattr(text_speed, "PIECES", 32)
    races = {
        "decoder_3m": partial(text_speed.decoder_3m, n=1),
        "wide_block": partial(text_speed.wide_block, width=64),
        "encoder": partial(text_speed.encoder, n=1),
        "attention": partial(text_speed.attention, tokens=16),
    }
    assert set(races) == set(text_speed.RACES)
    monkeypatch.setattr(text_speed, "RACES", races)
    monkeypatch.setattr(imported("timing"), "_PAUSE", 0.0)
    entry = imported("__main__")
    arguments = ["texts", "--rounds", "1", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments, prog_name="benchmarks")
    assert not ended.value.code
    figures = json.loads((tmp_path / "texts.json").read_text())
    assert set(figures["races"]) == set(races)
    for race in figures["races"].values():
        assert all(seconds > 0 for seconds in race["median_seconds"].values())


def test_the_decoder_in_pytorch_is_the_fully_trained_one():
    torch = pytest.importorskip("torch")
    config = DecoderConfig(11, 8, 2, 2, 12, context=5, adapter="full")
    network = Network(config, 0)
    model = imported("torch_texts").decoder(11, 8, 2, 2, 12)
    assert sum(parameter.numel() for parameter in model.parameters()) == config.n_params
    ours = {path: torch.tensor(view) for path, view in network.named_parameters().items()}
    with torch.no_grad():
        model.embedding.weight.copy_(ours["embedding.table"])
        model.norm.weight.copy_(ours["norm.weight"])
        for i, block in enumerate(model.blocks):
            p = f"layers.{i}"
            block.norm1.weight.copy_(ours[f"{p}.norm1.weight"])
            block.norm2.weight.copy_(ours[f"{p}.norm2.weight"])
            qkv = [ours[f"{p}.attention.{name}.weight"] for name in "qkv"]
            block.qkv.weight.copy_(torch.cat(qkv))
            block.o.weight.copy_(ours[f"{p}.attention.o.weight"])
            gate_up = [ours[f"{p}.mlp.{name}.weight"] for name in ("gate", "up")]
            block.gate_up.weight.copy_(torch.cat(gate_up))
            block.down.weight.copy_(ours[f"{p}.mlp.down.weight"])
        codes = np.random.default_rng(0).integers(0, 11, (3, 5))
        found = model(torch.tensor(codes)).numpy()
    np.testing.assert_allclose(found, network.forward(codes)[0], rtol=1e-4, atol=1e-5)


def test_the_encoder_in_pytorch_is_the_fully_trained_one():
    torch = pytest.importorskip("torch")
    config = TextTransformerConfig(11, 3, 8, 2, 2, 6, adapter="full")
    network = Network(config, 0)
    model = imported("torch_encoder").encoder(11, 8, 2, 2, 6, 3)
    assert sum(parameter.numel() for parameter in model.parameters()) == config.n_params
    ours = {path: torch.tensor(view) for path, view in network.named_parameters().items()}
    with torch.no_grad():
        model.tokens.weight.copy_(ours["embedding.tokens.table"])
        model.positions.weight.copy_(ours["embedding.positions.table"])
        model.head.weight.copy_(ours["head.weight"])
        for i, block in enumerate(model.blocks):
            p = f"layers.{i}"
            qkv = [ours[f"{p}.attention.{name}.weight"] for name in "qkv"]
            block.qkv.weight.copy_(torch.cat(qkv))
            block.o.weight.copy_(ours[f"{p}.attention.o.weight"])
            block.into.weight.copy_(ours[f"{p}.mlp.in.weight"])
            block.back.weight.copy_(ours[f"{p}.mlp.out.weight"])
            for layer in (block.qkv, block.o, block.into, block.back):
                layer.bias.zero_()  # as ours at the start
        model.head.bias.copy_(ours["head.bias"])
        codes = np.random.default_rng(0).integers(0, 11, (3, 5))
        codes[1, 2:] = -1
        found = model(torch.tensor(codes)).numpy()
    side = {"kept": codes >= 0}
    expected = network.forward(np.maximum(codes, 0), Pass(side=side))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
