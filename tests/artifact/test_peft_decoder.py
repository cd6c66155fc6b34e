"""A decoder in the layout of adapter libraries gives what the model gives."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from deepreservoir import ArtifactError, CausalLanguageModel, Network, export_peft
from deepreservoir.artifact.peft_decoder import llama_name

pytestmark = [
    pytest.mark.host(reason="a layout of files"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
SMALL = {
    "width": 16,
    "depth": 2,
    "heads": 2,
    "mlp_width": 24,
    "context": 8,
    "vocabulary_size": 11,
    "rank": 3,
    "max_iter": 3,
    "learning_rate_init": 0.05,
    "random_state": 0,
}
STREAM = np.cumsum(np.random.default_rng(0).integers(0, 3, 200)) % 11
CODES = STREAM[:16].reshape(2, 8)
CASES = {
    "attention": {"beta": 0.5},
    "all": {"adapt": "all", "scaling": "rslora", "lora_alpha": 4, "rotary_base": 100.0},
    "untied": {"tied": False, "scaffold": "hadamard", "norm_eps": 1e-3},
    "narrow": {"adapt": "all", "rank": "auto", "mlp_width": 4},
    "embeddings": {"embeddings": "scaffold", "scaffold": "binary"},
    "dora": {"adapt": "all", "adapter": "dora", "recompute": True, "end_token": 10},
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def exported(request, tmp_path_factory):
    model = CausalLanguageModel(**{**SMALL, **request.param}).fit(STREAM)
    return model, export_peft(model, tmp_path_factory.mktemp("peft") / "adapters")


def logits(model):
    network = model.network_
    return network.forward(network.on_device(CODES))[0]


def test_base_and_adapters_together_are_the_weights(exported):
    """Against the fully trained twin, with the weights that the files add up to."""
    model, folder = exported
    base = load_file(folder / "base" / "model.safetensors")
    adapters = load_file(folder / "adapter_model.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    full = Network(model.network_.config.fully_trained(), 0)
    for path, weight in full.named_parameters().items():
        name = path.removesuffix(".weight")
        if name in ("embedding", "embedding.table", "norm", "head"):
            embedded = dict.fromkeys(("embedding", "embedding.table"), "model.embed_tokens")
            names = {**embedded, "norm": "model.norm"}
            weight[...] = base.pop(f"{names.get(name, 'lm_head')}.weight")
            continue
        weight[...] = base.pop(f"{llama_name(name)}.weight")
        prefix, module = f"base_model.model.{llama_name(name)}", name.rsplit(".", 1)[1]
        if f"{prefix}.lora_A.weight" in adapters:
            low = adapters.pop(f"{prefix}.lora_B.weight") @ adapters.pop(f"{prefix}.lora_A.weight")
            rank = config["rank_pattern"][f"{module}_proj"]
            alpha = config["alpha_pattern"][f"{module}_proj"]
            weight += alpha / (rank**0.5 if config["use_rslora"] else rank) * low
        magnitude = adapters.pop(f"{prefix}.lora_magnitude_vector", None)
        if magnitude is not None:
            weight *= (magnitude / np.linalg.norm(weight, axis=1))[:, None]
    assert not base
    assert not adapters
    np.testing.assert_allclose(full.forward(CODES)[0], logits(model), rtol=1e-4, atol=1e-4)


def test_transformers_with_adapters_gives_the_logits(exported):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    model, folder = exported
    base = transformers.LlamaForCausalLM.from_pretrained(folder / "base")
    adapted = peft.PeftModel.from_pretrained(base, folder).eval()
    with torch.no_grad():
        found = adapted(torch.from_numpy(CODES)).logits.numpy()
        prompt = torch.tensor([[1, 2]])
        options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
        continued = adapted.generate(input_ids=prompt, **options).numpy()[0, 2:]
    np.testing.assert_allclose(found, logits(model), rtol=1e-4, atol=1e-4)
    ours = model.generate([1, 2], 5, temperature=0)
    np.testing.assert_array_equal(continued[: len(ours)], ours)


def test_only_the_matrices_of_the_pattern_have_adapters(exported):
    model, folder = exported
    config = json.loads((folder / "adapter_config.json").read_text())
    names = set(load_file(folder / "adapter_model.safetensors"))
    assert "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight" in names
    assert any(".mlp." in name for name in names) == (model.adapt == "all")
    assert ("down_proj" in config["target_modules"]) == (model.adapt == "all")


def test_the_encoding_of_texts_is_written_too(tmp_path):
    pytest.importorskip("tokenizers")
    texts = ["the cat sat on the mat", "the dog sat on the log"] * 3
    model = CausalLanguageModel(**{**SMALL, "vocabulary_size": 280, "max_iter": 1}).fit(texts)
    base = export_peft(model, tmp_path / "adapters") / "base"
    assert json.loads((base / "config.json").read_text())["eos_token_id"] == 0
    settings = json.loads((base / "tokenizer_config.json").read_text())
    assert settings["split_special_tokens"] is True
    assert settings["model_input_names"] == ["input_ids", "attention_mask"]
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    codes = model._reader.tokenizer.encode("the dog")[0].tolist()
    assert tokenizer("the dog", add_special_tokens=False)["input_ids"] == codes
    assert set(tokenizer("the dog")) == {"input_ids", "attention_mask"}
    assert tokenizer.eos_token_id == 0
    named = model._reader.tokenizer.encode("a<|end|>b")[0].tolist()
    assert tokenizer("a<|end|>b", add_special_tokens=False)["input_ids"] == named


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"adapter": "full"}, "the model has 'full'"),
        ({"adapt": "none"}, "the model has adapt="),
        ({"adapter": "dora", "scaffold": "zero", "learning_rate_init": 1e-9}, r"row .* is zero"),
    ],
)
def test_a_model_without_adapters_is_refused(options, words, tmp_path):
    model = CausalLanguageModel(**{**SMALL, **options, "max_iter": 1}).fit(STREAM)
    with pytest.raises(ArtifactError, match=words):
        export_peft(model, tmp_path / "adapters")
    assert not list(tmp_path.iterdir())
