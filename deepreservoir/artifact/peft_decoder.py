"""Decoders in the layout of adapter libraries, with the names of Llama in transformers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..backend import to_host
from ..container import ArtifactError
from ..inputs.byte_pairs import END
from ..layers import AdaptedDense, RMSNorm
from .decoder_tables import output_table, token_table
from .peft_layout import (
    PEFT_EXPORTS,
    PREFIX,
    PeftParts,
    adapter_config,
    float32,
    rescaled_magnitude,
)

#: Modules of a Llama layer, by the name of the layer's matrix here.
_MODULES = {
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.o": "self_attn.o_proj",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
#: Its normalisations.
_NORMS = {"norm1": "input_layernorm", "norm2": "post_attention_layernorm"}


def llama_name(path: str) -> str:
    """Return the name in Llama of a matrix or normalisation of a block.

    Examples
    --------
    >>> llama_name("layers.3.attention.q")
    'model.layers.3.self_attn.q_proj'
    """
    layers, number, name = path.split(".", 2)
    return f"model.{layers}.{number}.{(_MODULES | _NORMS)[name]}"


def decoder_parts(model: Any) -> PeftParts:
    """Return a decoder as the weights of a Llama and its adapters.

    The base has the embeddings, and beta times the scaffolds.

    Parameters
    ----------
    model : CausalLanguageModel
        Fitted.

    Raises
    ------
    ArtifactError
        If no matrix carries an adapter.
    """
    network = model.network_
    config = network.config
    carried = {
        path: layer
        for path, layer in network.adapted.items()
        if layer.adapter.low_rank and path.startswith("layers.")
    }
    if not carried:
        raise ArtifactError(
            "export_peft needs blocks whose matrices carry adapters; the model has "
            f"adapt={config.adapt!r}"
        )
    base = {"model.embed_tokens.weight": token_table(network)}
    adapters: dict[str, np.ndarray] = {}
    for layer in network.root.walk():
        if isinstance(layer, RMSNorm):
            name = "model.norm" if layer.path == "norm" else llama_name(layer.path)
            ones = np.ones(config.width)
            base[f"{name}.weight"] = to_host(layer.weight) if layer.trained else ones
        elif layer.path == "head":
            if not config.tied:
                base["lm_head.weight"] = output_table(network)
        elif isinstance(layer, AdaptedDense) and layer.path != "embedding":
            name = llama_name(layer.path)
            base[f"{name}.weight"] = layer.beta_value * layer.scaffold.dense()
            if layer.path in carried:
                adapters[f"{PREFIX}.{name}.lora_A.weight"] = to_host(layer.A)
                adapters[f"{PREFIX}.{name}.lora_B.weight"] = to_host(layer.B)
            if layer.adapter.mode == "dora":
                adapters[f"{PREFIX}.{name}.lora_magnitude_vector"] = rescaled_magnitude(layer)
    modules = {llama_name(path).rsplit(".", 1)[1]: la.adapter for path, la in carried.items()}
    return PeftParts(
        float32(base),
        float32(adapters),
        adapter_config(config, modules, "CAUSAL_LM"),
        _llama_config(config, model._reader.end_token),
        _tokenizer_files(model._reader.tokenizer),
    )


def _llama_config(config: Any, end_token: int | None) -> dict[str, Any]:
    """Return ``config.json`` of the base, as transformers read it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "max_position_embeddings": config.context,
        "hidden_act": "silu",
        "rms_norm_eps": float(config.norm_eps),
        "rope_theta": float(config.rotary_base),
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": config.tied,
        "torch_dtype": "float32",
        "bos_token_id": None,
        "eos_token_id": end_token,
        "pad_token_id": None,
    }


def _tokenizer_files(tokenizer: Any) -> dict[str, str]:
    if tokenizer is None:  # the model was fitted on codes
        return {}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "split_special_tokens": True,  # the text of a special token is encoded as other text
        "model_input_names": ["input_ids", "attention_mask"],  # what generate of a Llama takes
    }
    return {
        "tokenizer.json": tokenizer.json,
        "tokenizer_config.json": json.dumps(settings, indent=2) + "\n",
    }


PEFT_EXPORTS["decoder"] = decoder_parts
