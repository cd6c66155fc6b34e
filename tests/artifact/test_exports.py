"""Ordinary weights, ONNX graphs and adapter folders give what the model gives."""

import importlib.util
import json

import numpy as np
import pytest
from artifact_tools import CLASSES, TARGETS, X, classifier, pipeline, regressor
from safetensors.numpy import load_file
from scipy.special import erf

from deepreservoir import (
    ArtifactError,
    DeepReservoirClassifier,
    EchoStateRegressor,
    export_onnx,
    export_peft,
    materialise,
)

PARAMS = [
    {},
    {"adapter": "dora", "beta": 0.5},
    {"adapter": "dora", "head": "lora", "rank": 2},
    {"adapter": "dora", "head": "lora+bias", "rank": 2, "lora_alpha": 3},
    {"scaffold": "hadamard", "scaling": "rslora", "lora_alpha": 3},
    {"adapter": "full"},
    {"adapter": "none", "b_init": "kaiming", "head": "lora+bias", "rank": 2},
    {"hidden_layer_sizes": (6, 6), "residual": True, "layer_norm": True, "activation": "silu"},
    {"bias": True, "layer_norm": True, "activation": "tanh"},
    {"activation": "gelu", "bias": True},
    {"activation": "logistic"},
    {"hidden_layer_sizes": (), "head": "lora", "rank": 1},
]
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "identity": lambda x: x,
}


def run(weights, x, activation, residual=False):
    """Run ordinary weights in NumPy, as their docstring says."""
    n = sum(name.startswith("layers.") and name.count(".") == 2 and name.endswith(".weight")
            for name in weights)  # fmt: skip
    for i in range(n):
        y = x @ weights[f"layers.{i}.weight"].T + weights.get(f"layers.{i}.bias", 0)
        if residual and x.shape == y.shape:
            y = y + x
        norm = weights.get(f"layers.{i}.norm.weight", weights.get(f"norms.{i}.weight"))
        if norm is not None:
            shift = weights.get(f"layers.{i}.norm.bias", weights.get(f"norms.{i}.bias"))
            y = (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + 1e-5)
            y = y * norm + shift
        x = ACTIVATIONS[activation](y)
    return x @ weights["head.weight"].T + weights.get("head.bias", 0)


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_ordinary_weights_give_what_the_model_gives(params):
    model = classifier(**params)
    config = {"activation": model.activation, "residual": "residual" in params}
    logits = run(materialise(model), X.astype(np.float64), **config)
    np.testing.assert_allclose(logits, model.decision_function(X), atol=2e-5)
    numbers = regressor(**params)
    found = run(materialise(numbers), X.astype(np.float64), **config)
    np.testing.assert_allclose(found, numbers.predict(X), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("unit", [1e-100, 1e100])
def test_targets_beyond_the_range_of_the_weights_are_refused(unit, tmp_path):
    model = regressor(unit * X[:, 0].astype(np.float64))
    with pytest.raises(ArtifactError, match="do not fit weights in float32: fit the model on"):
        materialise(model)
    with pytest.raises(ArtifactError, match="do not fit weights in float32"):
        export_peft(model, tmp_path / "adapters")
    if importlib.util.find_spec("onnx"):
        with pytest.raises(ArtifactError, match="do not fit weights in float32"):
            export_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    double = regressor(unit * X[:, 0].astype(np.float64), dtype="float64")
    found = run(materialise(double), X.astype(np.float64), double.activation)
    np.testing.assert_allclose(found[:, 0], double.predict(X), rtol=1e-9)


def test_only_deep_estimators_have_ordinary_weights():
    with pytest.raises(ArtifactError, match="got EchoStateRegressor"):
        materialise(EchoStateRegressor())
    with pytest.raises(ArtifactError, match="For a pipeline, pass its last step"):
        materialise(pipeline())


# ONNX -----------------------------------------------------------------------------------------


def run_onnx(path):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_a_runtime_of_onnx_gives_what_the_model_gives(params, tmp_path):
    model = classifier(**params)
    found = run_onnx(export_onnx(model, tmp_path / "m.onnx"))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), atol=1e-5)
    assert (found["label"] == model.predict(X)).mean() > 0.98  # all but ties of rounding
    numbers = regressor(**params)
    found = run_onnx(export_onnx(numbers, tmp_path / "m.onnx"))
    np.testing.assert_allclose(found["prediction"], numbers.predict(X), rtol=1e-4, atol=1e-3)


