"""Training steps of networks on texts, against full training of the same in PyTorch.

A race is a function of the number of rounds; :data:`RACES` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deepreservoir.inputs import Batch, Target
from deepreservoir.kernels import softmax_attention, softmax_attention_backward
from deepreservoir.layers import Pass, Step
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import DecoderConfig, NetworkConfig, TextTransformerConfig
from deepreservoir.network import Network
from deepreservoir.optim import AdamW, clip_global_norm
from deepreservoir.thread_limits import blas_limited, in_shares
from deepreservoir.training.accumulation import split
from deepreservoir.training.batches import TrainingBatch

from . import torch_encoder, torch_images, torch_peers, torch_texts
from .contenders import IN_PARTS, RANK, THREADS, in_both_ways, least_ratios
from .speed import figures_of
from .timing import Contenders, race

WINDOWS, CONTEXT, VOCABULARY = 8, 128, 4096
WIDE, WIDE_VOCABULARY = 1024, 256
LONG = 512
TEXTS, PIECES = 32, 30_522

Targets = dict[tuple[str, str], float | None]


def decoder_3m(rounds: int, n: int = 5) -> dict[str, Any]:
    """Five steps of the paper's 3M decoder on 8 windows of 128 tokens, vocabulary 4,096."""
    config = DecoderConfig.preset("3M", VOCABULARY, rank=RANK, context=CONTEXT)
    configs = {f"rank {RANK}": config, "full": config.fully_trained()}
    contenders = _decoders(configs, n, divided=(f"rank {RANK}",))
    return figures_of(_raced(contenders, rounds), least_ratios(contenders))


def wide_block(rounds: int, width: int = WIDE) -> dict[str, Any]:
    """A step of one block of the 300M decoder's width, 1,024, on 8 windows of 128 tokens."""
    mlp_width = 11 * width // 4
    config = DecoderConfig(WIDE_VOCABULARY, width, 1, 16, mlp_width, CONTEXT, rank=RANK)
    configs = {
        family: replace(config, scaffold=family) for family in ("normal", "hadamard", "kronecker")
    }
    structured = ("hadamard", "kronecker")
    contenders = _decoders({**configs, "full": config.fully_trained()}, 1, divided=structured)
    targets: Targets = {
        ("torch full", name): 2.0 if name.startswith(structured) else None
        for name in contenders
        if name != "torch full"
    }
    return figures_of(_raced(contenders, rounds), targets)


def encoder(rounds: int, n: int = 5) -> dict[str, Any]:
    """Five steps of the reduced encoder of reviews on 32 texts of 128 word pieces."""
    config = TextTransformerConfig(PIECES, 2, 64, max_length=CONTEXT, dropout=0.0, rank=RANK)
    codes = np.random.default_rng(0).integers(0, PIECES, (TEXTS, CONTEXT), np.int32)
    classes = np.arange(TEXTS) % 2
    batch = Batch(codes, {"kept": np.ones(codes.shape, bool)})
    target = Target(classes, TEXTS, None)
    configs = {
        f"rank {RANK}": config,
        f"rank {RANK}, frozen embeddings": replace(config, embeddings="frozen"),
        "full": config.fully_trained(),
    }
    ours: Contenders = {
        name: network_steps(each, batch, target, n) for name, each in configs.items()
    }
    ours[f"rank {RANK}, {IN_PARTS}"] = steps_in_parts(config, batch, target, n)
    contenders = in_both_ways(ours)
    if torch_peers.available():
        sizes = (PIECES, config.width, config.depth, config.heads, CONTEXT, 2)
        model = torch_encoder.encoder(*sizes)
        contenders["torch full"] = torch_texts.steps(model, codes, classes, n)
    return figures_of(_raced(contenders, rounds), least_ratios(contenders))


def attention(rounds: int, tokens: int = LONG) -> dict[str, Any]:
    """Causal attention of 4 heads of width 64 on 4 windows of 512 tokens, and its gradients."""
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 4, tokens, 4, 64)).astype(np.float32)

    def ours() -> None:
        out, log_sums = softmax_attention(q, k, v, causal=True)
        softmax_attention_backward(out, q, k, v, out, log_sums, causal=True)

    contenders: Contenders = {"blocks of queries": ours}
    if torch_peers.available():
        contenders["torch"] = torch_texts.attention_step(q, k, v)
    return figures_of(_raced(contenders, rounds), {("torch", "blocks of queries"): 0.5})


