"""The memory that a fit needs on the host, compared with what is free before any is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...layers import Sequential
from ...models import NetworkConfig
from ...network import scaffold_specs
from ...scaffold import held_bytes
from ...sizes import size_words

# Of Linux; elsewhere nothing is known, and nothing is refused.
_MEMORY = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")

#: Vectors of moments of the optimisers that do not keep two.
_MOMENTS = {"sgd": 1}


def free_memory() -> int | None:
    """Return the bytes that this process can still get, or None if that is not known.

    Space for swapping counts too: what fits into both may be slow, and is not refused.
    """
    try:
        lines = _MEMORY.read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        free = sizes["MemAvailable"] + sizes.get("SwapFree", 0)
    except (OSError, LookupError, ValueError):
        return None
    try:  # a container may have less than the machine
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(0, limit - used))


def memory_by_part(
    config: NetworkConfig, batch_size: int, optimizer: str = "adamw"
) -> dict[str, int]:
    """Return the bytes that training a network holds, by part, without drawing any weights.

    Parameters
    ----------
    config : NetworkConfig
    batch_size : int
        Samples whose activations are in memory at a time.
    optimizer : str, default="adamw"

    Examples
    --------
    >>> from deepreservoir import DecoderConfig
    >>> dense = DecoderConfig.preset("900M", storage="dense")
    >>> streamed = DecoderConfig.preset("900M", storage="streamed")
    >>> [memory_by_part(c, 1)["frozen weights"] for c in (dense, streamed)]
    [4634705920, 0]
    """
    body, head = config.build()
    root = Sequential([body, head])
    dtype = np.dtype(config.dtype)
    frozen = {request.path for request in root.scaffold_requests() if request.frozen}
    held = sum(
        held_bytes(spec, config.scaffold_of(spec.path)[2], dtype)
        for spec in scaffold_specs(config, root, seed=0)
        if spec.path in frozen
    )
    trained = config.n_params * dtype.itemsize
    return {
        "frozen weights": held,
        "trained parameters, gradient and moments": (2 + _MOMENTS.get(optimizer, 2)) * trained,
        "activations": batch_size * config.training_sample_bytes,
    }


def check_memory(needed: Mapping[str, int], remedies: Sequence[str]) -> None:
    """Raise unless the memory that is free suffices.

    Parameters
    ----------
    needed : mapping of str to int
        Bytes by part.
    remedies : sequence of str
        What takes less memory.

    Raises
    ------
    MemoryError
        With what is needed by part, what is free, and what helps.
    """
    free, total = free_memory(), sum(needed.values())
    if free is None or total <= free:
        return
    parts = ", ".join(f"{size_words(n)} for {part}" for part, n in needed.items() if n)
    raise MemoryError(
        f"training needs about {size_words(total)} of memory, and {size_words(free)} are free: "
        f"{parts}. Try {'; or '.join(remedies)}"
    )
