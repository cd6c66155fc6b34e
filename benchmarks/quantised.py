"""Files of fewer bits: their bytes, and what they cost in accuracy and in nats per token."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deepreservoir import CausalLanguageModel, DeepReservoirClassifier, container, load, save
from deepreservoir.choices import ShortDtypeName
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Protocol
from deepreservoir.models import DecoderConfig
from deepreservoir.quantised import BITS, is_quantised, scales_shape

DTYPES: tuple[ShortDtypeName | None, ...] = (None, "float16", "int8", "int6")
LAYERS, RANK = (512, 256, 128, 64), 8
#: Averages of the weights: none, over about 100 steps, and over about 1,000.
EMA_DECAYS = (None, 0.99, 0.999)
#: Reviews that a decoder is trained on, about 100 steps of 8 x 128 tokens, and those for its score.
TEXTS, HELD_OUT = 350, 100

MOST_BYTES, MOST_POINTS = 28_000, 0.1
MOST_SHARE, MOST_NATS = 0.28, 0.02
MOST_PRESET_BYTES = {"trained": 130_000_000, "scaffold": 8_000_000}


def saved(model: Any, score: Callable[[Any], float]) -> dict[str, dict[str, float]]:
    """Save a model in each type, and score what is loaded.

    Returns
    -------
    dict of str to dict
        By type: the bytes of the file, those of the trained parameters in it, and the score.
    """
    figures: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        for dtype in DTYPES:
            path = save(model, Path(folder) / "m.safetensors", dtype=dtype)
            contents = container.read(path)
            trained = model.network_.named_parameters()
            figures[dtype or "float32"] = {
                "bytes": path.stat().st_size,
                "trained_bytes": sum(map(contents.nbytes, trained)),
                "score": score(load(path)),
            }
    return figures


def mnist(data: Dataset, epochs: int, ema_decay: float | None) -> dict[str, dict[str, float]]:
    """Train MNIST medium at rank 8 by the paper's protocol, with or without a weight average."""
    protocol = Protocol(hidden_layer_sizes=LAYERS, max_iter=epochs).changed(ema_decay=ema_decay)
    model = DeepReservoirClassifier(rank=RANK, random_state=0, **protocol.parameters())
    model.fit(data.X_train, data.y_train)
    return saved(model, lambda loaded: float(loaded.score(data.X_test, data.y_test)))


def decoder(data: Dataset, embeddings: str) -> dict[str, dict[str, float]]:
    """Train the paper's decoder of 3M for one pass over some reviews, and score it on others."""
    model = CausalLanguageModel(
        preset="3M", embeddings=embeddings, rank=RANK, max_iter=1, random_state=0
    )
    model.fit(data.X_train[:TEXTS])
    held_out = data.X_test[:HELD_OUT]
    return saved(model, lambda loaded: float(loaded.score(held_out)))


def parameter_bytes(config: DecoderConfig, dtype: str) -> int:
    """Return the bytes that the trained parameters of a decoder take in a file, by formula."""
    total = 0
    for slot in (slot for part in config.build() for slot in part.slots() if slot.trained):
        if dtype in BITS and is_quantised(slot.shape):
            codes = slot.size * BITS[dtype] // 8
            total += codes + 2 * math.prod(scales_shape(slot.shape))
        else:
            total += 2 * slot.size
    return total


def presets() -> dict[str, dict[str, int]]:
    """Return the bytes of the parameters of the decoder of 900M, by embeddings and type."""
    return {
        embeddings: {
            dtype: parameter_bytes(
                DecoderConfig.preset("900M", rank=RANK, embeddings=embeddings), dtype
            )
            for dtype in ("float16", "int8", "int6")
        }
        for embeddings in MOST_PRESET_BYTES
    }


def measurements(
    images: Dataset, texts: Dataset, epochs: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Return all figures, reporting each when it is available."""
    figures: dict[str, Any] = {"epochs": epochs, "texts": TEXTS, "held_out": HELD_OUT}
    figures["mnist"], figures["decoder"] = {}, {}
    for decay in EMA_DECAYS:
        name = "no average" if decay is None else f"average of {decay}"
        figures["mnist"][name] = found = mnist(images, epochs, decay)
        _report(f"MNIST, rank {RANK}, {name}", found, report)
    small, wide = (figures["mnist"]["no average"][dtype] for dtype in ("int8", "float32"))
    points = 100 * abs(small["score"] - wide["score"])
    report(
        f"int8: {small['bytes']:,} bytes (target {MOST_BYTES:,}), {points:.2f} points from float32 "
        f"(target {MOST_POINTS})"
    )
    for embeddings in MOST_PRESET_BYTES:
        figures["decoder"][embeddings] = found = decoder(texts, embeddings)
        _report(f"decoder 3M, embeddings {embeddings}", found, report)
    small, wide = (figures["decoder"]["trained"][dtype] for dtype in ("int8", "float32"))
    shares = [small[name] / wide[name] for name in ("bytes", "trained_bytes")]
    report(
        f"int8: {shares[0]:.3f} of the bytes of the file, {shares[1]:.3f} of those of the "
        f"parameters (target {MOST_SHARE}), {wide['score'] - small['score']:.4f} nats (target "
        f"{MOST_NATS})"
    )
    figures["decoder_900M"] = presets()
    for embeddings, by_dtype in figures["decoder_900M"].items():
        report(f"decoder 900M, embeddings {embeddings} (target {MOST_PRESET_BYTES[embeddings]:,}):")
        for dtype, n in by_dtype.items():
            report(f"  {dtype:8} {n:13,} bytes of parameters")
    return figures


def _report(name: str, found: dict[str, dict[str, float]], report: Callable[[str], None]) -> None:
    report(name)
    for dtype, row in found.items():
        report(
            f"  {dtype:8} {row['bytes']:11,} bytes, {row['trained_bytes']:11,} of parameters, "
            f"score {row['score']:.4f}"
        )