#: The races of `python -m benchmarks texts`, by name.
RACES: dict[str, Callable[[int], dict[str, Any]]] = {
    "decoder_3m": decoder_3m,
    "wide_block": wide_block,
    "encoder": encoder,
    "attention": attention,
}


def network_steps(
    config: NetworkConfig, batch: Batch, target: Target, n: int
) -> Callable[[], object]:
    """Return n training steps of a network on one batch, with AdamW and a limit of the norm.

    Parameters
    ----------
    config : NetworkConfig
    batch : Batch
    target : Target
        Classes, under cross-entropy.
    n : int
    """
    network, optimiser, loss = Network(config, 0), AdamW(), SoftmaxCrossEntropy()
    mask = network.params.decay_mask(network.theta, config.decayed)
    state = optimiser.init(network.theta)

    def run() -> None:
        for step in range(n):
            network.grad.fill(0)
            network.gradient(batch, target, loss, Pass(Step(0, step)))
            clip_global_norm(network.grad, 1.0)
            optimiser.update(network.theta, network.grad, state, 1e-3, mask)

    return run


def steps_in_parts(
    config: NetworkConfig, batch: Batch, target: Target, n: int, count: int = THREADS
) -> Callable[[], object]:
    """Return what :func:`network_steps` does, with parts of the batch in threads of their own.

    It is what ``fit(parts=2)`` does, without reading data.
    """
    whole = TrainingBatch(np.arange(len(batch.x)), batch, target)
    networks, optimiser, loss = [Network(config, 0)], AdamW(), SoftmaxCrossEntropy()
    first = networks[0]
    networks += [first.for_another_thread() for _ in range(count - 1)]
    parts = list(split(whole, count))
    mask, state = first.params.decay_mask(first.theta, config.decayed), optimiser.init(first.theta)

    def gradient(step: int, share: slice) -> None:
        k = share.start  # one part per thread
        network, part = networks[k], parts[k]
        network.grad.fill(0)
        with blas_limited(1):
            network.gradient(part.batch, part.target, loss, Pass(Step(0, step)).at(k))

    def run() -> None:
        for step in range(n):
            in_shares(partial(gradient, step), count, 1)
            for other in networks[1:]:
                first.grad[:] += other.grad
            clip_global_norm(first.grad, 1.0)
            optimiser.update(first.theta, first.grad, state, 1e-3, mask)

    return run


def _decoders(
    configs: dict[str, DecoderConfig], n: int, divided: Collection[str] = ()
) -> Contenders:
    """Return n steps of decoders, and of the same in PyTorch where it is installed.

    Parameters
    ----------
    configs : dict of str to DecoderConfig
    n : int
    divided : collection of str
        Names of those that are trained on batches in parts as well.
    """
    first = next(iter(configs.values()))
    rng = np.random.default_rng(0)
    window = rng.integers(0, first.vocabulary, (WINDOWS, first.context + 1), np.int32)
    codes, next_codes = window[:, :-1].copy(), window[:, 1:].copy()
    batch, target = Batch(codes, {}), Target(next_codes, codes.size, None)
    ours: Contenders = {
        name: network_steps(config, batch, target, n) for name, config in configs.items()
    }
    for name in divided:
        ours[f"{name}, {IN_PARTS}"] = steps_in_parts(configs[name], batch, target, n)
    contenders = in_both_ways(ours)
    if torch_peers.available():
        sizes = (first.vocabulary, first.width, first.depth, first.heads, first.mlp_width)
        model = torch_texts.decoder(*sizes)
        contenders["torch full"] = torch_texts.steps(model, codes, next_codes, n)
    return contenders


def _raced(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    with threadpool_limits(THREADS):
        if torch_peers.available():
            torch_images.use_threads(THREADS)
        return race(contenders, rounds)
