"""Training steps of a large decoder whose frozen weights follow from a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from deepreservoir import DecoderConfig, Network
from deepreservoir.backend import Device, device_module
from deepreservoir.datasets import load_dataset
from deepreservoir.estimators.base.next_tokens import NextTokens, nats_per_token
from deepreservoir.inputs import BytePairs, TokenWindows
from deepreservoir.kernels import Precision
from deepreservoir.optim import AdamW
from deepreservoir.training import Plan, TrainingSet
from deepreservoir.training.batches import ShuffledBatches
from deepreservoir.training.run import Run

VOCABULARY, CONTEXT, RANK, HELD_OUT = 32_000, 128, 8, 8

#: Ways to have the frozen weights: family and storage.
SCAFFOLDS = {
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
    before = _resident()
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
        memory["peak_resident"] = _resident("VmHWM")
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


def _resident(field: str = "VmRSS") -> int:
    """Return a memory size of this process as the operating system reports it, in bytes."""
    if os.name != "posix":
        return 0
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{field}:"))
