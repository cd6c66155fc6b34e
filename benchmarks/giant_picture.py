"""The picture of docs/large_models.md: memory of a training step by part, dense and from a seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deepreservoir import DecoderConfig

from .giant import CONTEXT, RANK, VOCABULARY

#: Bars from records of ``python -m benchmarks giant``: title, scaffold and embeddings.
BARS = (
    ("normal,\nheld", "held", "trained"),
    ("normal,\nstreamed", "streamed", "trained"),
    ("binary,\npacked", "packed", "trained"),
    ("Kronecker", "kronecker", "trained"),
    ("Kronecker,\nembeddings on\na scaffold", "kronecker", "scaffold"),
)
#: Parts of a bar, from the bottom, with their colours.
PARTS = {
    "weights, trained or frozen": "#4c72b0",
    "gradient": "#dd8452",
    "moments of AdamW": "#55a868",
}


def dense_parts(preset: str) -> list[int]:
    """Return the bytes of weights, gradient and moments of full training."""
    config = DecoderConfig.preset(preset, vocabulary=VOCABULARY, context=CONTEXT, rank=RANK)
    n = 4 * config.fully_trained().n_params
    return [n, n, 2 * n]


def draw(records: Path, out: Path, preset: str = "900M") -> Path:
    """Draw the bars of all records that exist; return the picture in `out`."""
    from matplotlib.figure import Figure

    bars: list[tuple[str, list[int], int | None]] = [
        ("all weights\ntrained\n(formula)", dense_parts(preset), None)
    ]
    for title, scaffold, embeddings in BARS:
        path = records / f"giant_{preset.lower()}_{scaffold}_{embeddings}_float32.json"
        if path.exists():
            memory: dict[str, Any] = json.loads(path.read_text())["memory"]
            parts = [
                memory["frozen_held"] + memory["trained"],
                memory["gradient"],
                memory["moments"],
            ]
            bars.append((title, parts, memory["peak_resident"]))
    figure = Figure(figsize=(8, 4.2))
    ax = figure.subplots()
    positions = range(len(bars))
    bottoms = [0.0] * len(bars)
    for i, (part, colour) in enumerate(PARTS.items()):
        heights = [parts[i] / 1e9 for _, parts, _ in bars]
        ax.bar(positions, heights, 0.6, bottoms, color=colour, label=part)
        bottoms = [a + b for a, b in zip(bottoms, heights, strict=True)]
    for x, (_, parts, peak) in zip(positions, bars, strict=True):
        if peak is not None:
            label = "measured peak of the process" if x == 1 else None
            ax.plot([x - 0.38, x + 0.38], [peak / 1e9] * 2, color="black", lw=2, label=label)
        top = max(sum(parts), peak or 0) / 1e9
        words = f"{(sum(parts) if peak is None else peak) / 1e9:.2f} GB"
        ax.annotate(words, (x, top), (0, 4), textcoords="offset points", ha="center")
    ax.set_xticks(list(positions), [title for title, _, _ in bars])
    ax.set_ylabel("memory, GB")
    ax.set_ylim(0, 1.1 * max(sum(parts) for _, parts, _ in bars) / 1e9)
    ax.set_title(f"A training step of the decoder of {preset}, one text of {CONTEXT} tokens")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path = out / "memory_giant.png"
    figure.savefig(path, dpi=110)
    return path