def test_labels_of_all_kinds_and_two_classes(tmp_path):
    for labels in (
        np.arange(90) % 2,
        np.arange(90) % 2 == 0,
        np.arange(90) % 4 - 1.0,
        CLASSES[:90],
    ):
        model = DeepReservoirClassifier((8,), max_iter=3, random_state=0).fit(X, labels)
        found = run_onnx(export_onnx(model, tmp_path / "m.onnx"))
        np.testing.assert_array_equal(found["label"], model.predict(X))
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), atol=1e-5)


def test_labels_beyond_64_bits_with_a_sign_are_refused(tmp_path):
    labels = np.arange(90, dtype=np.uint64) % 2 + 2**63
    model = DeepReservoirClassifier((8,), max_iter=1, random_state=0).fit(X, labels)
    with pytest.raises(ArtifactError, match="64 bits with a sign; got 9223372036854775809"):
        export_onnx(model, tmp_path / "m.onnx")


def test_scalers_are_part_of_the_graph(tmp_path):
    for wanted in ({}, {"with_mean": False}, {"with_std": False}):
        model = pipeline().set_params(**{f"standardscaler__{k}": v for k, v in wanted.items()})
        model.fit(X * 3 + 1, TARGETS)
        found = run_onnx(export_onnx(model, tmp_path / "m.onnx"))
        np.testing.assert_allclose(found["prediction"], model.predict(X), rtol=1e-4, atol=1e-3)


def test_without_onnx_there_is_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("deepreservoir.artifact.to_onnx.find_spec", lambda name: None)
    with pytest.raises(ArtifactError, match=r"pip install 'deepreservoir\[onnx\]'"):
        export_onnx(classifier(), tmp_path / "m.onnx")


# Adapter folders --------------------------------------------------------------------------------

ADAPTED = [params for params in PARAMS if params.get("adapter", "lora") in ("lora", "dora")]


def merged(folder):
    """Return the weights that base and adapters amount to, by the field's own formulas."""
    base = {
        k: v.astype(np.float64) for k, v in load_file(folder / "base/model.safetensors").items()
    }
    tensors = load_file(folder / "adapter_model.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    for module in config["target_modules"]:
        prefix = f"base_model.model.{module}.lora_"
        A, B = tensors[f"{prefix}A.weight"], tensors[f"{prefix}B.weight"]
        rank, alpha = config["rank_pattern"][module], config["alpha_pattern"][module]
        assert A.shape[0] == B.shape[1] == rank
        scaling = alpha / np.sqrt(rank) if config["use_rslora"] else alpha / rank
        weight = base[f"{module}.weight"] + scaling * (B.astype(np.float64) @ A)
        if config["use_dora"]:  # of every target module
            norm = np.linalg.norm(weight, axis=1)
            weight *= (tensors[f"{prefix}magnitude_vector"] / norm)[:, None]
        base[f"{module}.weight"] = weight
    for module in config["modules_to_save"] or []:
        for name, array in tensors.items():
            if name.startswith(f"base_model.model.{module}."):
                base[name.removeprefix("base_model.model.")] = array
    return base, json.loads((folder / "base/config.json").read_text())


@pytest.mark.parametrize("params", ADAPTED, ids=str)
def test_base_and_adapters_give_what_the_model_gives(params, tmp_path):
    for name, model in (("c", classifier(**params)), ("r", regressor(**params))):
        weights, config = merged(export_peft(model, tmp_path / name))
        found = run(weights, X.astype(np.float64), config["activation"], config["residual"])
        wanted = model.decision_function(X) if name == "c" else model.predict(X)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-4)


