"""Training steps of a large decoder whose frozen weights follow from a seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from deepreservoir import CausalLanguageModel, DecoderConfig, Network, save
from deepreservoir.backend import Device, device_module
from deepreservoir.choices import StorageName
from deepreservoir.datasets import load_dataset
from deepreservoir.estimators.base.next_tokens import NextTokens, nats_per_token
from deepreservoir.inputs import BytePairs, TokenWindows
from deepreservoir.kernels import Precision
from deepreservoir.models.decoder import PRESETS
from deepreservoir.optim import AdamW
from deepreservoir.training import Plan, TrainingSet
from deepreservoir.training.batches import ShuffledBatches
from deepreservoir.training.run import Run

from . import torch_texts

VOCABULARY, CONTEXT, RANK, HELD_OUT = 32_000, 128, 8, 8

#: Ways to have the frozen weights: family and storage.
SCAFFOLDS: dict[str, tuple[str, StorageName]] = {
    "kronecker": ("kronecker", "structured"),
    "hadamard": ("hadamard", "structured"),
    "packed": ("binary", "packed"),
    "streamed": ("normal", "streamed"),
    "held": ("normal", "dense"),
}

#: Steps that are not timed: the first ones compile, fill caches and are captured.
_WARM_UP = 5


def encoded_reviews() -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of the reviews of IMDB to train on, and of others, by one encoding."""
    data = load_dataset("imdb_text")
    pairs = BytePairs.trained(data.X_train, VOCABULARY)
    return (
        np.concatenate(list(pairs.encode_all(data.X_train))),
        np.concatenate(list(pairs.encode_all(data.X_test))),
    )


def noise(n: int) -> np.ndarray:
    """Return random codes, since speed does not depend on them."""
    return np.random.default_rng(0).integers(0, VOCABULARY, n).astype(np.int32)


def run(
    scaffold: str,
    steps: int,
    batch: int,
    report: Callable[[str], None],
    preset: str = "900M",
    embeddings: str = "trained",
    device: Device = "cpu",
    precision: Precision = "float32",
    codes: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Train for some steps, and return their times, the losses and the memory by part.

    Parameters
    ----------
    scaffold : str
        A key of :data:`SCAFFOLDS`.
    steps, batch : int
        Steps of `batch` windows of 128 tokens.
    report : callable
    preset : str
    embeddings : {"trained", "scaffold"}
    device : str
    precision : {"float32", "tf32", "bfloat16"}
    codes : (array, array), optional
        To train on, and held out; random codes by default, and no held-out loss.
    """
    family, storage = SCAFFOLDS[scaffold]
    config = DecoderConfig.preset(
        preset,
        vocabulary=VOCABULARY,
        context=CONTEXT,
        rank=RANK,
        scaffold=family,
        storage=storage,
        embeddings=embeddings,
        recompute=device == "cpu",
    )
    _forget_peak()
    before = resident()
    network = Network(config, 0, device=device)
    network.precision = precision
    stream = noise(steps * batch * CONTEXT + 1) if codes is None else codes[0]
    inputs = TokenWindows(stream[: steps * batch * CONTEXT + 1], CONTEXT, network.dtype, device)
    targets = NextTokens(VOCABULARY)
    y = device_module(device).zeros(len(inputs))
    data = TrainingSet(inputs, y, take_target=targets.take)
    plan = Plan(AdamW(), 1e-3, batch_size=batch, shuffle=False)
    held_out = None
    if codes is not None:
        window = codes[1][: HELD_OUT * CONTEXT + 1]
        held_out = TokenWindows(window, CONTEXT, network.dtype, device)
    figures: dict[str, Any] = {
        "preset": preset,
        "scaffold": scaffold,
        "embeddings": embeddings,
        "steps": steps,
        "tokens_per_step": batch * CONTEXT,
        "precision": precision,
        "trained": network.n_trained,
        "frozen": network.n_scaffold,
    }
    if held_out is not None:
        figures["held_out_before"] = nats_per_token(network, held_out)
        report(f"held-out loss before: {figures['held_out_before']:.3f} nats per token")
    seconds = _steps(Run(network, ShuffledBatches(network, data, plan), targets.loss, plan), steps)
    timed = seconds[_WARM_UP:] or seconds
    figures["seconds_per_step"] = median(timed)
    figures["tokens_per_second"] = batch * CONTEXT / figures["seconds_per_step"]
    if held_out is not None:
        figures["held_out_after"] = nats_per_token(network, held_out)
        report(f"held-out loss after: {figures['held_out_after']:.3f} nats per token")
    figures["memory"] = memory = memory_by_part(network)
    if device == "cpu":
        memory["peak_resident"] = resident("VmHWM")
        memory["resident_before"] = before
    else:
        memory["device_pool"] = int(device_module(device).get_default_memory_pool().total_bytes())
    report(
        f"{scaffold}, {precision}: {figures['seconds_per_step']:.3f} s per step, "
        f"{figures['tokens_per_second']:,.0f} tokens/s"
    )
    for part, nbytes in memory.items():
        report(f"  {part:20} {nbytes / 1e6:12,.1f} MB")
    return figures


def full_training_in_pytorch(preset: str, batch: int, steps: int = 3) -> float:
    """Return the seconds of a step of full training in PyTorch, on the CPU."""
    shape = PRESETS[preset]
    model = torch_texts.decoder(
        VOCABULARY, shape["width"], shape["depth"], shape["heads"], shape["mlp_width"]
    )
    codes = noise(batch * CONTEXT + 1)
    x, y = codes[:-1].reshape(batch, CONTEXT), codes[1:].reshape(batch, CONTEXT)
    one = torch_texts.steps(model, x, y, 1)
    one()  # which fills the optimiser's moments
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


#: Loads a model and continues a prompt, in a process of its own; prints the tokens and the peak.
_GENERATE = """
import json, sys
from deepreservoir import load
from benchmarks import giant
before = giant.resident()
model = load(sys.argv[1])
tokens = model.generate(json.loads(sys.argv[2]), int(sys.argv[3]), temperature=0).tolist()
print(json.dumps({"tokens": tokens, "peak": giant.resident("VmHWM"), "before": before}))
"""


def file(
    scaffold: str, embeddings: str, report: Callable[[str], None], preset: str = "900M"
) -> dict[str, Any]:
    """Train two steps, save, and generate from the file in another process.

    Returns
    -------
    dict
        The bytes of the file by type, whether the tokens are those of the model that was saved, and
        the peak memory of the process that loads it.
    """
    family, storage = SCAFFOLDS[scaffold]
    n_tokens, prompt = 20, noise(16)
    model = CausalLanguageModel(
        preset=preset,
        vocabulary_size=VOCABULARY,
        context=CONTEXT,
        rank=RANK,
        scaffold=family,
        storage=storage,
        embeddings=embeddings,
        recompute=True,
        batch_size=1,
        max_iter=1,
        random_state=0,
    ).fit(noise(2 * CONTEXT + 1))
    expected = np.asarray(model.generate(prompt, n_tokens, temperature=0)).tolist()
    figures: dict[str, Any] = {
        "preset": preset,
        "scaffold": scaffold,
        "embeddings": embeddings,
        "tokens": n_tokens,
        "files": {},
    }
    with TemporaryDirectory() as folder:
        for dtype in (None, "float16", "int8"):
            path = save(model, Path(folder) / "giant.safetensors", dtype=dtype)
            command = [sys.executable, "-c", _GENERATE, str(path), json.dumps(prompt.tolist())]
            answer = subprocess.run(
                [*command, str(n_tokens)], check=True, stdout=subprocess.PIPE, text=True
            )
            found = json.loads(answer.stdout)
            equal = sum(a == b for a, b in zip(found["tokens"], expected, strict=True))
            figures["files"][dtype or "float32"] = row = {
                "bytes": path.stat().st_size,
                "equal_tokens": equal,
                "peak_resident": found["peak"],
                "resident_before": found["before"],
            }
            report(
                f"{dtype or 'float32'}: {row['bytes']:,} bytes, {equal} of {n_tokens} tokens as "
                f"before it was saved, peak {row['peak_resident'] / 1e6:,.0f} MB"
            )
    return figures


def memory_by_part(network: Network) -> dict[str, int]:
    """Return the bytes of what training holds between steps, by part."""
    trained = network.n_trained * network.dtype.itemsize
    return {
        "frozen_held": sum(s.nbytes for s in network.frozen_scaffolds.values()),
        "frozen_if_dense": 4 * network.n_scaffold,
        "trained": trained,
        "gradient": trained,
        "moments": 2 * trained,
    }


def _steps(run: Run, steps: int) -> list[float]:
    """Take steps, and return the seconds of each."""
    seconds = []
    with run.captured():
        run.batches.begin(0)
        run.begin(0)
        for number in range(steps):
            start = time.perf_counter()
            run.take_next(number)
            if run.network.device != "cpu":
                device_module(run.network.device).cuda.get_current_stream().synchronize()
            seconds.append(time.perf_counter() - start)
    return seconds


def resident(field: str = "VmRSS") -> int:
    """Return a memory size of this process as the operating system reports it, in bytes."""
    if os.name != "posix":
        return 0
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{field}:"))


def _forget_peak() -> None:
    """Let the peak memory of this process begin at what it has now, on Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