def test_a_folder_is_not_written_over(tmp_path):
    folder = export_peft(classifier(), tmp_path / "adapters")
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(ArtifactError, match="not an empty folder; choose another path"):
        export_peft(classifier(), folder)
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]
    with pytest.raises(ArtifactError, match="needs adapter='lora' or 'dora'; the model has 'full'"):
        export_peft(classifier(adapter="full"), tmp_path / "full")


TORCH_MODEL = """
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self, widths, activation, layer_norm, residual, biases):
        super().__init__()
        pairs = list(zip(widths[:-2], widths[1:-1]))
        linear = [nn.Linear(a, b, bias=biases[i]) for i, (a, b) in enumerate(pairs)]
        self.layers = nn.ModuleList(linear)
        self.norms = nn.ModuleList(nn.LayerNorm(b) for _, b in pairs if layer_norm)
        self.head = nn.Linear(widths[-2], widths[-1], bias=biases[-1])
        self.act = {"relu": torch.relu, "tanh": torch.tanh, "silu": nn.functional.silu,
                    "gelu": nn.functional.gelu, "logistic": torch.sigmoid,
                    "identity": lambda x: x}[activation]
        self.residual = residual
    def forward(self, x):
        for i, layer in enumerate(self.layers):
            y = layer(x)
            if self.residual and x.shape == y.shape:
                y = y + x
            x = self.act(self.norms[i](y) if len(self.norms) else y)
        return self.head(x)
"""


def torch_base(folder):
    torch = pytest.importorskip("torch")
    space = {}
    exec(TORCH_MODEL, space)
    config = json.loads((folder / "base/config.json").read_text())
    state = {
        k: torch.from_numpy(v) for k, v in load_file(folder / "base/model.safetensors").items()
    }
    names = [f"layers.{i}" for i in range(len(config["widths"]) - 2)] + ["head"]
    biases = [f"{name}.bias" in state for name in names]
    parts = {k: config[k] for k in ("widths", "activation", "layer_norm", "residual")}
    base = space["Base"](**parts, biases=biases)
    base.load_state_dict(state)
    return torch, base


@pytest.mark.parametrize("params", ADAPTED, ids=str)
def test_plain_pytorch_gives_what_the_model_gives(params, tmp_path):
    model = classifier(**params)
    folder = export_peft(model, tmp_path / "adapters")
    torch, base = torch_base(folder)
    weights, _ = merged(folder)
    with torch.no_grad():
        for name, parameter in base.named_parameters():
            parameter.copy_(torch.from_numpy(np.asarray(weights[name], np.float32)))
        found = base(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, model.decision_function(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("params", ADAPTED, ids=str)
def test_the_adapter_library_gives_what_the_model_gives(params, tmp_path):
    peft = pytest.importorskip("peft")
    model = classifier(**params)
    folder = export_peft(model, tmp_path / "adapters")
    torch, base = torch_base(folder)
    adapted = peft.PeftModel.from_pretrained(base, folder).eval()
    with torch.no_grad():
        found = adapted(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, model.decision_function(X), rtol=1e-4, atol=1e-4)


def test_a_folder_that_a_link_names_is_filled_and_the_link_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    export_peft(classifier(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "adapter_config.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link"]


def test_models_that_adapters_cannot_describe_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="needs a model with adapters"):
        export_peft(classifier(hidden_layer_sizes=()), tmp_path / "none")
    params = {"adapter": "dora", "scaffold": "zero", "max_iter": 1}
    with pytest.raises(ArtifactError, match=r"row 0 of the matrix 'layers\.0' is zero"):
        export_peft(classifier(**params, learning_rate_init=1e-9), tmp_path / "zero")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array(["2026-01-01", "2026-01-02"], "M8[D]"), "classes must be numbers, booleans or"),
        (np.array(["a", "\ud800"]), "is not text that a file can hold"),
    ],
)
def test_labels_that_a_graph_cannot_hold_are_refused(labels, message, tmp_path):
    pytest.importorskip("onnx")
    model = DeepReservoirClassifier((4,), max_iter=1).fit(X, labels[np.arange(len(X)) % 2])
    with pytest.raises(ArtifactError, match=message):
        export_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
